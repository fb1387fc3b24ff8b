from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from tests.support.muzzle_codes import DIMENSIONS, Outputs, outputs, spread

from menagerie_inference.domains.muzzle import SLOTS, Thresholds, check_domain, encode
from menagerie_inference.errors import ModelFailed, ModelUnavailable

THRESHOLDS = Thresholds()


def collapsed(photographs: int = 1, size: float = 0.2) -> Outputs:
    """Give the same code by all models, of the variance that the size gives it."""
    codes = np.random.default_rng(3).normal(0, size, (photographs, DIMENSIONS)).astype(np.float32)
    return dict.fromkeys(SLOTS, codes)


def test_a_photograph_that_passes_is_called_a_muzzle() -> None:
    [check] = check_domain(spread(seed=0, photographs=1), THRESHOLDS)
    assert check.verdict == "VALID_MUZZLE"
    assert check.explanation == "The image appears to be a valid muzzle photo. All quality criteria passed."
    assert [one.metric for one in check.criteria] == ["embedding_variance", "cross_model_consistency"]
    assert [one.value for one in check.criteria] == [check.embedding_variance, check.cross_model_consistency]
    assert [one.threshold for one in check.criteria] == [0.005, 0.20]
    assert check.embedding_variance == pytest.approx(0.04, rel=0.2)
    assert abs(check.cross_model_consistency) < 0.2


@pytest.mark.parametrize(
    ("codes", "failed"),
    [
        ({slot: codes * 0.1 for slot, codes in spread(0, 1).items()}, "embedding_variance"),
        (collapsed(), "cross_model_consistency"),
        (collapsed(size=0.01), "embedding_variance, cross_model_consistency"),
    ],
)
def test_the_explanation_names_the_criteria_that_failed(codes: Outputs, failed: str) -> None:
    [check] = check_domain(codes, THRESHOLDS)
    assert check.verdict == "INVALID_INPUT"
    assert (
        check.explanation
        == f"The image does not appear to be a valid muzzle photo. Failed criteria: {failed}."
    )
    assert check.failed_metrics == failed


@given(outputs(5))
def test_each_photograph_is_checked_as_if_it_were_alone(codes: Outputs) -> None:
    together = check_domain(codes, THRESHOLDS)
    assert len(together) == 5
    for place, check in enumerate(together):
        [alone] = check_domain({slot: one[place : place + 1] for slot, one in codes.items()}, THRESHOLDS)
        assert alone.verdict == check.verdict
        assert alone.embedding_variance == pytest.approx(check.embedding_variance)
        assert alone.cross_model_consistency == pytest.approx(check.cross_model_consistency)
        assert -1 <= check.cross_model_consistency <= 1
        assert check.embedding_variance >= 0


def test_two_models_are_enough_to_check_and_one_is_not() -> None:
    codes = spread(seed=0, photographs=2)
    two = {60: codes[60], 64: codes[64]}
    assert [check.verdict for check in check_domain(two, THRESHOLDS)] == ["VALID_MUZZLE"] * 2
    with pytest.raises(ModelUnavailable, match=r"^Models not loaded$"):
        check_domain({60: codes[60]}, THRESHOLDS)
    with pytest.raises(ModelUnavailable, match=r"^Models not loaded$"):
        check_domain({}, THRESHOLDS)


def test_codes_that_are_no_numbers_are_the_models_failure() -> None:
    codes = spread(seed=0, photographs=2)
    codes[62][1, 5] = np.nan
    with pytest.raises(ModelFailed, match="a code that is no number"):
        check_domain(codes, THRESHOLDS)


@pytest.mark.parametrize("shape", [(2, 128), (1, 64), (128,)])
def test_codes_that_do_not_go_together_are_the_models_failure(shape: tuple[int, ...]) -> None:
    codes = spread(seed=0, photographs=1)
    with pytest.raises(ModelFailed, match="do not go together"):
        check_domain(codes | {64: np.ones(shape, np.float32)}, THRESHOLDS)


def test_the_codes_returned_have_length_one_and_are_concatenated() -> None:
    images = encode(spread(seed=4, photographs=12), THRESHOLDS)
    assert [(one.index, one.filename) for one in images] == [(n, f"photo_{n}") for n in range(12)]
    for image in images:
        assert list(image.model_codes) == [60, 62, 64]
        for code in image.model_codes.values():
            assert code.shape == (DIMENSIONS,)
            assert np.linalg.norm(code) == pytest.approx(1)
        assert image.ensemble_code.shape == (3 * DIMENSIONS,)
        assert np.array_equal(image.ensemble_code, np.concatenate(list(image.model_codes.values())))
        assert image.domain.verdict == "VALID_MUZZLE"


def test_uploads_keep_their_names_and_what_is_no_muzzle_gets_codes_too() -> None:
    images = encode(collapsed(photographs=2), THRESHOLDS, ["left.jpg", "right.jpg"])
    assert [one.filename for one in images] == ["left.jpg", "right.jpg"]
    assert [one.domain.verdict for one in images] == ["INVALID_INPUT"] * 2
    assert all(np.linalg.norm(one.ensemble_code) == pytest.approx(np.sqrt(3)) for one in images)


def test_the_codes_of_a_photograph_take_all_three_models() -> None:
    codes = spread(seed=0, photographs=1)
    del codes[62]
    with pytest.raises(ModelUnavailable, match=r"^Models not loaded$"):
        encode(codes, THRESHOLDS)


def test_a_name_for_each_photograph() -> None:
    with pytest.raises(ValueError, match="argument"):
        encode(spread(seed=0, photographs=2), THRESHOLDS, ["only.jpg"])
