"""Training CASA: data, batches, a Trainer and recipes."""
