"""Draws reliability diagrams, accuracy against score, in SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from menagerie_training.evaluation.calibration import expected_calibration_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_training.evaluation.calibration import Bin

WIDTH: Final = 520
HEIGHT: Final = 550
LEFT: Final = 70
TOP: Final = 85
SIDE: Final = 400
"""All in px; the plot is a square of SIDE, LEFT and TOP off the picture's corner."""

BAR: Final = "#4477aa"
MEAN: Final = "#cc3311"
LINES: Final = "#bbbbbb"
_TICKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Wording:
    """A diagram's words for the items in its bins, their scores, and the share that is right."""

    things: str
    score: str
    share: str


ANIMALS: Final = Wording("labelled animals", "score of the first class", "share that is right")


def reliability_diagram(bins: Sequence[Bin], model_version: str, wording: Wording = ANIMALS) -> str:
    """Draw a bar for each bin that is not empty, as high as its accuracy, with its size above it.

    A point marks the mean score of a bin on the diagonal, where a calibrated model's bars end.
    """
    picture = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {HEIGHT}",
            "font-family": "sans-serif",
            "font-size": "13",
            "text-anchor": "middle",
        },
    )
    SubElement(picture, "rect", {"width": "100%", "height": "100%", "fill": "white"})
    _draw_titles(picture, bins, model_version, wording)
    _draw_axes(picture)
    filled = [one for one in bins if one.size]
    for one in filled:
        _draw_bar(picture, one)
    _draw_line(picture, (0, 0), (1, 1), "#555555", {"stroke-dasharray": "5 4"})
    for one in filled:
        _draw_mean(picture, one)
    indent(picture)
    return tostring(picture, encoding="unicode") + "\n"


def _draw_titles(picture: Element, bins: Sequence[Bin], model_version: str, wording: Wording) -> None:
    size = sum(one.size for one in bins)
    error = f", expected calibration error {expected_calibration_error(bins):.3f}" if size else ""
    middle = LEFT + SIDE / 2
    _write(picture, (middle, 28), model_version, {"font-weight": "bold"})
    _write(picture, (middle, 48), f"{size} {wording.things}{error}")
    _write(picture, (middle, TOP + SIDE + 45), f"{wording.score} (point: mean of its bin)")
    turned = {"transform": f"rotate(-90 22 {TOP + SIDE / 2})"}
    _write(picture, (22, TOP + SIDE / 2), wording.share, turned)


def _draw_axes(picture: Element) -> None:
    for tick in _TICKS:
        _draw_line(picture, (0, tick), (1, tick), LINES)
        across, down = _place(tick, tick)
        _write(picture, (across, TOP + SIDE + 20), f"{tick:.1f}")
        _write(picture, (LEFT - 8, down + 4), f"{tick:.1f}", {"text-anchor": "end"})


def _draw_bar(picture: Element, one: Bin) -> None:
    left, top = _place(one.low, one.accuracy)
    right, bottom = _place(one.high, 0)
    shape = {"x": left + 1, "y": top, "width": right - left - 2, "height": bottom - top}
    SubElement(picture, "rect", {**_figures(shape), "fill": BAR, "fill-opacity": "0.75"})
    _write(picture, ((left + right) / 2, top - 6), f"{one.right}/{one.size}", {"font-size": "11"})


def _draw_mean(picture: Element, one: Bin) -> None:
    across, down = _place(one.mean_score, one.mean_score)
    SubElement(picture, "circle", {**_figures({"cx": across, "cy": down, "r": 4}), "fill": MEAN})


def _draw_line(
    picture: Element,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    extra: dict[str, str] | None = None,
) -> None:
    (left, top), (right, bottom) = _place(*start), _place(*end)
    ends = _figures({"x1": left, "y1": top, "x2": right, "y2": bottom})
    SubElement(picture, "line", {**ends, "stroke": colour, **(extra or {})})


def _write(
    picture: Element, place: tuple[float, float], text: str, extra: dict[str, str] | None = None
) -> None:
    across, down = place
    SubElement(picture, "text", {**_figures({"x": across, "y": down}), **(extra or {})}).text = text


def _place(score: float, share: float) -> tuple[float, float]:
    """Turn a point of the plot, both axes from 0 to 1, into px."""
    return LEFT + SIDE * score, TOP + SIDE * (1 - share)


def _figures(values: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:.1f}" for name, value in values.items()}
