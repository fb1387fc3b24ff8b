from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from menagerie_inference.image.spec import InputSpec, Scaling


def test_pixels_are_not_scaled_unless_a_model_asks_for_it() -> None:
    assert InputSpec(4, 4).scaling is None
    assert Scaling() == Scaling((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("numbers", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, math.inf, 1.0), (1.0, 1.0)])
def test_a_divisor_is_above_zero_for_each_channel(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(ValidationError):
        Scaling(divisor=numbers)


@pytest.mark.parametrize("numbers", [(math.nan, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)])
def test_a_mean_is_a_number_for_each_channel(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(ValidationError):
        Scaling(mean=numbers)
