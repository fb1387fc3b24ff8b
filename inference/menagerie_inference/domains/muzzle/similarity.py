"""How alike codes are. Every function is pure, and takes many codes at once.

"Document" is the Muzzle Biometric Verification API 2.1.0; names in capitals are its settings.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.float64]

_SMALLEST: Final = 1e-12
"""A code shorter than this has no direction; it becomes zeros, which resemble nothing."""

NOT_THE_ANIMAL: Final = "NOT_THE_ANIMAL"
FAIR: Final = "FAIR"
GOOD: Final = "GOOD"
EXCELLENT: Final = "EXCELLENT"

_GOOD_FROM: Final = 0.55
_EXCELLENT_FROM: Final = 0.85


def unit(codes: Codes) -> Codes:
    """Scale codes (..., dimensions) to the Euclidean length 1; a code of zeros stays that."""
    lengths = np.linalg.norm(codes, axis=-1, keepdims=True)
    return np.asarray(np.where(lengths > _SMALLEST, codes / np.maximum(lengths, _SMALLEST), 0.0))


def cosine(first: Codes, second: Codes) -> Codes:
    """Give the cosine similarity, -1 to 1, of unit codes (..., dimensions), which broadcast."""
    return np.asarray(np.clip((first * second).sum(axis=-1), -1.0, 1.0))


def euclidean(first: Codes, second: Codes) -> Codes:
    """Give the Euclidean distance, 0 to 2, of unit codes (..., dimensions), which broadcast."""
    return np.asarray(np.linalg.norm(first - second, axis=-1))


def template(references: Codes) -> Codes:
    """Give what stands for an animal: the mean (..., dimensions) of its unit codes (..., n, dimensions).

    It is of length 1, too.

    Document: "averaged embedding of all 3 reference photos (reference template)".
    """
    return unit(references.mean(axis=-2))


def mutual_similarity(references: Codes) -> float:
    """Give the mean cosine similarity of all pairs of unit codes (n, dimensions), n >= 2; clipped to 0..1.

    Document: `reference_mutual_similarity`.
    """
    first, second = np.triu_indices(len(references), k=1)
    return float(np.clip(cosine(references[first], references[second]).mean(), 0.0, 1.0))


def embedding_variance(raw: Codes) -> Codes:
    """Give the variance (n,) of the numbers of each photograph's raw codes (models, n, dimensions).

    Document: "Variance (spread) of the 384-dimensional ensemble embedding vector values". The codes are as
    the models gave them: three unit codes of 128 numbers can have no variance above 1/128.
    """
    return np.asarray(np.concatenate(raw, axis=-1).var(axis=-1))


def cross_model_similarity(codes: Codes) -> Codes:
    """Give each photograph's mean cosine similarity (n,), -1 to 1, among its unit codes (models, n, d).

    Document: "Mean pairwise cosine similarity between the 3 individual model embeddings". There are two
    models or more.
    """
    return np.asarray(np.mean([cosine(first, second) for first, second in combinations(codes, 2)], axis=0))


def confidence(distance: float, limit: float) -> float:
    """Give max(0, min(1, (limit - distance) / limit)), the document's formula; its own example breaks it.

    `limit` is PREDICT_EUCLIDEAN_MAX.
    """
    return max(0.0, min(1.0, (limit - distance) / limit))


def confidence_label(value: float) -> str:
    """Name a confidence: `NOT_THE_ANIMAL` at 0, `FAIR` below .55, `GOOD` below .85, then `EXCELLENT`."""
    if value <= 0:
        return NOT_THE_ANIMAL
    if value < _GOOD_FROM:
        return FAIR
    return GOOD if value < _EXCELLENT_FROM else EXCELLENT
