from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.support.taxa import CAT, LION, WOLF

from menagerie_inference.domains.species.labels import BLANK, VEHICLE
from menagerie_inference.domains.species.scores import Classifier, softmax
from menagerie_inference.domains.species.taxonomy import Output, Taxonomy

TAXONOMY = Taxonomy(
    [
        Output("blank"),
        Output("animal", LION),
        Output("vehicle"),
        Output("animal", CAT),
        Output("blank"),
        Output("animal", WOLF),
        Output("vehicle"),
    ],
    [],
)
CLASSIFIER = Classifier(TAXONOMY)
PROBABILITIES = np.array([0.1, 0.3, 0.02, 0.2, 0.15, 0.2, 0.03])

logits = arrays(np.float32, len(TAXONOMY.outputs), elements=st.floats(-30, 30, width=32))


def test_all_that_is_no_animal_is_added_up() -> None:
    scores = CLASSIFIER.scores(np.log(PROBABILITIES).astype(np.float32))
    assert scores.values == pytest.approx([0.3, 0.2, 0.2, 0.25, 0.05])
    assert (scores.animal, scores.blank, scores.vehicle) == pytest.approx((0.7, 0.25, 0.05))


def test_the_best_classes_come_first_and_ties_keep_their_order() -> None:
    top = CLASSIFIER.top_classes(CLASSIFIER.scores(np.log(PROBABILITIES).astype(np.float32)))
    assert [one.label_raw for one in top] == [LION, BLANK, CAT, WOLF, VEHICLE]
    assert [one.display_name for one in top] == ["lion", "blank", "domestic cat", "wolf", "vehicle"]


@given(logits)
def test_the_scores_sum_to_one(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    scores = CLASSIFIER.scores(values)
    assert scores.animal + scores.blank + scores.vehicle == pytest.approx(1)
    assert scores.values.min() >= 0


@given(logits)
def test_five_classes_at_most_fall_in_score(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    top = [one.score for one in CLASSIFIER.top_classes(CLASSIFIER.scores(values))]
    assert len(top) == 5
    assert top == sorted(top, reverse=True)


@given(logits, st.floats(-10, 10))
def test_softmax_sees_differences_alone(
    values: np.ndarray[tuple[int], np.dtype[np.float32]], shift: float
) -> None:
    exact = values.astype(np.float64)
    assert softmax(exact + shift) == pytest.approx(softmax(exact))


@given(logits)
def test_a_lower_temperature_is_surer_of_the_same(
    values: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> None:
    exact = values.astype(np.float64)
    assert softmax(exact / 0.5).max() >= softmax(exact).max() - 1e-12


def test_softmax_does_not_overflow() -> None:
    assert softmax(np.array([1e4, 0.0])) == pytest.approx([1, 0])
