from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from menagerie_training.species.taxonomy import kind_of, write_taxonomy
from menagerie_training.species.wordnet import classify, read_nouns

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_training.species.wordnet import WordNet

# A small world in WordNet's format: offset, file, type, number of names, names, number of pointers, pointers.
NOUNS = """\
  1 This line stands for the licence.
00015388 03 n 02 animal 0 beast 0 000 | a living organism
04524313 06 n 01 vehicle 0 000 | a conveyance
00000001 05 n 01 mammal 0 002 @ 00015388 n 0000 #m 00000101 n 0000 | warm-blooded
00000002 05 n 02 feline 0 felid 0 002 @ 00000001 n 0000 #m 00000103 n 0000 | a cat
00000003 05 n 02 lion 0 Panthera_leo 0 002 @ 00000002 n 0000 #m 00000104 n 0000 | a big cat
00000004 05 n 03 Nile_cat 0 Felis_catus 0 house_cat 0 001 @ 00000002 n 0000 | a small cat
00000005 05 n 01 Siamese_cat 0 001 @ 00000004 n 0000 | a breed
00000006 05 n 01 jellyfish 0 001 @ 00015388 n 0000 | a soft animal
00000007 06 n 01 jeep 0 001 @ 04524313 n 0000 | a car
00000008 06 n 01 teapot 0 000 | a pot
00000101 05 n 02 Mammalia 0 class_Mammalia 0 000 | a class
00000102 05 n 02 Carnivora 0 order_Carnivora 0 001 #m 00000101 n 0000 | an order
00000103 05 n 02 Felidae 0 family_Felidae 0 001 #m 00000102 n 0000 | a family
00000104 05 n 02 Panthera 0 genus_Panthera 0 001 #m 00000103 n 0000 | a genus
00000105 05 n 03 Felis 0 genus_Felis 0 genus_Catus 0 001 #m 00000103 n 0000 | a genus
"""


@pytest.fixture
def wordnet(tmp_path: Path) -> WordNet:
    (tmp_path / "data.noun").write_text(NOUNS)
    return read_nouns(tmp_path / "data.noun")


def test_nouns_are_read(wordnet: WordNet) -> None:
    lion = wordnet["n00000003"]
    assert lion.names == ("lion", "Panthera leo")
    assert (lion.hypernyms, lion.holonyms) == (("n00000002",), ("n00000104",))
    assert wordnet.named("genus Felis") == wordnet["n00000105"]
    assert wordnet.named("unicorn") is None


def test_what_is_above_comes_nearest_first(wordnet: WordNet) -> None:
    above = [synset.names[0] for synset in wordnet.hypernyms("n00000003")]
    assert above == ["lion", "feline", "mammal", "animal"]


@pytest.mark.parametrize(
    ("synset_id", "names", "species"),
    [
        ("n00000003", ("mammalia", "carnivora", "felidae", "panthera"), "leo"),
        ("n00000004", ("mammalia", "carnivora", "felidae", "felis"), "catus"),
        ("n00000005", ("mammalia", "carnivora", "felidae", "felis"), "catus"),
        ("n00000002", ("mammalia", "carnivora", "felidae", ""), ""),
        ("n00000006", ("", "", "", ""), ""),
    ],
)
def test_animals_are_classified(
    wordnet: WordNet, synset_id: str, names: tuple[str, ...], species: str
) -> None:
    classification = classify(wordnet, wordnet[synset_id])
    assert (classification.names, classification.species) == (names, species)


@pytest.mark.parametrize(
    ("synset_id", "kind"), [("n00000005", "animal"), ("n00000007", "vehicle"), ("n00000008", "blank")]
)
def test_everything_has_a_kind(wordnet: WordNet, synset_id: str, kind: str) -> None:
    assert kind_of(wordnet, wordnet[synset_id]) == kind


def test_a_table_has_the_classes_and_then_the_taxa(wordnet: WordNet, tmp_path: Path) -> None:
    classes = [wordnet[f"n0000000{number}"] for number in (3, 5, 7, 8)]
    write_taxonomy(tmp_path / "taxonomy.csv", wordnet, classes)
    rows = [line.split(",") for line in (tmp_path / "taxonomy.csv").read_text().splitlines()[1:]]
    assert [(row[0], row[2], row[3].partition(";")[2]) for row in rows] == [
        ("0", "animal", "mammalia;carnivora;felidae;panthera;leo;lion"),
        ("1", "animal", "mammalia;carnivora;felidae;felis;catus;siamese cat"),
        ("2", "vehicle", ""),
        ("3", "blank", ""),
        ("", "taxon", "mammalia;;;;;mammal"),
        ("", "taxon", "mammalia;carnivora;;;;carnivora order"),
        ("", "taxon", "mammalia;carnivora;felidae;;;feline"),
        ("", "taxon", "mammalia;carnivora;felidae;felis;;felis species"),
        ("", "taxon", "mammalia;carnivora;felidae;panthera;;panthera species"),
    ]
    assert rows[1][4] == "Nile cat|Felis catus|house cat|feline|felid|mammal"
