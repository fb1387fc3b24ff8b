from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import fromstring

import pytest

from menagerie_training.evaluation.calibration import Bin
from menagerie_training.evaluation.reliability_diagram import (
    HEIGHT,
    LEFT,
    SIDE,
    TOP,
    WIDTH,
    Wording,
    reliability_diagram,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SVG = "{http://www.w3.org/2000/svg}"
BINS = (
    Bin(0.0, 0.5, (0.1, 0.3), right=1),
    Bin(0.5, 0.6, (), right=0),
    Bin(0.6, 1.0, (0.8, 0.9, 1.0), right=3),
)


@pytest.fixture(scope="module")
def picture() -> Element:
    return fromstring(reliability_diagram(BINS, "tiny <v1>"))  # noqa: S314 - drawn here


def test_each_bin_with_photos_has_a_bar_as_high_as_its_accuracy(picture: Element) -> None:
    _, half, full = picture.findall(f"{SVG}rect")
    assert float(half.attrib["height"]) == pytest.approx(SIDE / 2)
    assert float(half.attrib["y"]) == pytest.approx(TOP + SIDE / 2)
    assert float(full.attrib["height"]) == pytest.approx(SIDE)
    assert float(full.attrib["x"]) == pytest.approx(LEFT + 0.6 * SIDE, abs=2)


def test_points_lie_on_the_diagonal_at_the_mean_scores(picture: Element) -> None:
    for point, mean in zip(picture.findall(f"{SVG}circle"), (0.2, 0.9), strict=True):
        assert float(point.attrib["cx"]) == pytest.approx(LEFT + mean * SIDE)
        assert float(point.attrib["cy"]) == pytest.approx(TOP + (1 - mean) * SIDE)


def test_the_texts_say_of_what_and_of_how_many(picture: Element) -> None:
    texts = [one.text for one in picture.findall(f"{SVG}text")]
    assert {"tiny <v1>", "5 labelled animals, expected calibration error 0.180", "1/2", "3/3"} <= set(texts)


def test_other_things_are_called_by_their_names() -> None:
    drawn = reliability_diagram(BINS, "tiny", Wording("tiles", "probability of bleached", "share that is"))
    texts = [one.text or "" for one in fromstring(drawn).findall(f"{SVG}text")]  # noqa: S314 - drawn here
    assert "5 tiles, expected calibration error 0.180" in texts
    assert {"probability of bleached (point: mean of its bin)", "share that is"} <= set(texts)
    assert "animals" not in drawn


def test_nothing_is_drawn_beyond_the_picture(picture: Element) -> None:
    for one in picture.findall(f"{SVG}text"):
        assert 0 < float(one.attrib["x"]) < WIDTH
        assert 12 < float(one.attrib["y"]) < HEIGHT


def test_no_photos_leave_an_empty_plot() -> None:
    drawn = reliability_diagram(BINS[1:2], "tiny")
    assert "0 labelled animals" in drawn
    assert "circle" not in drawn
