"""Measures the models on labelled photographs, along the path that the server takes."""
