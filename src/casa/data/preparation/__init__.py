"""Makes training data of public sources: reads, cleans, splits, and writes what `train_files` takes, with a card."""
