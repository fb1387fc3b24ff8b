from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.taxa import (
    ANIMALS,
    CARNIVORA,
    CAT,
    FELIDAE,
    LION,
    MAMMALIA,
    PANTHERA,
    TIGER,
    WOLF,
    evidence,
)

from menagerie_inference.domains.species.decision import Decision
from menagerie_inference.domains.species.labels import ANIMAL, UNKNOWN, VEHICLE, Rank
from menagerie_inference.domains.species.rollup import apply_geofence, roll_up


def test_the_surest_taxon_of_a_rank_wins() -> None:
    seen = evidence({WOLF: 0.4, LION: 0.3, CAT: 0.3})
    rolled = roll_up(seen, [Rank.FAMILY], 0.5)
    assert rolled is not None
    assert (rolled.label, rolled.source) == (FELIDAE, "classifier+rollup_to_family")
    assert rolled.score == pytest.approx(0.6)


def test_the_ranks_are_tried_in_order() -> None:
    seen = evidence({LION: 0.5, TIGER: 0.3})
    upwards, downwards = roll_up(seen), roll_up(seen, reversed(Rank))
    assert upwards is not None
    assert downwards is not None
    assert (upwards.label, downwards.label) == (PANTHERA, ANIMAL)


def test_a_blocked_taxon_gives_way_to_the_next_rank() -> None:
    seen = evidence({LION: 0.5, TIGER: 0.3}, blocked={PANTHERA, FELIDAE}.__contains__)
    rolled = roll_up(seen)
    assert rolled is not None
    assert (rolled.label, rolled.source) == (CARNIVORA, "classifier+rollup_to_order")


def test_nothing_is_sure_enough() -> None:
    assert roll_up(evidence({LION: 0.3, VEHICLE: 0.7})) is None


@given(st.lists(st.sampled_from(ANIMALS), min_size=1, unique=True), st.data())
def test_higher_ranks_are_never_less_sure(labels: list[str], data: st.DataObject) -> None:
    scores = [data.draw(st.floats(0.001, 1 / len(labels))) for _ in labels]
    seen = evidence(dict(zip(labels, scores, strict=True)))
    sure = [rolled.score for rank in Rank if (rolled := roll_up(seen, [rank], 0.0))]
    assert all(low <= high + 1e-9 for low, high in pairwise(sure))


def test_an_allowed_class_stays() -> None:
    assert apply_geofence(evidence({LION: 0.9})) == Decision(LION, 0.9, "classifier")


@pytest.mark.parametrize(
    ("blocked", "label", "rank"),
    [
        ({LION}, FELIDAE, "family"),
        ({LION, FELIDAE}, CARNIVORA, "order"),
        ({LION, FELIDAE, CARNIVORA}, MAMMALIA, "class"),
        ({LION, FELIDAE, CARNIVORA, MAMMALIA}, ANIMAL, "kingdom"),
    ],
)
def test_a_blocked_class_is_rolled_up_past_the_genus(blocked: set[str], label: str, rank: str) -> None:
    seen = evidence({LION: 0.9}, blocked=blocked.__contains__)
    assert apply_geofence(seen) == Decision(label, 0.9, f"classifier+geofence+rollup_to_{rank}")


def test_a_blocked_class_brings_the_scores_of_its_relatives() -> None:
    rolled = apply_geofence(evidence({LION: 0.82, CAT: 0.1, WOLF: 0.05}, blocked={LION}.__contains__))
    assert (rolled.label, rolled.source) == (FELIDAE, "classifier+geofence+rollup_to_family")
    assert rolled.score == pytest.approx(0.92)


def test_what_has_no_taxon_cannot_be_rolled_up() -> None:
    seen = evidence({VEHICLE: 0.9}, blocked={VEHICLE}.__contains__)
    assert apply_geofence(seen) == Decision(UNKNOWN, 0.9, "classifier+geofence+rollup_failed")
