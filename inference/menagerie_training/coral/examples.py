"""The training set: statistics, labels and sample weights of all views of the labelled photographs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeAlias

import numpy as np

from menagerie_training.coral.views import TILES_WEIGHT, views_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.image import InputSpec
    from menagerie_training.coral.views import Views
    from menagerie_training.evaluation.coral_labels import Coral

    Floats: TypeAlias = NDArray[np.float64]

    Predictor: TypeAlias = Callable[["Examples"], Floats]
    """Scores views: (views,) or (views, questions)."""

    Trainer: TypeAlias = Callable[["Examples"], Predictor]

BLEACHED: Final = 0
REEF: Final = 1
"""The columns of the questions: is the coral bleached, and is this a reef at all?"""


class FeatureExtractor(Protocol):
    """Computes the statistics of images."""

    @property
    def blocks(self) -> NDArray[np.int64]:
        """The block of the network that each feature comes from (features,)."""

    def __call__(self, images: NDArray[np.uint8]) -> Floats:
        """Compute the statistics (images, features) of images (images, height, width, 3)."""


@dataclass(frozen=True)
class Examples:
    """Views of photographs; every array but `blocks` has one entry a view."""

    statistics: Floats
    """(views, features)."""

    targets: Floats
    """(views, questions): 1 for yes and -1 for no."""

    sample_weights: Floats
    """(views, questions): 0 where the question does not apply."""

    whole: NDArray[np.bool_]
    """Whether the view is a whole photograph, not a tile."""

    photos: NDArray[np.int64]
    """The number of the view's photograph."""

    blocks: NDArray[np.int64]
    """The block of the network that each feature comes from (features,)."""

    @classmethod
    def joined(cls, parts: Iterable[Examples]) -> Self:
        """Concatenate the examples of different photographs, and number the photographs."""
        parts = list(parts)
        numbers = np.repeat(np.arange(len(parts)), [len(part.whole) for part in parts])
        return cls(
            statistics=np.concatenate([part.statistics for part in parts]),
            targets=np.concatenate([part.targets for part in parts]),
            sample_weights=np.concatenate([part.sample_weights for part in parts]),
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
        """Give the views without a reef the same total weight as those with one."""
        reef = self.sample_weights[:, REEF]
        factor = reef[self.corals].sum() / max(reef[~self.corals].sum(), np.finfo(float).tiny)
        sample_weights = self.sample_weights.copy()
        sample_weights[~self.corals, REEF] *= factor
        return replace(self, sample_weights=sample_weights)


def read_examples(
    corals: Sequence[Coral], others: Sequence[Path], extract: FeatureExtractor, spec: InputSpec
) -> Examples:
    """Make the examples of photographs of corals, and of others that show no reef.

    Raises:
        ImageError: as `open_photo()`.
    """
    return Examples.joined([*_corals(corals, extract, spec), *_others(others, extract, spec)]).balanced()


def _corals(corals: Iterable[Coral], extract: FeatureExtractor, spec: InputSpec) -> Iterator[Examples]:
    for coral in corals:
        views = views_of(coral.path, spec)
        yield _examples(views, extract, (1 if coral.bleached else -1, 1), (1, 1))


def _others(others: Iterable[Path], extract: FeatureExtractor, spec: InputSpec) -> Iterator[Examples]:
    for path in others:
        yield _examples(views_of(path, spec), extract, (-1, -1), (0, 1))


def _examples(
    views: Views, extract: FeatureExtractor, targets: tuple[int, int], applies: tuple[int, int]
) -> Examples:
    weights = np.where(views.whole, 1.0, TILES_WEIGHT * views.areas)
    return Examples(
        statistics=extract(views.images),
        targets=np.tile(np.array(targets, np.float64), (len(weights), 1)),
        sample_weights=weights[:, None] * np.array(applies, np.float64),
        whole=views.whole,
        photos=np.zeros(len(weights), np.int64),
        blocks=extract.blocks,
    )
