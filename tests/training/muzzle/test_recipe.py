from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from menagerie_inference.registry import Registry
from menagerie_training.muzzle import __main__ as recipe
from menagerie_training.muzzle.evaluation import SCENES, UNSEEN
from menagerie_training.muzzle.export import keras_file
from menagerie_training.muzzle.folders import RealAnimal, photographs
from menagerie_training.muzzle.pictures import draw_animals

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """Twelve animals that are drawn, a folder each, of which four are held out."""
    names = [f"cattle_{number}" for number in range(60)]
    held = [name for name in names if RealAnimal(name, ()).held_out][:4]
    known = [name for name in names if not RealAnimal(name, ()).held_out][:8]
    drawn = draw_animals(range(UNSEEN, UNSEEN + 12), 4, photographs(SCENES)[:2], 1)
    for name, photos in zip((*held, *known), drawn, strict=True):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for number, photo in enumerate(photos):
            Image.fromarray(photo).save(tmp_path / "animals" / name / f"{number}.png")
    return tmp_path / "animals"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_folder_of_animals_becomes_a_profile_that_says_how_well_it_does(
    animals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, count in (("OTHERS", 40), ("FAR", 12), ("PROCESSES", 1)):
        monkeypatch.setattr(recipe, name, count)
    work, profile = tmp_path / "work", tmp_path / "profile"
    options = ["--animals", animals, "--work", work, "--into", profile, "--steps", "2", "--version", "v9"]
    monkeypatch.setattr(sys, "argv", ["muzzle", *map(str, options)])
    recipe.main()
    told = capsys.readouterr().out
    assert "4 real animals" in told
    assert "TAR at FAR 1 %" in told
    registry = Registry.for_profile(str(profile))
    assert registry.roles() == ("muzzle-60", "muzzle-62", "muzzle-64")
    manifest = registry.manifest_for("muzzle-62")
    assert (manifest.identity, manifest.backend) == ("muzzle-62 v9", "onnx")
    assert manifest.training is not None
    assert manifest.training.conditions.startswith("On 4 real animals that training did not see")
    trained = keras_file(60, work).stat().st_mtime_ns
    recipe.main()  # what is there is not made again
    assert keras_file(60, work).stat().st_mtime_ns == trained
