"""Draws the gate's scores of cetaceans and of other things, in SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_training.evaluation.metrics import BinaryScore

WIDTH: Final = 640
HEIGHT: Final = 300
LEFT: Final = 50
SPAN: Final = 560
"""All in px; the axis of scores is SPAN long and starts at LEFT."""

MIDDLE: Final = 160
"""Where the bars of both kinds meet, in px from the top: cetaceans above it, other things below."""

TALLEST: Final = 90
BINS: Final = 40
CETACEAN: Final = "#4477aa"
OTHER: Final = "#cc3311"


def score_diagram(result: BinaryScore, model_version: str) -> str:
    """Draw the two classes' histograms back to back; each is as tall as its fullest bin.

    Wrong answers are drawn in a darker colour.
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
    truth, right = result.truth, result.predicted == result.truth
    _write(picture, WIDTH / 2, 24, model_version, {"font-weight": "bold"})
    _draw_kind(picture, result.scores[truth], right[truth], CETACEAN, -1)
    _draw_kind(picture, result.scores[~truth], right[~truth], OTHER, 1)
    _write(picture, WIDTH / 2, 46, _count("cetaceans", right[truth], "pass"), {"fill": CETACEAN})
    _write(picture, WIDTH / 2, HEIGHT - 8, _count("other things", right[~truth], "refused"), {"fill": OTHER})
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        _write(picture, LEFT + SPAN * tick, HEIGHT - 28, f"{tick:g}", {})
    indent(picture)
    return tostring(picture, encoding="unicode") + "\n"


def _count(kind: str, right: NDArray[np.bool_], what: str) -> str:
    return f"{int(right.sum())} of {len(right)} {kind} {what}"


def _draw_kind(
    picture: Element, scores: NDArray[np.float64], right: NDArray[np.bool_], colour: str, direction: int
) -> None:
    """Draw one kind's bars upwards (-1) or downwards (1) from the middle; a square root shows single ones."""
    counts, wrong = (_histogram(part) for part in (scores, scores[~right]))
    scale = TALLEST / np.sqrt(max(counts.max(), 1))
    for place, (count, mistaken) in enumerate(zip(counts, wrong, strict=True)):
        for height, opacity in ((np.sqrt(count) * scale, "0.6"), (np.sqrt(mistaken) * scale, "1")):
            if height:
                top = MIDDLE - height if direction < 0 else MIDDLE
                _draw_bar(picture, place, (float(top), float(height)), {"fill": colour, "opacity": opacity})


def _histogram(scores: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.histogram(scores, bins=BINS, range=(0.0, 1.0))[0]


def _draw_bar(picture: Element, place: int, extent: tuple[float, float], style: dict[str, str]) -> None:
    width = SPAN / BINS
    figures = {"x": LEFT + place * width + 0.5, "y": extent[0], "width": width - 1, "height": extent[1]}
    SubElement(picture, "rect", {**{name: f"{value:.1f}" for name, value in figures.items()}, **style})


def _write(picture: Element, across: float, down: float, text: str, style: dict[str, str]) -> None:
    SubElement(picture, "text", {"x": f"{across:.1f}", "y": f"{down:.1f}", **style}).text = text
