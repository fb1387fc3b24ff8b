"""Codes to test with: random ones, whose variance is that of a muzzle and which no two models share."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from menagerie_inference.domains.muzzle import SLOTS

Outputs = dict[int, NDArray[np.float32]]
DIMENSIONS = 128


def spread(seed: int, photographs: int, dimensions: int = DIMENSIONS) -> Outputs:
    random = np.random.default_rng(seed)
    return {slot: random.normal(0, 0.2, (photographs, dimensions)).astype(np.float32) for slot in SLOTS}


def codes(*shape: int) -> st.SearchStrategy[NDArray[np.float64]]:
    numbers = st.floats(-10, 10, allow_nan=False, width=32)
    return arrays(np.float64, shape, elements=numbers)


def outputs(photographs: int, *, slots: tuple[int, ...] = SLOTS) -> st.SearchStrategy[Outputs]:
    """Draw raw codes of a few dimensions, zeros and all."""
    return st.fixed_dictionaries(
        {slot: codes(photographs, 6).map(lambda array: array.astype(np.float32)) for slot in slots}
    )
