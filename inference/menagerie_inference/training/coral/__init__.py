"""What made the embedded coral model: `python -m menagerie_inference.training.coral`."""
