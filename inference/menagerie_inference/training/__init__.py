"""What made the embedded models, for anyone to run again."""
