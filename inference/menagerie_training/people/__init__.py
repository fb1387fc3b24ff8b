"""How the embedded detectors of people and of faces are made."""
