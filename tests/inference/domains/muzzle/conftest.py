from __future__ import annotations

import numpy as np
import pytest
from tests.support.muzzle_codes import Outputs, spread

from menagerie_inference.domains.muzzle import SLOTS


@pytest.fixture
def one_animal() -> Outputs:
    """The codes of four photographs of one animal, in three models, which look valid."""
    shared = spread(seed=1, photographs=1)
    noise = spread(seed=2, photographs=4)
    return {slot: np.asarray(shared[slot] + 0.2 * noise[slot], np.float32) for slot in SLOTS}
