"""Suppression against its definition: the best box stays, and takes away all that overlap it too much."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.domains.people.interpreter import MAX_OVERLAP, suppress

FRACTIONS = st.floats(0, 1, width=32)
BOXES = st.tuples(FRACTIONS, FRACTIONS, FRACTIONS, FRACTIONS).map(
    lambda box: (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared) if areas > shared else 0


@given(st.lists(st.tuples(FRACTIONS, BOXES), max_size=20))
def test_it_keeps_the_best_of_those_that_overlap(scored: list[tuple[float, tuple[float, ...]]]) -> None:
    scores = np.array([score for score, _ in scored], dtype=np.float32)
    boxes = np.array([box for _, box in scored], dtype=np.float32).reshape(-1, 4)
    kept = suppress(scores, boxes)

    expected: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if all(overlap(boxes[index], boxes[better]) <= MAX_OVERLAP for better in expected):
            expected.append(int(index))
    assert kept == expected
