from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from menagerie_inference.domains.coral.interpreter import TileInterpreter
from menagerie_inference.manifest import load_manifest
from menagerie_training.coral.calibration import Calibration, Judged
from menagerie_training.coral.manifest import MODEL, Provenance, write_manifest
from menagerie_training.evaluation.binary import BinaryScore
from menagerie_training.evaluation.coral_labels import Coral
from menagerie_training.evaluation.metrics import Share

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_inference.manifest import Manifest

YES = np.array([True, True, False, False])
SCORE = BinaryScore(np.array([0.9, 0.4, 0.2, 0.1]), np.array([True, False, False, False]), YES)
NONE = np.array([], np.bool_)
NO_SCORE = BinaryScore(np.array([], np.float64), NONE, NONE)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """What is written for three corals, and no tiles to measure on."""
    (tmp_path / MODEL).write_bytes(b"a graph")
    calibration = Calibration(
        bleached=Judged(temperature=0.42, photographs=SCORE, tiles=NO_SCORE),
        alone={},
        reef_temperature=0.5,
        reef_threshold=0.61,
        corals_passed=Share(4, 4),
        others_passed=Share(0, 4),
    )
    corals = [Coral(tmp_path / name, bleached=name != "c", held_out=False) for name in "abc"]
    provenance = Provenance(data='of a set called "Reef"', imagery="Squares of 224 px")
    write_manifest(tmp_path, calibration, corals, [tmp_path / "d"], provenance)
    return load_manifest(tmp_path / "manifest.toml")


def test_the_manifest_has_what_was_fitted(manifest: Manifest) -> None:
    assert manifest.role == "coral"
    assert manifest.calibration == {"temperature": 0.42, "threshold": 0.5, "reef_threshold": 0.61}


def test_the_manifest_is_one_that_the_domain_reads(manifest: Manifest) -> None:
    TileInterpreter(manifest)


def test_the_manifest_tells_of_the_training(manifest: Manifest) -> None:
    training = manifest.training
    assert training is not None
    assert training.data == (
        '2 photographs of bleached and 1 of healthy corals, of a set called "Reef"; and 1 of other things '
        "for the reef gate."
    )
    assert "accuracy 0.750, calibration error" in training.conditions
    assert "accuracy - on tiles" in training.conditions
    assert training.imagery.startswith("Squares of 224 px. ")
