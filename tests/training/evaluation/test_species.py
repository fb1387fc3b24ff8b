from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from menagerie_training.evaluation.boxes import COPIES, mean
from menagerie_training.evaluation.metrics import detected_animals, recall, top
from menagerie_training.evaluation.species import evaluate, predicted_kind

if TYPE_CHECKING:
    from menagerie_training.evaluation.report import Report

PHOTOS = Path(__file__).parents[2] / "photos"


@pytest.mark.parametrize(
    ("prediction", "kind"),
    [
        (
            "9c564562-9429-405c-8529-04cff7752282;mammalia;carnivora;felidae;felis;catus;cat",
            "animal",
        ),
        ("1f689929-883d-4dae-958c-3d57ab5b6c16;;;;;;animal", "animal"),
        ("990ae9dd-7a59-4344-afcb-1b7b21368000;mammalia;primates;hominidae;homo;sapiens;human", "human"),
        ("e2895ed5-780b-48f6-8a11-9e27cb594511;;;;;;vehicle", "vehicle"),
        ("f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank", "blank"),
        ("f2efdae9-efb8-48fb-8a91-eccf79ab4ffb" + 6 * ";no cv result", "unknown"),
    ],
)
def test_a_label_tells_its_kind(prediction: str, kind: str) -> None:
    assert predicted_kind(prediction) == kind


@pytest.fixture(scope="module")
def report() -> Report:
    return asyncio.run(evaluate(PHOTOS))


# Each floor is one photo below what was measured: int8 arithmetic differs a little between processors.
def test_recognises_the_animals_on_the_projects_photos(report: Report) -> None:
    assert top(report.outcomes, 1).part >= 20
    assert top(report.outcomes, 5).part >= 22


def test_finds_the_animals_and_leaves_scenes_alone(report: Report) -> None:
    animals, blanks = detected_animals(report.outcomes), recall(report.outcomes, "blank")
    assert animals.part >= animals.whole - 1
    assert blanks.part >= blanks.whole - 1


def test_each_photo_has_the_score_of_its_first_class(report: Report) -> None:
    assert all(0 < outcome.score <= 1 for outcome in report.outcomes)


@pytest.fixture
def cutouts(tmp_path: Path) -> Path:
    """A folder with two fish that were taken before plain backgrounds, and two scenes."""
    for name in ("boarfish.jpg", "spotted_puffer.jpg", "canyon.jpg", "rocket.jpg"):
        shutil.copy(PHOTOS / name, tmp_path)
    rows = (
        "file,kind,target,cutout",
        "boarfish.jpg,animal,fish,1",
        "spotted_puffer.jpg,animal,puffer,1",
        "canyon.jpg,blank,,",
        "rocket.jpg,blank,,",
    )
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def test_pasted_animals_are_found_where_they_are(cutouts: Path) -> None:
    report = asyncio.run(evaluate(cutouts))
    assert len(report.boxes) == 2 * COPIES
    found = [one for one in report.boxes if one.found]
    assert len(found) >= COPIES
    assert mean([one.overlap for one in found]) > mean([one.baseline for one in found])


def test_the_command_prints_the_report_and_draws_the_diagram(cutouts: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "menagerie_training.evaluation.species", str(cutouts)]
    diagram = tmp_path / "new" / "reliability.svg"
    arguments = [*command, "--diagram", str(diagram)]
    printed = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    assert printed.startswith("model        embedded-efflite2")
    assert "labelled animals: top-1" in printed
    assert "box of 2 cut-outs pasted on 2 scenes" in printed
    assert printed.endswith(f"reliability diagram  {diagram}\n")
    assert "2 labelled animals" in diagram.read_text(encoding="utf-8")


def test_the_command_names_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "menagerie_training.evaluation.species", str(tmp_path)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "labels.csv" in ended.stderr
