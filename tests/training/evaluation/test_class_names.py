from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.class_names import ClassNames, read_class_names

GOLDFISH = ClassNames(("goldfish", "Carassius auratus"), ("cyprinid", "bony fish", "fish"))
SEA_LION = ClassNames(("sea lion",), ("eared seal", "seal", "carnivore"))
SHARK = ClassNames(("great white shark", "man-eater"), ("shark", "fish"))

names = st.lists(st.sampled_from(["sea", "lion", "Otter", "man-eater", "fish"]), min_size=1).map(" ".join)


@pytest.mark.parametrize(
    ("class_", "target", "expected"),
    [
        (GOLDFISH, "goldfish", True),
        (GOLDFISH, "GoldFish", True),
        (GOLDFISH, "carassius", True),
        (GOLDFISH, "gold", False),
        (GOLDFISH, "fish", True),
        (GOLDFISH, "bony", False),
        (GOLDFISH, "bony fish", True),
        (GOLDFISH, "big goldfish", False),
        (SEA_LION, "sea lion", True),
        (SEA_LION, "lion", True),
        (SEA_LION, "lion sea", False),
        (SEA_LION, "seal", True),
        (SEA_LION, "eared", False),
        (SHARK, "white shark", True),
        (SHARK, "great shark", False),
        (SHARK, "man", False),
    ],
)
def test_matches_whole_words_of_own_names_and_whole_broader_names(
    class_: ClassNames, target: str, *, expected: bool
) -> None:
    assert class_.match([target]) is expected


def test_one_accepted_target_is_enough() -> None:
    assert GOLDFISH.match(["carp", "goldfish"])
    assert not GOLDFISH.match([])


@given(own=names, broader=names)
def test_a_class_answers_to_each_of_its_names(own: str, broader: str) -> None:
    class_ = ClassNames((own,), (broader,))
    assert class_.match([own.upper()])
    assert class_.match([broader.upper()])


def test_reads_the_names_of_the_embedded_models_animals() -> None:
    read = read_class_names(Registry.for_profile(EMBEDDED).manifest_for("species"))
    assert len(read) == 398
    [goldfish] = (names for label, names in read.items() if label.endswith(";goldfish"))
    assert goldfish.own == ("goldfish", "Carassius auratus")
    assert goldfish.match(["fish"])
    assert not goldfish.match(["bird"])
