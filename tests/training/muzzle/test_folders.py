from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from menagerie_training.muzzle.folders import (
    Box,
    RealAnimal,
    photographs,
    read_animals,
    read_boxes,
    show,
    unseen,
    views,
)
from menagerie_training.muzzle.rendering import SIZE

if TYPE_CHECKING:
    from pathlib import Path


def paint(file: Path, colour: tuple[int, int, int]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (80, 60), colour).save(file)
    return file


def test_each_folder_is_an_animal(tmp_path: Path) -> None:
    for animal, count in (("cattle_0100", 4), ("cattle_0200", 3), ("cattle_0300", 5)):
        for number in range(count):
            paint(tmp_path / animal / f"{number}.JPG", (number, 0, 0))
    (tmp_path / "readme.txt").write_text("no animal", encoding="utf-8")
    animals = read_animals(tmp_path, least=4)
    assert [one.name for one in animals] == ["cattle_0100", "cattle_0300"]
    assert [file.name for file in animals[0].files] == ["0.JPG", "1.JPG", "2.JPG", "3.JPG"]


def test_one_animal_is_not_enough(tmp_path: Path) -> None:
    paint(tmp_path / "cattle" / "1.jpg", (0, 0, 0))
    with pytest.raises(ValueError, match="has no two folders with at least 1 photographs each"):
        read_animals(tmp_path, least=1)


@given(st.text(min_size=1))
def test_whether_an_animal_is_held_out_depends_on_its_name_alone(name: str) -> None:
    assert RealAnimal(name, ()).held_out == RealAnimal(name, ()).held_out


def test_about_one_animal_in_four_is_held_out() -> None:
    held = sum(RealAnimal(f"cattle_{number:04}", ()).held_out for number in range(2000))
    assert 420 <= held <= 580


def test_a_photograph_is_cut_to_its_box(tmp_path: Path) -> None:
    image = Image.new("RGB", (80, 60), (0, 0, 255))
    image.paste((255, 0, 0), (20, 15, 60, 45))
    image.save(tmp_path / "a.png")
    shown = show(tmp_path / "a.png", Box(0.25, 0.25, 0.75, 0.75))
    assert shown.shape == (SIZE, SIZE, 3)
    assert (shown == (255, 0, 0)).all()
    assert (show(tmp_path / "a.png")[0, 0] == (0, 0, 255)).all()


def test_a_photograph_that_is_stored_turned_is_shown_upright(tmp_path: Path) -> None:
    upright = Image.new("RGB", (60, 80), (0, 0, 255))
    upright.paste((255, 0, 0), (0, 0, 60, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    upright.save(tmp_path / "upright.png")
    assert np.array_equal(show(tmp_path / "turned.png"), show(tmp_path / "upright.png"))


def test_boxes_are_read_by_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text("file,left,top,right,bottom\na.jpg,0.1,0.2,0.9,0.8\n", "utf-8")
    assert read_boxes(tmp_path / "boxes.csv") == {"a.jpg": Box(0.1, 0.2, 0.9, 0.8)}


def test_views_take_the_photographs_in_turn(tmp_path: Path) -> None:
    files = (paint(tmp_path / "1.png", (180, 0, 0)), paint(tmp_path / "2.png", (0, 0, 180)))
    pictures = views(RealAnimal("one", files), 5, np.random.default_rng(3))
    assert pictures.shape == (5, SIZE, SIZE, 3)
    red = pictures[..., 0].mean(axis=(1, 2)) > pictures[..., 2].mean(axis=(1, 2))
    assert red.tolist() == [True, False, True, False, True]
    again = views(RealAnimal("one", files), 5, np.random.default_rng(3))
    assert np.array_equal(pictures, again)


def test_what_training_saw_is_left_out_by_its_bytes(tmp_path: Path) -> None:
    seen = paint(tmp_path / "seen" / "a.png", (1, 2, 3))
    copy = paint(tmp_path / "new" / "b.png", (1, 2, 3))
    other = paint(tmp_path / "new" / "c.png", (3, 2, 1))
    assert photographs(tmp_path / "new") == [copy, other]
    assert unseen([copy, other], [seen]) == [other]
