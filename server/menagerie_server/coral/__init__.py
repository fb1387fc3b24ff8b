"""Coral's photographs on their way to a result: the upload, and the job that judges them."""
