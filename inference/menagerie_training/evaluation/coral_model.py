"""Asks a coral model what the server would ask it."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final, Self

from menagerie_inference.backends import load_backend
from menagerie_inference.domains.coral.classifier import BATCH_TILES
from menagerie_inference.domains.coral.interpreter import TileInterpreter
from menagerie_inference.domains.coral.preprocessing import prepare
from menagerie_inference.domains.coral.result import BLEACHED
from menagerie_training.evaluation.coral_answers import Answer, Answers, tiles, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL import Image

    from menagerie_inference.domains.coral.tiling import Tile
    from menagerie_inference.manifest import Manifest

_REEF: Final = "reef"


class CoralModel:
    """A loaded model, which judges as `CoralClassifier` does; a context manager that closes it.

    Raises `ManifestError` as `load_backend()` and `TileInterpreter` do.
    """

    gives_probabilities = True

    def __init__(self, manifest: Manifest) -> None:
        self.name = manifest.identity
        self.has_gate = _REEF in manifest.outputs
        self._input = manifest.input
        self._judge = TileInterpreter(manifest)
        # Whatever its probability, it calls bleached all that passes the gate.
        self._gate = TileInterpreter(
            replace(manifest, calibration={**manifest.calibration, "threshold": 0.0})
        )
        self._backend = load_backend(manifest, threads=len(os.sched_getaffinity(0)), usual_batch=BATCH_TILES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._backend.close()

    def answer(self, photo: Image.Image) -> Answers:
        """Judge the photograph as one tile, and then its tiles."""
        [one] = self._answer(photo, [whole(photo)])
        cut = tiles(photo)
        batches = (cut[first : first + BATCH_TILES] for first in range(0, len(cut), BATCH_TILES))
        return Answers(one, [*chain.from_iterable(self._answer(photo, batch) for batch in batches)])

    def _answer(self, photo: Image.Image, batch: Sequence[Tile]) -> Iterator[Answer]:
        outputs = self._backend.run(prepare(photo, batch, self._input))
        for one, gate in zip(self._judge.judge(outputs), self._gate.judge(outputs), strict=True):
            yield Answer(one.probability, one.label == BLEACHED, reef=gate.label == BLEACHED)
