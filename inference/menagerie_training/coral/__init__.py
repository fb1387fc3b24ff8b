"""What made the embedded coral model: `python -m menagerie_training.coral`."""
