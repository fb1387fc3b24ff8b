from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.labels import ClassNames, LabelledPhoto, read_class_names, read_labels

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("pond.jpg", "lawn.jpg"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def label(folder: Path, *rows: str) -> Path:
    lines = ("file,kind,target,package", *rows)
    (folder / "labels.csv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


def test_reads_photos_in_the_order_of_their_labels(folder: Path) -> None:
    label(folder, "pond.jpg,animal,duck|drake,a", "lawn.jpg,blank,,b")
    assert read_labels(folder) == (
        LabelledPhoto(folder / "pond.jpg", "animal", ("duck", "drake")),
        LabelledPhoto(folder / "lawn.jpg", "blank"),
    )


def test_an_animal_may_have_no_target(folder: Path) -> None:
    [photo] = read_labels(label(folder, "pond.jpg,animal,,a"))
    assert photo.targets == ()


def test_a_photo_is_a_cutout_only_if_its_label_says_so(tmp_path: Path) -> None:
    for name in ("duck.jpg", "pond.jpg", "lawn.jpg"):
        (tmp_path / name).write_bytes(b"")
    rows = "file,kind,target,cutout\nduck.jpg,animal,duck,1\npond.jpg,animal,duck,0\nlawn.jpg,blank,,\n"
    (tmp_path / "labels.csv").write_text(rows, encoding="utf-8")
    assert [photo.cutout for photo in read_labels(tmp_path)] == [True, False, False]


def test_refuses_a_kind_that_it_does_not_know(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"pond\.jpg: the kind 'plant' is none of animal, human"):
        read_labels(label(folder, "pond.jpg,plant,,a"))


def test_refuses_a_label_without_its_photo(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"sky\.jpg is labelled, but does not exist"):
        read_labels(label(folder, "sky.jpg,blank,,a"))


def test_refuses_a_folder_without_labels(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"labels\.csv"):
        read_labels(folder)


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
