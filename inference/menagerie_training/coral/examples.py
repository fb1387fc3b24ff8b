"""Turns labelled photographs into what a machine learns from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, Self

import numpy as np

from menagerie_training.coral.views import views_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.image import InputSpec
    from menagerie_training.coral.machine import Floats
    from menagerie_training.coral.views import Views
    from menagerie_training.evaluation.coral_labels import Coral


class Describe(Protocol):
    """What computes statistics."""

    @property
    def blocks(self) -> NDArray[np.int64]:
        """(features,): which block of the network each of the statistics comes from."""

    def __call__(self, images: NDArray[np.uint8]) -> Floats:
        """Describe images (images, height, width, 3): gives (images, features)."""


BLEACHED: Final = 0
REEF: Final = 1
"""The questions, by their column."""

TILES_IMPORTANCE: Final = 0.3
"""How much all tiles of a photograph count together, where the whole counts 1.

The label is the photograph's: a tile of it may show the one healthy coral among bleached ones, or the sea.
"""


@dataclass(frozen=True)
class Examples:
    """Views of photographs; every array but `blocks` has an entry for each of them."""

    statistics: Floats
    """(views, features)."""

    targets: Floats
    """(views, questions): 1 for yes and -1 for no."""

    importance: Floats
    """(views, questions): 0 where the question makes no sense."""

    whole: NDArray[np.bool_]
    """Whether it is a photograph as a whole, not a tile."""

    photos: NDArray[np.int64]
    """The number of its photograph."""

    blocks: NDArray[np.int64]
    """(features,): which block of the network each of the statistics comes from."""

    @classmethod
    def joined(cls, parts: Iterable[Examples]) -> Self:
        """Put the examples of different photographs together, and number these."""
        parts = list(parts)
        numbers = np.repeat(np.arange(len(parts)), [len(part.whole) for part in parts])
        return cls(
            statistics=np.concatenate([part.statistics for part in parts]),
            targets=np.concatenate([part.targets for part in parts]),
            importance=np.concatenate([part.importance for part in parts]),
            whole=np.concatenate([part.whole for part in parts]),
            photos=numbers,
            blocks=parts[0].blocks,
        )

    @property
    def corals(self) -> NDArray[np.bool_]:
        """Which of the views show corals."""
        return self.targets[:, REEF] > 0

    def where(self, wanted: NDArray[np.bool_]) -> Self:
        """Select some of the views."""
        selected = {name: values[wanted] for name, values in vars(self).items() if name != "blocks"}
        return replace(self, **selected)

    def balanced(self) -> Self:
        """Let the views without a reef count as much, together, as those with one."""
        reef = self.importance[:, REEF]
        factor = reef[self.corals].sum() / max(reef[~self.corals].sum(), np.finfo(float).tiny)
        importance = self.importance.copy()
        importance[~self.corals, REEF] *= factor
        return replace(self, importance=importance)


def read_examples(
    corals: Sequence[Coral], others: Sequence[Path], describe: Describe, spec: InputSpec
) -> Examples:
    """Describe photographs of corals, and others that show no reef; raises as `open_photo()` does."""
    return Examples.joined([*_corals(corals, describe, spec), *_others(others, describe, spec)]).balanced()


def _corals(corals: Iterable[Coral], describe: Describe, spec: InputSpec) -> Iterator[Examples]:
    for coral in corals:
        views = views_of(coral.path, spec)
        yield _examples(views, describe, (1 if coral.bleached else -1, 1), (1, 1))


def _others(others: Iterable[Path], describe: Describe, spec: InputSpec) -> Iterator[Examples]:
    for path in others:
        yield _examples(views_of(path, spec), describe, (-1, -1), (0, 1))


def _examples(
    views: Views, describe: Describe, targets: tuple[int, int], importance: tuple[int, int]
) -> Examples:
    counts = np.where(views.whole, 1.0, TILES_IMPORTANCE * views.areas)
    return Examples(
        statistics=describe(views.images),
        targets=np.tile(np.array(targets, np.float64), (len(counts), 1)),
        importance=counts[:, None] * np.array(importance, np.float64),
        whole=views.whole,
        photos=np.zeros(len(counts), np.int64),
        blocks=describe.blocks,
    )
