from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.support.taxa import LION, WOLF

from menagerie_inference.domains.species.geofence import Geofence, Place, Rule
from menagerie_inference.domains.species.labels import taxon

if TYPE_CHECKING:
    from pathlib import Path

KENYA, CALIFORNIA, TEXAS, SOMEWHERE_IN_USA = (
    Place("KEN"),
    Place("USA", "CA"),
    Place("USA", "TX"),
    Place("USA"),
)


@pytest.mark.parametrize(
    ("rule", "blocked"),
    [
        (Rule(), set()),
        (Rule(allow={"KEN": ()}), {CALIFORNIA, TEXAS, SOMEWHERE_IN_USA}),
        (Rule(allow={"USA": ("CA",)}), {KENYA, TEXAS}),
        (Rule(allow={"USA": ()}), {KENYA}),
        (Rule(block={"USA": ()}), {CALIFORNIA, TEXAS, SOMEWHERE_IN_USA}),
        (Rule(block={"USA": ("CA",)}), {CALIFORNIA}),
        (Rule(allow={"USA": ()}, block={"USA": ("TX",)}), {KENYA, TEXAS}),
    ],
)
def test_a_rule_blocks_places(rule: Rule, blocked: set[Place]) -> None:
    places = {KENYA, CALIFORNIA, TEXAS, SOMEWHERE_IN_USA}
    assert {place for place in places if rule.blocks(place)} == blocked


def test_a_taxon_without_a_rule_is_anywhere() -> None:
    geofence = Geofence({taxon(LION): Rule(allow={"KEN": ()})})
    assert geofence.blocks(LION, CALIFORNIA)
    assert not geofence.blocks(WOLF, CALIFORNIA)


def test_the_rules_of_speciesnet_are_read(tmp_path: Path) -> None:
    path = tmp_path / "geofence.json"
    rules = {
        "mammalia;carnivora;felidae;panthera;leo": {"allow": {"KEN": []}},
        "mammalia;carnivora;canidae;canis;lupus": {"block": {"USA": ["TX"]}},
    }
    path.write_text(json.dumps(rules))
    geofence = Geofence.read(path)
    assert [geofence.blocks(LION, place) for place in (KENYA, CALIFORNIA)] == [False, True]
    assert [geofence.blocks(WOLF, place) for place in (CALIFORNIA, TEXAS)] == [False, True]
