"""Calibrates the matching of photographs of individuals, and evaluates it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from menagerie_inference.domains.whales.embedder import Embedder
from menagerie_inference.image.fit import fit as fit_to
from menagerie_training.whales.views import views

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.backends import Backend
    from menagerie_inference.manifest import Manifest

SIMILARITIES: Final = np.arange(0.40, 1.0, 0.005)
TEMPERATURES: Final = np.geomspace(0.005, 0.2, 40)
"""The grid of the search."""

LONGEST: Final = 640
"""The longest side in px to which photographs are scaled down before views of them are made."""


@dataclass(frozen=True, eq=False)
class Similarities:
    """The cosine similarity of each query with each individual of a catalogue (queries, individuals)."""

    values: NDArray[np.float64]
    own: NDArray[np.intp]
    """Which individual each query shows (queries,)."""

    @property
    def of_own(self) -> NDArray[np.float64]:
        """The cosine of each query with its own individual (queries,)."""
        return self.values[np.arange(len(self.own)), self.own]

    @property
    def of_others(self) -> NDArray[np.float64]:
        """As `values`, but as far as can be from its own: the query of an individual that is not known."""
        others = self.values.copy()
        others[np.arange(len(self.own)), self.own] = -np.inf
        return others

    @property
    def first_right(self) -> int:
        """How many queries are nearer to their own individual than to any other."""
        return int((self.of_own > self.of_others.max(axis=1)).sum())


@dataclass(frozen=True)
class Matching:
    """The two numbers of `Ranker`, and the result of their evaluation."""

    new_similarity: float
    match_temperature: float


def measure(backend: Backend, manifest: Manifest, paths: Sequence[Path]) -> Similarities:
    """Embed photographs of as many individuals, one each, and views of them as queries."""
    embedder = Embedder(manifest)

    def embed(image: Image.Image) -> NDArray[np.float32]:
        outputs = backend.run(np.asarray(fit_to(image, manifest.input))[None])
        return embedder.embed({name: values[0] for name, values in outputs.items()})

    catalogue, queries, own = [], [], []
    for place, path in enumerate(paths):
        photograph = _open(path)
        catalogue.append(embed(photograph))
        for view in views(photograph, seed=place):
            queries.append(embed(view))
            own.append(place)
    values = np.array(queries, np.float64) @ np.array(catalogue, np.float64).T
    return Similarities(values, np.array(own))


def fit(similarities: Similarities) -> Matching:
    """Return the numbers of highest likelihood, with each query's individual in the catalogue and not."""
    losses = [
        (_loss(similarities, new, temperature), new, temperature)
        for new in SIMILARITIES
        for temperature in TEMPERATURES
    ]
    _, new, temperature = min(losses)
    return Matching(round(float(new), 3), round(float(temperature), 4))


def named(similarities: Similarities, matching: Matching) -> tuple[int, int]:
    """Count the queries that `Ranker` names correctly when known, and calls new when not."""
    others = similarities.of_others.max(axis=1)
    threshold = np.maximum(others, matching.new_similarity)
    return int((similarities.of_own >= threshold).sum()), int((others < matching.new_similarity).sum())


def _loss(similarities: Similarities, new: float, temperature: float) -> float:
    unknown = np.full(len(similarities.own), new)
    known = np.column_stack([similarities.values, unknown]) / temperature
    alone = np.column_stack([similarities.of_others, unknown]) / temperature
    loss = _log_sum(known) - similarities.of_own / temperature + _log_sum(alone) - new / temperature
    return float(loss.mean())


def _log_sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    highest = values.max(axis=1)
    return np.asarray(highest + np.log(np.exp(values - highest[:, None]).sum(axis=1)))


def _open(path: Path) -> Image.Image:
    with Image.open(path) as file:
        image = file.convert("RGB")
    image.thumbnail((LONGEST, LONGEST))
    return image
