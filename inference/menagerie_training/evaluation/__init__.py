"""Evaluates the models on labelled photographs, with the server's own code."""
