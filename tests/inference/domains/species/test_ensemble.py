from __future__ import annotations

from math import nextafter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.taxa import (
    ANIMALS,
    AVES,
    CARNIVORA,
    CAT,
    EAGLE,
    FELIDAE,
    JELLYFISH,
    LION,
    MAMMALIA,
    PANTHERA,
    TAXA,
    TAXONOMY,
    TIGER,
    WOLF,
    ZEBRA,
    evidence,
)

from menagerie_inference.domains.species.decision import Decision
from menagerie_inference.domains.species.ensemble import decide
from menagerie_inference.domains.species.labels import ANIMAL, BLANK, HUMAN, UNKNOWN, VEHICLE, Rank

if TYPE_CHECKING:
    from random import Random

CONSTANTS = (BLANK, HUMAN, VEHICLE)
Detected = tuple[str, float] | None


def above(threshold: float) -> float:
    return nextafter(threshold, 1)


@pytest.mark.parametrize(
    ("classes", "detection", "decision"),
    [
        # A threshold is passed above it, and not at it.
        ({LION: 0.9}, ("human", above(0.7)), Decision(HUMAN, above(0.7), "detector")),
        ({LION: 0.9}, ("human", 0.7), Decision(LION, 0.9, "classifier")),
        ({HUMAN: above(0.5)}, ("human", above(0.2)), Decision(HUMAN, above(0.5), "classifier")),
        ({VEHICLE: 0.6}, ("human", 0.3), Decision(HUMAN, 0.6, "classifier")),
        ({HUMAN: above(0.5)}, ("human", 0.2), Decision(UNKNOWN, above(0.5), "classifier")),
        ({HUMAN: 0.5}, ("human", 0.3), Decision(UNKNOWN, 0.5, "classifier")),
        ({HUMAN: above(0.5)}, ("vehicle", above(0.2)), Decision(HUMAN, above(0.5), "classifier")),
        ({HUMAN: 0.6}, ("vehicle", 0.9), Decision(HUMAN, 0.6, "classifier")),
        ({HUMAN: 0.5}, ("vehicle", 0.3), Decision(UNKNOWN, 0.5, "classifier")),
        ({LION: 0.9}, ("vehicle", above(0.7)), Decision(VEHICLE, above(0.7), "detector")),
        ({LION: 0.9}, ("vehicle", 0.7), Decision(LION, 0.9, "classifier")),
        ({VEHICLE: above(0.4)}, ("vehicle", above(0.2)), Decision(VEHICLE, above(0.4), "classifier")),
        ({VEHICLE: 0.4}, ("vehicle", 0.3), Decision(UNKNOWN, 0.4, "classifier")),
        ({VEHICLE: 0.9}, ("vehicle", 0.2), Decision(UNKNOWN, 0.9, "classifier")),
        ({VEHICLE: 0.9}, None, Decision(UNKNOWN, 0.9, "classifier")),
        ({BLANK: above(0.5)}, ("animal", nextafter(0.2, 0)), Decision(BLANK, above(0.5), "classifier")),
        ({BLANK: above(0.5)}, None, Decision(BLANK, above(0.5), "classifier")),
        ({BLANK: 0.5}, None, Decision(UNKNOWN, 0.5, "classifier")),
        ({BLANK: 0.9}, ("animal", 0.2), Decision(UNKNOWN, 0.9, "classifier")),
        ({BLANK: above(0.99)}, ("animal", 0.6), Decision(BLANK, above(0.99), "classifier")),
        ({BLANK: 0.99}, ("animal", 0.6), Decision(ANIMAL, 0.6, "detector")),
        ({LION: above(0.8)}, None, Decision(LION, above(0.8), "classifier")),
        ({LION: 0.8}, None, Decision(PANTHERA, 0.8, "classifier+rollup_to_genus")),
        ({LION: above(0.65)}, ("animal", above(0.2)), Decision(LION, above(0.65), "classifier")),
        ({EAGLE: 0.65}, ("animal", 0.9), Decision(ANIMAL, 0.9, "detector")),
        ({EAGLE: 0.7}, ("animal", 0.2), Decision(AVES, 0.7, "classifier+rollup_to_class")),
        ({LION: 0.4, TIGER: 0.3}, None, Decision(PANTHERA, 0.7, "classifier+rollup_to_genus")),
        ({LION: 0.4, CAT: 0.3}, None, Decision(FELIDAE, 0.7, "classifier+rollup_to_family")),
        ({LION: 0.4, WOLF: 0.3}, None, Decision(CARNIVORA, 0.7, "classifier+rollup_to_order")),
        ({LION: 0.4, ZEBRA: 0.3}, None, Decision(MAMMALIA, 0.7, "classifier+rollup_to_class")),
        ({LION: 0.4, EAGLE: 0.3}, None, Decision(ANIMAL, 0.7, "classifier+rollup_to_kingdom")),
        ({LION: 0.35, TIGER: 0.3}, None, Decision(UNKNOWN, 0.35, "classifier")),
        ({LION: 0.4, BLANK: 0.3}, None, Decision(UNKNOWN, 0.4, "classifier")),
        ({JELLYFISH: 0.7}, None, Decision(ANIMAL, 0.7, "classifier+rollup_to_kingdom")),
        ({LION: 0.5, WOLF: 0.1}, ("animal", above(0.5)), Decision(ANIMAL, above(0.5), "detector")),
        ({LION: 0.5, WOLF: 0.1}, ("animal", 0.5), Decision(UNKNOWN, 0.5, "classifier")),
        ({LION: 0.5, WOLF: 0.1}, ("vehicle", 0.6), Decision(UNKNOWN, 0.5, "classifier")),
        ({LION: 0.5, WOLF: 0.1}, None, Decision(UNKNOWN, 0.5, "classifier")),
    ],
)
def test_the_rules_in_their_order(classes: dict[str, float], detection: Detected, decision: Decision) -> None:
    found = decide(evidence(classes, detection))
    assert (found.label, found.source) == (decision.label, decision.source)
    assert found.score == pytest.approx(decision.score)


