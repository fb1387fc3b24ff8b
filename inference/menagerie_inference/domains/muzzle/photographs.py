"""The results for single photographs: the domain check, and the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_inference.domains.muzzle import criteria
from menagerie_inference.domains.muzzle.codes import SLOTS, Codes
from menagerie_inference.domains.muzzle.result import INVALID_INPUT, VALID_MUZZLE, DomainCheck, EncodedImage
from menagerie_inference.domains.muzzle.similarity import cross_model_similarity, embedding_variance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.domains.muzzle.thresholds import Thresholds


def check_domain(
    outputs: Mapping[int, NDArray[np.float32]], thresholds: Thresholds
) -> tuple[DomainCheck, ...]:
    """Check whether each photograph shows a muzzle (/domain-check).

    Args:
        outputs: the raw codes (n, dimensions) of two models or more, by slot.

    Raises:
        ModelUnavailable, ModelFailed: as `Codes.of()`.
    """
    return check_codes(Codes.of(outputs), thresholds)


def check_codes(codes: Codes, thresholds: Thresholds) -> tuple[DomainCheck, ...]:
    """Check whether the codes of each photograph are those of a muzzle."""
    variances = embedding_variance(codes.raw).tolist()
    similarities = cross_model_similarity(codes.by_model).tolist()
    return tuple(_check(*measured, thresholds) for measured in zip(variances, similarities, strict=True))


def _check(variance: float, similarity: float, thresholds: Thresholds) -> DomainCheck:
    judged = (
        criteria.embedding_variance(variance, thresholds.variance_min),
        criteria.cross_model_consistency(similarity, thresholds.cross_model_max),
    )
    failed = ", ".join(one.metric for one in judged if not one.passed)
    if failed:
        verdict = INVALID_INPUT
        explanation = f"The image does not appear to be a valid muzzle photo. Failed criteria: {failed}."
    else:
        verdict = VALID_MUZZLE
        explanation = "The image appears to be a valid muzzle photo. All quality criteria passed."
    return DomainCheck(verdict, explanation, judged, variance, similarity)


def encode(
    outputs: Mapping[int, NDArray[np.float32]],
    thresholds: Thresholds,
    filenames: Sequence[str] | None = None,
) -> tuple[EncodedImage, ...]:
    """Return the codes of each photograph, whether or not it shows a muzzle (/encode).

    Args:
        outputs: the raw codes (n, dimensions) of all three models, by slot.
        filenames: of the photographs; "photo_0" and so on by default.

    Raises:
        ModelUnavailable, ModelFailed: as `Codes.of()`.
    """
    codes = Codes.of(outputs, least=len(SLOTS))
    names = filenames or [f"photo_{index}" for index in range(len(codes))]
    return tuple(
        EncodedImage(
            index,
            name,
            check,
            dict(zip(codes.slots, codes.by_model[:, index], strict=True)),
            codes.concatenated[index],
        )
        for index, (name, check) in enumerate(zip(names, check_codes(codes, thresholds), strict=True))
    )
