"""Similarity measures of codes: pure, vectorised functions.

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
"""A shorter code has no direction; it becomes zero, which is similar to nothing."""

NOT_THE_ANIMAL: Final = "NOT_THE_ANIMAL"
FAIR: Final = "FAIR"
GOOD: Final = "GOOD"
EXCELLENT: Final = "EXCELLENT"

_GOOD_FROM: Final = 0.55
_EXCELLENT_FROM: Final = 0.85


def unit(codes: Codes) -> Codes:
    """Scale codes (..., dimensions) to the Euclidean length 1; a zero code stays zero."""
    lengths = np.linalg.norm(codes, axis=-1, keepdims=True)
    return np.asarray(np.where(lengths > _SMALLEST, codes / np.maximum(lengths, _SMALLEST), 0.0))


def cosine(first: Codes, second: Codes) -> Codes:
    """Return the cosine similarity of unit codes.

    Args:
        first, second: (..., dimensions); they broadcast.

    Returns:
        -1 to 1, (...).
    """
    return np.asarray(np.clip((first * second).sum(axis=-1), -1.0, 1.0))


def euclidean(first: Codes, second: Codes) -> Codes:
    """Return the Euclidean distance of unit codes.

    Args:
        first, second: (..., dimensions); they broadcast.

    Returns:
        0 to 2, (...).
    """
    return np.asarray(np.linalg.norm(first - second, axis=-1))


def template(references: Codes) -> Codes:
    """Return the template of an animal: the mean of its unit codes, scaled to length 1.

    Document: "averaged embedding of all 3 reference photos (reference template)".

    Args:
        references: unit codes (..., n, dimensions).

    Returns:
        A unit code (..., dimensions).
    """
    return unit(references.mean(axis=-2))


def mutual_similarity(references: Codes) -> float:
    """Return the mean cosine similarity of all pairs of references.

    Document: `reference_mutual_similarity`.

    Args:
        references: two or more unit codes (n, dimensions).

    Returns:
        Clipped to 0 to 1.
    """
    first, second = np.triu_indices(len(references), k=1)
    return float(np.clip(cosine(references[first], references[second]).mean(), 0.0, 1.0))


def embedding_variance(raw: Codes) -> Codes:
    """Return the variance of the numbers of each photograph's codes.

    Document: "Variance (spread) of the 384-dimensional ensemble embedding vector values". It is that of the
    raw codes, as three unit codes of 128 numbers cannot have a variance above 1/128.

    Args:
        raw: the outputs of the models, (models, n, dimensions).

    Returns:
        0 or more, (n,).
    """
    return np.asarray(np.concatenate(raw, axis=-1).var(axis=-1))


def cross_model_similarity(codes: Codes) -> Codes:
    """Return the mean cosine similarity of all pairs of models' codes of each photograph.

    Document: "Mean pairwise cosine similarity between the 3 individual model embeddings".

    Args:
        codes: unit codes (models, n, dimensions) of two models or more.

    Returns:
        -1 to 1, (n,).
    """
    return np.asarray(np.mean([cosine(first, second) for first, second in combinations(codes, 2)], axis=0))


def confidence(distance: float, limit: float) -> float:
    """Return max(0, min(1, (limit - distance) / limit)).

    Document: the formula of `confidence`, which its own example contradicts.

    Args:
        distance: Euclidean, of the probe and the template.
        limit: PREDICT_EUCLIDEAN_MAX.
    """
    return max(0.0, min(1.0, (limit - distance) / limit))


def confidence_label(value: float) -> str:
    """Return the label of a confidence.

    Returns:
        `NOT_THE_ANIMAL` at 0, `FAIR` below .55, `GOOD` below .85, else `EXCELLENT`.
    """
    if value <= 0:
        return NOT_THE_ANIMAL
    if value < _GOOD_FROM:
        return FAIR
    return GOOD if value < _EXCELLENT_FROM else EXCELLENT
