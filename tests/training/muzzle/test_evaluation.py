from __future__ import annotations

import shutil
from argparse import Namespace
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.det_diagram import COLOURS, det_diagram
from menagerie_training.evaluation.metrics import Share
from menagerie_training.evaluation.verification import Trials
from menagerie_training.muzzle.__main__ import Subjects, figures
from menagerie_training.muzzle.evaluation import (
    ENSEMBLE,
    UNSEEN,
    Embedders,
    MuzzleReport,
    accepted,
    compare,
    measure,
)
from menagerie_training.muzzle.folders import RealAnimal
from menagerie_training.muzzle.pictures import draw_animals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

PHOTOS = sorted(Path("tests/photos").glob("*.jpg"))
COUNT = 8


@pytest.fixture(scope="module")
def embedders() -> Iterator[Embedders]:
    with closing(Embedders(Registry.for_profile(EMBEDDED))) as opened:
        yield opened


@pytest.fixture(scope="module")
def drawn() -> NDArray[np.uint8]:
    """Five photographs of each of some animals that training did not see."""
    return draw_animals(range(UNSEEN, UNSEEN + COUNT), 5, PHOTOS[:2], 1)


@pytest.fixture(scope="module")
def folder(drawn: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each animal, of names that are held out."""
    path = tmp_path_factory.mktemp("animals")
    names = [name for name in (f"cattle_{n}" for n in range(200)) if RealAnimal(name, ()).held_out]
    for name, photos in zip(names, drawn, strict=False):
        (path / name).mkdir()
        for number, photo in enumerate(photos):
            Image.fromarray(photo).save(path / name / f"{number}.png")
    return path


def test_the_embedders_say_what_they_are_not_for(embedders: Embedders) -> None:
    assert len(embedders.names) == 3
    assert all("NOT-FOR-CATTLE" in name for name in embedders.names)


def test_codes_do_not_depend_on_how_many_photographs_are_run(
    embedders: Embedders, drawn: NDArray[np.uint8]
) -> None:
    photos = drawn.reshape(-1, *drawn.shape[2:])  # more than run at once
    together, alone = embedders.outputs(photos), embedders.outputs(photos[-1:])
    for slot, codes in together.items():
        assert codes.shape == (5 * COUNT, 128)
        assert codes[-1:] == pytest.approx(alone[slot], abs=1e-4)


def test_drawn_muzzles_pass_and_noise_does_not(embedders: Embedders, drawn: NDArray[np.uint8]) -> None:
    assert accepted(embedders.outputs(drawn.reshape(-1, *drawn.shape[2:]))).part >= 5 * COUNT - 2
    noise = np.random.default_rng(0).integers(0, 256, (20, *drawn.shape[2:]), np.uint8)
    assert accepted(embedders.outputs(noise)).part == 0


def test_probes_are_compared_by_each_network_and_by_all(
    embedders: Embedders, drawn: NDArray[np.uint8]
) -> None:
    references = embedders.outputs(drawn[:, :3].reshape(-1, *drawn.shape[2:]))
    probes = embedders.outputs(drawn[:, 3])
    trials = compare(references, probes, np.arange(COUNT))
    assert list(trials) == ["60", "62", "64", ENSEMBLE]
    for one in trials.values():
        assert (one.genuine.size, one.impostor.size) == (COUNT, COUNT * (COUNT - 1))
        assert one.genuine.mean() > one.impostor.mean() + 0.3
    # An ensemble code is the three unit codes, so its cosine to a template lies among theirs.
    assert trials[ENSEMBLE].genuine.mean() == pytest.approx(
        np.mean([trials[name].genuine.mean() for name in ("60", "62", "64")]), abs=0.1
    )


def test_the_report_measures_drawn_and_real_animals_muzzles_and_other_things(
    embedders: Embedders, folder: Path, tmp_path: Path
) -> None:
    shutil.copy("tests/photos/dolphin.jpg", tmp_path / "seen.jpg")
    Image.new("RGB", (90, 60), (0, 90, 200)).save(tmp_path / "sky.png")
    report = measure(
        embedders,
        Namespace(
            identities=4,
            animals=folder,
            muzzles=[folder],
            boxes=None,
            others=[tmp_path],
        ),
    )
    text = str(report)
    assert report.accepted[f"no muzzle, {tmp_path.name}"] == Share(0, 1)  # what training saw does not count
    real = f"{COUNT} real animals, {folder.name}"
    assert report.accepted[f"muzzles, {folder.name}"].whole == 5 * COUNT
    assert report.accepted[real].whole == 5 * COUNT
    assert report.trials[real][ENSEMBLE].genuine.size == 2 * COUNT
    for word in (
        "4 drawn animals",
        real,
        "EER",
        "TAR at FAR 1 %",
        "NOT-FOR-CATTLE",
        "60",
        "62",
        "64",
        ENSEMBLE,
    ):
        assert word in text


def test_a_folder_of_what_training_saw_is_no_measure(embedders: Embedders) -> None:
    seen = Path("tests/photos/cetaceans")
    asked = Namespace(identities=4, animals=None, muzzles=[], boxes=None, others=[seen])
    with pytest.raises(ValueError, match=f"{seen} holds no photograph that training did not see"):
        measure(embedders, asked)


def test_figures_are_said_in_the_manifest(embedders: Embedders, folder: Path) -> None:
    animals = [RealAnimal(one.name, tuple(sorted(one.iterdir()))) for one in sorted(folder.iterdir())]
    title, share, trials = Subjects(PHOTOS[:2], animals).measure(embedders)
    text = figures(title, share, trials[ENSEMBLE])
    assert text.startswith(f"On {COUNT} real animals that training did not see")
    assert f"equal error rate {trials[ENSEMBLE].equal_error_rate:.2%}" in text
    assert f"{share.part} of {5 * COUNT} of their photographs pass" in text


def test_rows_are_what_was_counted() -> None:
    trials = Trials(np.array([0.9, 0.8, 0.7, 0.3]), np.array([0.1, 0.2, 0.4, 0.75]))
    rows = str(MuzzleReport(("a", "b", "c"), {}, {"four": {"60": trials}})).splitlines()
    assert rows[-1].split() == ["60", "25.00%", "0.500", "0.500", "25.000%", "25.00%", "4,", "4"]


def test_a_tradeoff_is_drawn_as_a_curve_for_each_network() -> None:
    random = np.random.default_rng(4)
    trials = {name: Trials(random.normal(0.7, 0.1, 50), random.normal(0, 0.2, 500)) for name in ("60", "62")}
    picture = ET.fromstring(det_diagram(trials, "two networks"))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    curves = picture.findall(f"{space}polyline")
    assert [curve.get("stroke") for curve in curves] == list(COLOURS[:2])
    texts = [text.text for text in picture.findall(f"{space}text")]
    assert "two networks" in texts
    assert f"60: EER {trials['60'].equal_error_rate:.2%}" in texts
    for curve in curves:
        points = [tuple(map(float, pair.split(","))) for pair in str(curve.get("points")).split()]
        across, down = np.array(points).T
        assert (np.diff(across) <= 0).all()  # fewer false accepts
        assert (np.diff(down) <= 0).all()  # and more false rejects, higher up
