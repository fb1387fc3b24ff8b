"""The recipes of the embedded detectors of people and of faces."""
