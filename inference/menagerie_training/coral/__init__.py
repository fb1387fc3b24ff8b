"""The recipe of the embedded coral model: `python -m menagerie_training.coral`."""