@st.composite
def scored(draw: st.DrawFn) -> dict[str, float]:
    """Up to five classes with scores that sum to at most 1, best first."""
    labels = draw(st.lists(st.sampled_from((*ANIMALS, *CONSTANTS)), min_size=1, max_size=5, unique=True))
    weights = draw(st.lists(st.floats(0.001, 1), min_size=len(labels), max_size=len(labels)))
    total = sum(weights) + draw(st.floats(0, 1))
    return dict(zip(labels, sorted((weight / total for weight in weights), reverse=True), strict=True))


detections = st.none() | st.tuples(st.sampled_from(("animal", "human", "vehicle")), st.floats(0, 1))


@given(scored(), detections)
def test_the_answer_is_a_class_or_above_one_or_a_constant(
    classes: dict[str, float], detection: Detected
) -> None:
    decision = decide(evidence(classes, detection))
    ancestors = {TAXONOMY.ancestor(label, rank) for label in classes for rank in Rank}
    assert decision.label in {*classes, *ancestors, *CONSTANTS, ANIMAL, UNKNOWN}
    assert 0 <= decision.score <= 1 + 1e-9


@given(scored(), detections, st.randoms(use_true_random=False))
def test_the_order_of_the_lesser_classes_does_not_matter(
    classes: dict[str, float], detection: Detected, random: Random
) -> None:
    best, *lesser = classes.items()
    random.shuffle(lesser)
    one, other = decide(evidence(classes, detection)), decide(evidence(dict([best, *lesser]), detection))
    assert one.source == other.source
    assert one.score == pytest.approx(other.score)


@given(scored(), detections, st.floats(0, 1))
def test_more_certainty_of_the_class_never_loses_it(
    classes: dict[str, float], detection: Detected, share: float
) -> None:
    best = next(iter(classes))
    if decide(evidence(classes, detection)).label != best:
        return
    surer = {label: score * (1 - share) for label, score in classes.items()}
    surer[best] = classes[best] + (1 - classes[best]) * share
    assert decide(evidence(surer, detection)).label == best


@given(scored(), detections, st.sets(st.sampled_from((*ANIMALS, *TAXA))))
def test_what_the_geofence_blocks_is_never_the_answer(
    classes: dict[str, float], detection: Detected, blocked: set[str]
) -> None:
    decision = decide(evidence(classes, detection, blocked.__contains__))
    assert decision.label not in blocked
