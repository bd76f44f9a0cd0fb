"""Training: thin over transformers.Trainer and TRL; the recipes only parse arguments and call this package."""
