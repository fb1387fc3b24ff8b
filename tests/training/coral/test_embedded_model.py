from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from menagerie_inference.backends import load_backend
from menagerie_inference.image import DEFAULT_MAX_PIXELS, decode
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.coral_labels import read_others
from menagerie_training.evaluation.coral_methods import CoralModel
from menagerie_training.evaluation.coral_report import open_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs

PHOTOS = Path(__file__).parents[2] / "photos"
MANIFEST = Registry.for_profile(EMBEDDED).manifest_for("coral")


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    paths = sorted(PHOTOS.glob("*.jpg"))[:12]
    return np.stack(
        [decode(path.read_bytes(), MANIFEST.input, max_pixels=DEFAULT_MAX_PIXELS).pixels for path in paths]
    )


def test_a_tile_is_answered_alike_in_a_batch_of_any_size(images: NDArray[np.uint8]) -> None:
    backend = load_backend(MANIFEST, threads=1)
    alone = [backend.run(image[None]) for image in images]
    for size in (2, 5, 12):
        together = [backend.run(images[first : first + size]) for first in range(0, len(images), size)]
        for name in MANIFEST.outputs:
            assert joined(together, name) == pytest.approx(joined(alone, name), abs=1e-4)
    backend.close()


def joined(batches: list[Outputs], name: str) -> NDArray[np.float32]:
    return np.concatenate([outputs[name] for outputs in batches])


def test_what_shows_no_reef_is_not_called_bleached() -> None:
    with CoralModel(MANIFEST) as model:
        answers = [model.predict(open_path(path)) for path in read_others(PHOTOS)]
    assert not any(answer.whole.bleached for answer in answers)
    tiles = [tile.bleached for answer in answers for tile in answer.tiles]
    assert np.mean(tiles) < 0.01


def test_the_manifest_tells_what_the_model_was_trained_on() -> None:
    assert MANIFEST.training is not None
    assert "Healthy and Bleached Corals" in MANIFEST.training.data


def test_the_model_is_small() -> None:
    assert MANIFEST.files[0].path.stat().st_size < 9_000_000
