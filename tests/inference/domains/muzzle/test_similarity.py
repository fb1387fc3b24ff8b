from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.support.muzzle_codes import codes

from menagerie_inference.domains.muzzle import similarity

Code = NDArray[np.float64]


@given(codes(5, 8))
def test_a_unit_code_has_length_one_or_is_zeros(raw: Code) -> None:
    lengths = np.linalg.norm(similarity.unit(raw), axis=-1)
    assert np.all(np.isclose(lengths, 1) | (lengths == 0))


@given(codes(8), st.floats(0.01, 100))
def test_the_length_of_a_code_says_nothing_about_the_animal(raw: Code, scale: float) -> None:
    assert similarity.unit(raw * scale) == pytest.approx(similarity.unit(raw), abs=1e-9)


@given(codes(8), codes(8))
def test_cosine_and_distance_are_symmetric_and_in_range(first: Code, second: Code) -> None:
    first, second = similarity.unit(first), similarity.unit(second)
    assert -1 <= similarity.cosine(first, second) <= 1
    assert similarity.cosine(first, second) == similarity.cosine(second, first)
    assert 0 <= similarity.euclidean(first, second) <= 2 + 1e-9
    assert similarity.euclidean(first, second) == similarity.euclidean(second, first)


@given(
    codes(8).filter(lambda code: np.abs(code).max() > 0.01),
    codes(8).filter(lambda code: np.abs(code).max() > 0.01),
)
def test_the_distance_of_unit_codes_follows_from_their_cosine(first: Code, second: Code) -> None:
    first, second = similarity.unit(first), similarity.unit(second)
    expected = np.sqrt(max(0.0, 2 - 2 * float(similarity.cosine(first, second))))
    assert similarity.euclidean(first, second) == pytest.approx(expected, abs=1e-6)


@given(codes(3, 8))
def test_the_order_of_the_references_does_not_matter(raw: Code) -> None:
    references = similarity.unit(raw)
    whole = similarity.template(references), similarity.mutual_similarity(references)
    for order in itertools.permutations(range(3)):
        turned = references[list(order)]
        mean = np.abs(references.mean(axis=0)).max()
        if mean > 1e-6:  # below, rounding decides where the mean points
            assert similarity.template(turned) == pytest.approx(whole[0], abs=1e-6)
        assert similarity.mutual_similarity(turned) == pytest.approx(whole[1], abs=1e-9)
    assert 0 <= whole[1] <= 1


def test_a_template_is_the_mean_of_the_codes_at_length_one() -> None:
    references = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert similarity.template(references) == pytest.approx(np.array([2, 1]) / np.sqrt(5))


def test_mutual_similarity_is_the_mean_of_the_three_pairs() -> None:
    references = similarity.unit(np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    assert similarity.mutual_similarity(references) == pytest.approx((2 * np.sqrt(0.5) + 0) / 3)


def test_references_that_oppose_each_other_have_no_mutual_similarity() -> None:
    assert similarity.mutual_similarity(np.array([[1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])) == 0


def test_the_variance_is_that_of_the_raw_numbers_of_all_models() -> None:
    raw = np.array([[[0.0, 2.0]], [[4.0, 6.0]], [[8.0, 10.0]]])  # of one photograph
    assert similarity.embedding_variance(raw) == pytest.approx([np.var([0, 2, 4, 6, 8, 10])])


@given(codes(3, 4, 128))
def test_three_unit_codes_of_128_numbers_cannot_vary_more_than_a_128th(raw: Code) -> None:
    assert np.all(similarity.embedding_variance(similarity.unit(raw)) <= 1 / 128 + 1e-12)


@given(codes(3, 4, 6), st.floats(0.1, 10))
def test_raw_codes_vary_with_the_square_of_their_size(raw: Code, scale: float) -> None:
    variance = similarity.embedding_variance(raw)
    assert similarity.embedding_variance(raw * scale) == pytest.approx(variance * scale**2, abs=1e-9)


@given(codes(3, 4, 6))
def test_cross_model_similarity_is_the_same_in_any_order_and_in_range(raw: Code) -> None:
    units = similarity.unit(raw)
    found = similarity.cross_model_similarity(units)
    assert found.shape == (4,)
    assert np.all((found >= -1) & (found <= 1))
    assert similarity.cross_model_similarity(units[::-1]) == pytest.approx(found, abs=1e-12)


def test_models_that_collapsed_to_one_code_resemble_each_other_wholly() -> None:
    code = similarity.unit(np.arange(1.0, 9.0).reshape(1, 8))
    assert similarity.cross_model_similarity(np.stack([code] * 3)) == pytest.approx([1.0])
    assert similarity.cross_model_similarity(np.stack([code, -code])) == pytest.approx([-1.0])


def test_many_photographs_at_once_are_the_same_as_one_by_one() -> None:
    raw = np.random.default_rng(0).normal(size=(3, 12, 128))
    units = similarity.unit(raw)
    for photograph in range(12):
        alone = raw[:, photograph : photograph + 1]
        assert similarity.embedding_variance(alone) == similarity.embedding_variance(raw)[photograph]
        assert similarity.cross_model_similarity(similarity.unit(alone)) == pytest.approx(
            [similarity.cross_model_similarity(units)[photograph]]
        )


@given(st.floats(0, 2), st.floats(0.01, 2))
def test_confidence_falls_from_one_to_zero_at_the_limit(distance: float, limit: float) -> None:
    found = similarity.confidence(distance, limit)
    assert 0 <= found <= 1
    assert (found == 0) == (distance >= limit)
    assert found >= similarity.confidence(distance + 0.01, limit)


@pytest.mark.parametrize(
    ("distance", "confidence"), [(0.0, 1.0), (0.46, 0.39 / 0.85), (0.85, 0.0), (1.25, 0.0)]
)
def test_confidence_is_the_documented_formula(distance: float, confidence: float) -> None:
    assert similarity.confidence(distance, 0.85) == pytest.approx(confidence)


@pytest.mark.parametrize(
    ("confidence", "label"),
    [
        (0.0, "NOT_THE_ANIMAL"),
        (5e-324, "FAIR"),
        (0.5499999, "FAIR"),
        (0.55, "GOOD"),
        (0.8499999, "GOOD"),
        (0.85, "EXCELLENT"),
        (1.0, "EXCELLENT"),
    ],
)
def test_labels_at_their_boundaries(confidence: float, label: str) -> None:
    assert similarity.confidence_label(confidence) == label
