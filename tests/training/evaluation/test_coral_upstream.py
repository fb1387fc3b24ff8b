from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from PIL import Image
from tests.support.keras_networks import TFLITE, answers, network, write

from menagerie_training.evaluation.coral_model import CoralModel
from menagerie_training.evaluation.coral_upstream import upstream_manifest

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 224
COLOURS = [(200, 100, 220), (10, 90, 160)]
"""Of a photograph's two tiles."""


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A network of the upstream model's form: 224 px from 0 to 1, and a sigmoid."""
    output = keras.layers.Dense(1, activation="sigmoid")
    model = network(output, size=(SIDE, SIDE))
    output.bias.assign_add([0.4])  # between the two colours
    return model


def test_the_upstream_model_is_shown_tiles_as_it_was_trained_on_them(
    model: keras.Model, tmp_path: Path
) -> None:
    photo = Image.new("RGB", (2 * 244, 244), COLOURS[0])
    photo.paste(COLOURS[1], (244, 0, 2 * 244, 244))
    tiles = np.array([np.full((SIDE, SIDE, 3), colour) for colour in COLOURS]) / 255
    expected = answers(model, tiles)[:, 0]
    with CoralModel(upstream_manifest(write(model, tmp_path, TFLITE))) as upstream:
        found = upstream.answer(photo)
        assert upstream.name.startswith("model.tflite ")
        assert not upstream.has_gate
    assert [tile.score for tile in found.tiles] == pytest.approx(expected, abs=1e-3)
    assert [tile.bleached for tile in found.tiles] == [False, True]
