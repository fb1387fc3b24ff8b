"""The domains: for each API, from models' outputs to results as dataclasses."""
