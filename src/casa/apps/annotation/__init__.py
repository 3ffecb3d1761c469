"""Human evaluation: blinded batches from logs, a page where people rate them, and the statistics of what they say."""
