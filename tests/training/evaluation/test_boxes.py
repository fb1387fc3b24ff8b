from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.domains.species import Box
from menagerie_training.evaluation.boxes import BoxOutcome, at_least, mean, overlap
from menagerie_training.evaluation.metrics import Share

sizes = st.floats(0.01, 0.5)
boxes = st.builds(Box, st.floats(0, 0.5), st.floats(0, 0.5), sizes, sizes)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (Box(0.0, 0.0, 0.4, 0.4), 1.0),
        (Box(0.2, 0.0, 0.4, 0.4), 1 / 3),
        (Box(0.2, 0.2, 0.4, 0.4), 1 / 7),
        (Box(0.1, 0.1, 0.2, 0.2), 1 / 4),
        (Box(0.4, 0.0, 0.4, 0.4), 0.0),
        (Box(0.6, 0.6, 0.4, 0.4), 0.0),
    ],
)
def test_the_overlap_is_what_is_shared_of_what_is_covered(second: Box, expected: float) -> None:
    assert overlap(Box(0.0, 0.0, 0.4, 0.4), second) == pytest.approx(expected)


@given(boxes, boxes)
def test_the_overlap_is_a_share_and_has_no_order(first: Box, second: Box) -> None:
    assert 0 <= overlap(first, second) <= 1 + 1e-9
    assert overlap(first, second) == pytest.approx(overlap(second, first))
    assert overlap(first, first) == pytest.approx(1)


def test_a_missed_animal_has_no_overlap_but_the_baseline() -> None:
    outcome = BoxOutcome(Path("duck.jpg"), Path("pond.jpg"), Box(0.0, 0.0, 0.5, 0.5), found=None)
    assert (outcome.overlap, outcome.baseline) == (0.0, 0.25)


def test_figures_are_over_all_overlaps() -> None:
    assert mean([0.2, 0.5, 0.8]) == pytest.approx(0.5)
    assert at_least([0.2, 0.5, 0.8], 0.5) == Share(2, 3)
