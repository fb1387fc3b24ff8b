from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from menagerie_training.evaluation.labels import LabelledPhoto, read_labels

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
