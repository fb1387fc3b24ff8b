"""The Python examples, run as the documentation says, against a real server."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from PIL import Image
from tests.support.photos import FOLDER, PHOTOS

if TYPE_CHECKING:
    from tests.support.server import RunningServer

EXAMPLES = Path(__file__).parents[2] / "clients" / "examples" / "python"


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def address(server: RunningServer) -> str:
    return f"localhost:{server.front_door_port}"


def test_a_folder_becomes_a_table(server: RunningServer, tmp_path: Path) -> None:
    animal = PHOTOS.an_animal()
    night = tmp_path / "camera 1" / "night"
    night.mkdir(parents=True)
    shutil.copy(FOLDER / animal.name, night / "1.JPG")
    shutil.copy(FOLDER / animal.name, tmp_path / "2.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"no photograph")
    (tmp_path / "notes.txt").write_text("not asked about")
    result = run("folder_to_csv.py", address(server), str(tmp_path))
    assert (result.returncode, result.stderr) == (0, "")
    rows = {row["file"]: row for row in csv.DictReader(io.StringIO(result.stdout))}
    assert rows.keys() == {"camera 1/night/1.JPG", "2.jpg", "broken.jpg"}
    files = {"file": (animal.name, animal.content, "image/jpeg")}
    expected = httpx.post(f"{server.species}/uploadfile/", files=files, timeout=30).json()["speciesnet"]
    for name in ("camera 1/night/1.JPG", "2.jpg"):
        assert rows[name]["prediction"] == expected["prediction_display_name"]
        assert rows[name]["label"] == expected["prediction"]
        assert float(rows[name]["score"]) == pytest.approx(expected["prediction_score"], abs=1e-3)
        assert rows[name]["error"] == ""
    assert rows["broken.jpg"]["error"] == "Invalid image file signature."
    assert rows["broken.jpg"]["prediction"] == ""


def test_an_empty_folder_has_a_head_alone(server: RunningServer, tmp_path: Path) -> None:
    result = run("folder_to_csv.py", address(server), str(tmp_path))
    assert (result.returncode, result.stdout) == (0, "file,prediction,score,source,label,error\n")


def test_a_reef_is_classified(server: RunningServer, tmp_path: Path) -> None:
    photo, result = tmp_path / "reef.png", tmp_path / "result.png"
    Image.effect_noise((600, 400), 90).convert("RGB").resize((1800, 1200)).save(photo)
    assert photo.stat().st_size > 1024 * 1024  # more than one message
    told = run("coral.py", address(server), str(photo), str(result))
    assert told.returncode == 0, told.stderr
    bleached, healthy = (int(part.split()[0]) for part in told.stdout.split(","))
    assert bleached + healthy == 8 * 5
    assert told.stderr.splitlines()[-1] == "completed 40/40"
    with Image.open(result) as image:
        assert image.size == (1800, 1200)


def test_a_failed_job_says_why(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "reef.png").write_bytes(b"no photograph")
    told = run("coral.py", address(server), str(tmp_path / "reef.png"), str(tmp_path / "result.png"))
    assert told.returncode == 1
    assert "failed: " in told.stderr
    assert not (tmp_path / "result.png").exists()


@pytest.mark.parametrize("program", ["folder_to_csv.py", "coral.py"])
def test_how_to_call_it_is_told(program: str) -> None:
    assert "usage: " in run(program).stderr


@pytest.mark.parametrize(("program", "last"), [("folder_to_csv.py", ()), ("coral.py", ("result.png",))])
def test_a_server_that_is_not_there_is_told(program: str, last: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PHOTOS.an_animal().content)
    given = tmp_path if program == "folder_to_csv.py" else tmp_path / "a.jpg"
    told = run(program, "localhost:1", str(given), *last)
    assert told.returncode == 1
    assert told.stderr.startswith("UNAVAILABLE: ")
