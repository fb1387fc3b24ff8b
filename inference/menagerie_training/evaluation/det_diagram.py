"""Draws detection error tradeoffs as an SVG picture: false rejects against false accepts.

Both axes have the scale of the normal distribution, on which the curve of normally distributed scores is a
line: Martin et al. 1997, "The DET curve in assessment of detection task performance".
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from menagerie_training.evaluation.verification import Trials

WIDTH: Final = 560
HEIGHT: Final = 560
LEFT: Final = 80
TOP: Final = 70
SIDE: Final = 420
"""All in px; the plot is a square of SIDE, LEFT and TOP off the picture's corner."""

LOWEST: Final = 0.0005
HIGHEST: Final = 0.5
"""The errors at the ends of both axes; beyond them a curve runs along the edge."""

TICKS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
COLOURS: Final = ("#cc3311", "#4477aa", "#228833", "#aa3377", "#66ccee")
_LINES: Final = "#dddddd"
_PROBIT: Final = NormalDist().inv_cdf


def det_diagram(trials: Mapping[str, Trials], title: str) -> str:
    """Draw a curve for each of some trials, by its name, at most as many as `COLOURS`."""
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
    _write(picture, (LEFT + SIDE / 2, 30), title, {"font-weight": "bold"})
    _draw_axes(picture)
    for place, ((name, one), colour) in enumerate(zip(trials.items(), COLOURS, strict=False)):
        _draw_curve(picture, one, colour)
        text = f"{name}: EER {one.equal_error_rate:.2%}"
        right = (LEFT + SIDE - 10, TOP + 22 + 18 * place)
        _write(picture, right, text, {"fill": colour, "text-anchor": "end"})
    indent(picture)
    return tostring(picture, encoding="unicode") + "\n"


def _draw_axes(picture: Element) -> None:
    for tick in TICKS:
        for start, end in (((tick, LOWEST), (tick, HIGHEST)), ((LOWEST, tick), (HIGHEST, tick))):
            ends = dict(zip(("x1", "y1", "x2", "y2"), (*_place(*start), *_place(*end)), strict=True))
            SubElement(picture, "line", {**_figures(ends), "stroke": _LINES})
        across, down = _place(tick, tick)
        _write(picture, (across, TOP + SIDE + 20), f"{tick * 100:g}", {})
        _write(picture, (LEFT - 8, down + 4), f"{tick * 100:g}", {"text-anchor": "end"})
    _write(picture, (LEFT + SIDE / 2, TOP + SIDE + 45), "false accepts, % of impostors", {})
    turned = {"transform": f"rotate(-90 26 {TOP + SIDE / 2})"}
    _write(picture, (26, TOP + SIDE / 2), "false rejects, % of genuine comparisons", turned)
    (left, bottom), (right, top) = _place(LOWEST, LOWEST), _place(HIGHEST, HIGHEST)
    ends = {"x1": left, "y1": bottom, "x2": right, "y2": top}
    SubElement(picture, "line", {**_figures(ends), "stroke": "#999999", "stroke-dasharray": "5 4"})


def _draw_curve(picture: Element, trials: Trials, colour: str) -> None:
    """Draw a step for each threshold: between two scores nothing changes."""
    errors = zip(trials.tradeoff.false_accepts.tolist(), trials.tradeoff.false_rejects.tolist(), strict=True)
    points = dict.fromkeys(f"{across:.1f},{down:.1f}" for across, down in (_place(*pair) for pair in errors))
    SubElement(
        picture,
        "polyline",
        {"points": " ".join(points), "fill": "none", "stroke": colour, "stroke-width": "2"},
    )


def _place(false_accepts: float, false_rejects: float) -> tuple[float, float]:
    low, high = _PROBIT(LOWEST), _PROBIT(HIGHEST)
    across, up = (
        (_PROBIT(min(max(error, LOWEST), HIGHEST)) - low) / (high - low)
        for error in (false_accepts, false_rejects)
    )
    return LEFT + SIDE * across, TOP + SIDE * (1 - up)


def _write(picture: Element, place: tuple[float, float], text: str, style: Mapping[str, str]) -> None:
    SubElement(picture, "text", {**_figures({"x": place[0], "y": place[1]}), **style}).text = text


def _figures(values: Mapping[str, float]) -> dict[str, str]:
    return {name: f"{value:.1f}" for name, value in values.items()}
