from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.species.temperature import fit_temperature, negative_log_likelihood

PHOTOS = Path(__file__).parents[2] / "photos"


def test_the_loss_is_the_surprise_at_the_accepted_classes() -> None:
    logits = np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    accepted = np.array([[False, True, True], [False, False, True]])
    assert negative_log_likelihood(logits, accepted) == pytest.approx(-(np.log(0.5) + np.log(0.8)) / 2)


def test_accepting_everything_surprises_nobody() -> None:
    logits = np.arange(12.0).reshape(-1, 4)
    assert negative_log_likelihood(logits, np.ones_like(logits, dtype=bool)) == pytest.approx(0)


def test_the_manifest_has_the_temperature_that_the_photographs_give() -> None:
    manifest = Registry.for_profile(EMBEDDED).manifest_for("species")
    # int8 arithmetic differs a little between processors.
    assert fit_temperature(manifest, PHOTOS) == pytest.approx(manifest.calibration["temperature"], abs=0.05)
