from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from menagerie_training.nsfw.evaluation import evaluate
from menagerie_training.nsfw.labels import Photograph, read_photographs

PHOTOS = Path(__file__).parents[2] / "photos"


def labelled(folder: Path, lines: str) -> Path:
    (folder / "labels.csv").write_text(lines, encoding="utf-8")
    for line in lines.splitlines()[1:]:
        (folder / line.partition(",")[0]).touch()
    return folder


def test_lists_of_portraits_and_of_camera_traps_are_read(tmp_path: Path) -> None:
    folder = labelled(
        tmp_path, "file,label,born\na.jpg,female,1967\nb.jpg,male,1939\nc.jpg,animal,\nd.jpg,human,\n"
    )
    assert read_photographs([folder]) == (
        Photograph(folder / "a.jpg", "woman", "1960s"),
        Photograph(folder / "b.jpg", "man", "1930s"),
        Photograph(folder / "c.jpg", "nobody"),
    )


def test_lists_of_photographs_are_read(tmp_path: Path) -> None:
    lines = "file,kind,tags\na.jpg,human,F M\nb.jpg,human,M\nc.jpg,blank,monument\nd.jpg,human,\n"
    folder = labelled(tmp_path, lines)
    assert [one.shows for one in read_photographs([folder])] == ["woman", "man", "nobody"]


def test_a_photograph_that_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\na.jpg,male\n", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match="is labelled, but does not exist"):
        read_photographs([tmp_path])


async def test_the_report_counts_by_group_and_names_no_portrayed_person(tmp_path: Path) -> None:
    """A scene that is labelled as a woman's portrait, and an astronaut as a man, are both wrong."""
    for name in ("astronaut.jpg", "dam.jpg", "grass.jpg", "canyon.jpg"):
        shutil.copy(PHOTOS / name, tmp_path / name)
    (tmp_path / "labels.csv").write_text(
        "file,label,born\nastronaut.jpg,female,1949\ndam.jpg,female,1951\ngrass.jpg,blank,\n"
        "canyon.jpg,male,1972\n",
        encoding="utf-8",
    )
    report = await evaluate(read_photographs([tmp_path]))
    rows = {line.split("  ")[0]: line.split() for line in str(report).splitlines()}
    assert rows["women: female_present"][2:5] == ["0.500", "1", "2"]
    assert rows["men: male_only"][2:5] == ["1.000", "1", "1"]
    assert rows["scenes and animals: male_only"][4:7] == ["1.000", "1", "1"]
    assert rows["portraits: a face found"][4:7] == ["0.333", "1", "3"]
    assert rows["woman, born in the 1940s"][5:8] == ["1.000", "1", "1"]
    assert rows["woman, born in the 1950s"][5:8] == ["0.000", "0", "1"]
    assert "dam.jpg" not in str(report)


async def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    shutil.copy(PHOTOS / "astronaut.jpg", tmp_path)
    (tmp_path / "labels.csv").write_text("file,kind,tags\nastronaut.jpg,blank,\n", encoding="utf-8")
    report = str(await evaluate(read_photographs([tmp_path])))
    last = report.splitlines()[-1].split()
    assert last[:3] == ["astronaut.jpg", "nobody", "female_present"]
