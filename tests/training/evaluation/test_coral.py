from __future__ import annotations

import math
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.support.redness import write_profile

from menagerie_inference.errors import ManifestError
from menagerie_training.evaluation.coral import evaluate
from menagerie_training.evaluation.coral_report import Row, Unmeasured, score_tiles, score_wholes
from menagerie_training.evaluation.metrics import Share

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_training.evaluation.coral_report import CoralReport

# What the drawn model makes of them: bleached, if redder than green, and no reef without blue.
PALE = (200, 100, 220)
HEALTHY = (100, 200, 220)
SAND = (200, 150, 0)


def paint(path: Path, left: tuple[int, int, int], right: tuple[int, int, int]) -> None:
    """Paint a photograph whose first tile has one colour, and the second, which is narrower, another."""
    photo = Image.new("RGB", (400, 240), left)
    photo.paste(right, (244, 0, 400, 240))
    photo.save(path)


@pytest.fixture(scope="module")
def corals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs to measure, one of them wrongly labelled and one of sand, and two to fit on."""
    folder = tmp_path_factory.mktemp("corals")
    painted = {
        "b_1.png": (PALE, PALE, "bleached,test"),
        "b_2.png": (PALE, HEALTHY, "bleached,test"),
        "b_3.png": (SAND, SAND, "bleached,test"),
        "h_4.png": (HEALTHY, HEALTHY, "healthy,test"),
        "b_5.png": (PALE, SAND, "bleached,train"),
        "h_6.png": (HEALTHY, SAND, "healthy,train"),
    }
    for name, (left, right, _) in painted.items():
        paint(folder / name, left, right)
    rows = [f"{name},{label}" for name, (_, _, label) in painted.items()]
    (folder / "labels.csv").write_text("\n".join(["file,label,split", *rows]))
    return folder


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_profile(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def report(corals: Path, profile: Path) -> CoralReport:
    return evaluate(corals, profile=str(profile))


def test_wholes_are_measured_as_one_tile(report: CoralReport) -> None:
    score = score_wholes(report.model.labelled)
    assert score.accuracy == Share(3, 4)  # the sand is no reef, and so not bleached
    assert score.f1(positive=True) == pytest.approx(2 * 2 / (2 + 3))
    assert score.area_under_curve == 1


def test_tiles_are_measured_against_their_photographs(report: CoralReport) -> None:
    score = score_tiles(report.model.labelled)
    assert score.accuracy == Share(5, 8)
    first, second = report.model.labelled[1].predictions.tiles
    assert (first.bleached, second.bleached) == (True, False)
    assert first.score == pytest.approx(1 / (1 + math.exp(-0.02 * (200 - 100))), abs=1e-4)


def test_the_gate_is_measured_on_corals_and_on_others(corals: Path, profile: Path, tmp_path: Path) -> None:
    paint(tmp_path / "beach.png", SAND, SAND)
    paint(tmp_path / "pool.png", SAND, HEALTHY)
    (tmp_path / "notes.txt").touch()
    printed = str(evaluate(corals, profile=str(profile), others=tmp_path))
    rows = [line.split()[-3:] for line in printed.splitlines()[-4:]]
    assert rows == [["0.750", "3", "4"], ["0.750", "6", "8"], ["0.000", "0", "2"], ["0.250", "1", "4"]]


def test_whiteness_stands_beside_the_model(report: CoralReport) -> None:
    [index] = report.baselines
    assert isinstance(index, Row)
    assert "fitted on 2 photographs of train" in report.notes[index.name]
    assert [len(one.predictions.tiles) for one in index.labelled] == 4 * [2]
    [line] = [line for line in str(report).splitlines() if line.split()[-3:] == ["-", "-", "4"]]
    assert line.startswith("whiteness index")  # no probabilities, so no calibration error


def test_an_upstream_model_that_does_not_load_is_told(corals: Path, profile: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    report = evaluate(corals, profile=str(profile), upstream=broken)
    assert isinstance(report.baselines[1], Unmeasured)
    assert "NOT MEASURED: broken.tflite" in str(report)


def test_what_cannot_be_measured_is_refused(corals: Path, profile: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no photographs"):
        evaluate(corals, profile=str(profile), others=tmp_path)
    (tmp_path / "labels.csv").write_text(f"file,label,split\n{corals / 'b_1.png'},bleached,test\n")
    with pytest.raises(ValueError, match="none to fit the whiteness index on"):
        evaluate(tmp_path, profile=str(profile))
    with pytest.raises(ManifestError, match="no model for the role 'coral'"):
        evaluate(corals, profile=str(tmp_path))


def test_the_command_prints_the_report_and_draws_the_diagrams(
    corals: Path, profile: Path, tmp_path: Path
) -> None:
    diagram = tmp_path / "new" / "coral.svg"
    command = [sys.executable, "-m", "menagerie_training.evaluation.coral", str(corals)]
    arguments = [*command, "--profile", str(profile), "--diagram", str(diagram), "--split", "train"]
    printed = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    assert printed.startswith("model            redness 1.0\n")
    assert f"{corals}, train: 1 bleached, 1 healthy" in printed
    assert printed.count(f"reliability diagram  {tmp_path / 'new'}") == 2
    assert "2 photographs, expected" in diagram.read_text(encoding="utf-8")
    assert "4 tiles, expected" in (tmp_path / "new" / "coral-tiles.svg").read_text(encoding="utf-8")
