from __future__ import annotations

import pytest
from tests.support.taxa import LION, MAMMALIA, ZEBRA

from menagerie_inference.domains.species.labels import (
    ANIMAL,
    BLANK,
    HUMAN,
    UNKNOWN,
    VEHICLE,
    Rank,
    Taxon,
    display_name,
    taxon,
)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (LION, "lion"),
        (MAMMALIA, "mammal"),
        ("u;mammalia;carnivora;felidae;;;", "felidae"),
        (BLANK, "blank"),
        (ANIMAL, "animal"),
        (HUMAN, "human"),
        (VEHICLE, "vehicle"),
        (UNKNOWN, "no cv result"),
    ],
)
def test_the_last_name_is_displayed(label: str, name: str) -> None:
    assert display_name(label) == name


def test_the_scientific_names_are_read() -> None:
    assert taxon(LION) == Taxon("mammalia", "carnivora", "felidae", "panthera", "leo")
    assert taxon(BLANK) == Taxon("", "", "", "", "")


@pytest.mark.parametrize("label", ["lion", "u;mammalia;lion", f"{LION};"])
def test_a_label_has_seven_segments(label: str) -> None:
    with pytest.raises(ValueError, match="seven segments"):
        taxon(label)


def test_a_taxon_is_cut_off_at_a_rank() -> None:
    assert taxon(LION).at(Rank.FAMILY) == Taxon("mammalia", "carnivora", "felidae", "", "")
    assert taxon(LION).at(Rank.KINGDOM) == Taxon("", "", "", "", "")
    assert taxon(ZEBRA).at(Rank.GENUS) == Taxon("mammalia", "perissodactyla", "equidae", "equus", "")


def test_a_taxon_has_no_rank_below_itself() -> None:
    assert taxon(MAMMALIA).at(Rank.ORDER) is None
    assert taxon(MAMMALIA).at(Rank.CLASS) == taxon(MAMMALIA)
