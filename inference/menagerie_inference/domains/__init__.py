"""What each API answers: from a model's outputs to the result, as dataclasses."""
