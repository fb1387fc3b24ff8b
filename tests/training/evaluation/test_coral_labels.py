from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from menagerie_training.evaluation.coral_labels import Coral, read_corals, read_others, training_corals

if TYPE_CHECKING:
    from pathlib import Path


def paint(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), colour).save(path)


def listed(folder: Path, *rows: tuple[str, str, str, str]) -> tuple[Coral, ...]:
    """Paint photographs, each a name, a colour, a label and a split, and read them back."""
    for name, colour, _, _ in rows:
        paint(folder / name, colour)
    lines = [f"{name},{label},{split}\n" for name, _, label, split in rows]
    (folder / "labels.csv").write_text("file,label,split\n" + "".join(lines))
    return read_corals(folder)


def names(corals: list[Coral]) -> list[str]:
    return [coral.path.name for coral in corals]


def test_a_list_tells_label_and_split(tmp_path: Path) -> None:
    corals = listed(tmp_path, ("a.png", "white", "bleached", "train"), ("b.png", "green", "healthy", "test"))
    assert corals == (
        Coral(tmp_path / "a.png", bleached=True, held_out=False),
        Coral(tmp_path / "b.png", bleached=False, held_out=True),
    )


def test_folders_tell_label_and_split(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        paint(tmp_path / split / "CORAL" / "1.png", "green")
        paint(tmp_path / split / "CORAL_BL" / "2.JPG", "white")
    (tmp_path / "train" / "CORAL" / "notes.txt").write_text("not a photograph")
    found = {(*coral.path.parts[-3:], coral.bleached, coral.held_out) for coral in read_corals(tmp_path)}
    assert found == {
        ("train", "CORAL", "1.png", False, False),
        ("train", "CORAL_BL", "2.JPG", True, False),
        ("val", "CORAL", "1.png", False, False),
        ("val", "CORAL_BL", "2.JPG", True, False),
        ("test", "CORAL", "1.png", False, True),
        ("test", "CORAL_BL", "2.JPG", True, True),
    }


def test_a_label_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="pale"):
        listed(tmp_path, ("a.png", "white", "pale", "train"))


def test_a_folder_of_neither_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither labels\.csv nor folders"):
        read_corals(tmp_path)


def test_what_is_held_out_is_not_learnt_from(tmp_path: Path) -> None:
    corals = listed(tmp_path, ("a.png", "white", "bleached", "test"), ("b.png", "red", "healthy", "train"))
    assert names(training_corals(corals)) == ["b.png"]


def test_a_copy_of_what_is_held_out_is_not_learnt_from(tmp_path: Path) -> None:
    corals = listed(tmp_path, ("a.png", "white", "bleached", "train"), ("b.png", "white", "bleached", "test"))
    assert training_corals(corals) == []


def test_a_photograph_with_both_labels_is_not_learnt_from(tmp_path: Path) -> None:
    corals = listed(tmp_path, ("a.png", "white", "bleached", "train"), ("b.png", "white", "healthy", "train"))
    assert training_corals(corals) == []


def test_a_photograph_that_is_there_twice_is_learnt_once(tmp_path: Path) -> None:
    corals = listed(
        tmp_path, ("a.png", "white", "bleached", "train"), ("b.png", "white", "bleached", "train")
    )
    assert names(training_corals(corals)) == ["a.png"]


def test_others_are_all_but_what_is_tagged_as_a_reef(tmp_path: Path) -> None:
    for name in ("fish.png", "perch.png", "cat.png"):
        paint(tmp_path / name, "blue")
    (tmp_path / "labels.csv").write_text("file,tags\nfish.png,underwater\nperch.png,reef underwater\n")
    assert [path.name for path in read_others(tmp_path)] == ["cat.png", "fish.png"]


def test_others_need_no_list(tmp_path: Path) -> None:
    paint(tmp_path / "cat.png", "blue")
    assert read_others(tmp_path) == [tmp_path / "cat.png"]
