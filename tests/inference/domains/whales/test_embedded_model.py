"""The embedded gate, run on photographs and on what people scan, draw and capture."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from menagerie_inference.domains.whales import CUTOUT, Sighting, WhaleInterpreter, cut_out
from menagerie_inference.image import decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from menagerie_inference.backends import Backend
    from menagerie_inference.manifest import Manifest

    Look = Callable[[bytes], Sighting]

PHOTOS = sorted(Path("tests/photos").glob("*.jpg"))
NARWHALS = Path("tests/photos/cetaceans/narwhals.jpg")
WORDS = [
    "whale",
    "surfaced",
    "boat",
    "noon",
    "dived",
    "again",
    "after",
    "two",
    "minutes",
    "fin",
    "old",
    "scar",
]


@pytest.fixture
def look(embedded: Manifest, backend: Backend) -> Look:
    interpreter = WhaleInterpreter(embedded)

    def look(data: bytes) -> Sighting:
        photo = decode(data, embedded.input)
        outputs = {name: rows[0] for name, rows in backend.run(photo.pixels[None]).items()}
        assert np.linalg.norm(interpreter.embedder.embed(outputs)) == pytest.approx(1, abs=1e-5)
        return interpreter.look(outputs, photo.width, photo.height)

    return look


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def document(seed: int) -> Image.Image:
    """A page of text, a heading and a table, scanned: grey, a little turned, not quite sharp."""
    choice = random.Random(seed)  # noqa: S311
    page = Image.new("RGB", (620, 877), "white")
    draw = ImageDraw.Draw(page)
    draw.text((60, 50), " ".join(choice.sample(WORDS, 4)).upper(), fill="black", font_size=24)
    for line in range(30):
        draw.text((60, 110 + 18 * line), " ".join(choice.choices(WORDS, k=14)), fill="#202020", font_size=12)
    for row in range(5):
        draw.rectangle((60, 680 + 30 * row, 560, 710 + 30 * row), outline="black")
        draw.text((70, 688 + 30 * row), f"{choice.random():.4f}    {choice.choice(WORDS)}", fill="black")
    page = page.rotate(choice.uniform(-3, 3), Image.Resampling.BICUBIC, fillcolor="#d8d8d0")
    return page.filter(ImageFilter.GaussianBlur(choice.uniform(0, 1)))


def screenshot(seed: int) -> Image.Image:
    """Windows of text with bars and buttons, on a plain desktop."""
    choice = random.Random(seed)  # noqa: S311
    screen = Image.new("RGB", (1280, 800), choice.choice(["#005577", "#1e1e1e", "#f0f0f0", "#0b3d91"]))
    draw = ImageDraw.Draw(screen)
    for _ in range(3):
        left, top = choice.randrange(600), choice.randrange(350)
        draw.rectangle((left, top, left + 600, top + 420), fill="white", outline="#404040")
        draw.rectangle((left, top, left + 600, top + 28), fill=choice.choice(["#3366cc", "#444444"]))
        for line in range(18):
            draw.text((left + 14, top + 40 + 20 * line), " ".join(choice.choices(WORDS, k=10)), fill="black")
    draw.rectangle((0, 765, 1280, 800), fill="#222222")
    return screen


def drawing(seed: int) -> Image.Image:
    """Lines of a pencil: curves, a horizon, and the outline of a fin."""
    choice = random.Random(seed)  # noqa: S311
    paper = Image.new("RGB", (640, 480), choice.choice(["white", "#fbf7e8"]))
    draw = ImageDraw.Draw(paper)
    for _ in range(8):
        points = [(choice.randrange(640), choice.randrange(480)) for _ in range(6)]
        draw.line(points, fill=choice.choice(["black", "#333366", "#993333"]), width=3, joint="curve")
    draw.line((0, 330, 640, 330), fill="black", width=2)
    draw.line([(220, 330), (300, 190), (330, 200), (380, 330)], fill="black", width=4, joint="curve")
    return paper


@pytest.mark.parametrize("render", [document, screenshot, drawing])
@pytest.mark.parametrize("seed", range(8))
def test_what_is_no_photograph_is_turned_away(
    look: Look, render: Callable[[int], Image.Image], seed: int
) -> None:
    assert not look(png(render(seed))).is_cetacean


@pytest.mark.parametrize("colour", ["white", "black", "#72a0c1", "#727272"])
def test_a_plain_colour_is_turned_away(look: Look, colour: str) -> None:
    assert not look(png(Image.new("RGB", (800, 600), colour))).is_cetacean


def test_noise_is_turned_away(look: Look) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (400, 600, 3), np.uint8)
    assert not look(png(Image.fromarray(noise))).is_cetacean


@pytest.mark.parametrize(
    "path", [path for path in PHOTOS if path.stem != "dolphin"], ids=lambda path: path.stem
)
def test_other_photographs_are_turned_away(look: Look, path: Path) -> None:
    assert not look(path.read_bytes()).is_cetacean


def test_whales_pass(look: Look) -> None:
    sighting = look(NARWHALS.read_bytes())
    assert sighting.is_cetacean
    assert sighting.score > 0.9


def test_the_box_and_the_cut_out_are_of_a_part_of_the_photograph(look: Look) -> None:
    data = NARWHALS.read_bytes()
    sighting = look(data)
    left, top, right, bottom = sighting.bbox
    assert 0 <= left < right <= sighting.width == 640
    assert 0 <= top < bottom <= sighting.height == 331
    assert (right - left) * (bottom - top) < 0.9 * 640 * 331
    assert sighting.activation is not None
    with Image.open(io.BytesIO(cut_out(decode(data, CUTOUT), sighting.activation))) as image:
        alpha = np.asarray(image)[..., 3]
    assert alpha.shape == (331, 640)
    assert alpha[top:bottom, left:right].max() == 255
    alpha = alpha.copy()
    alpha[top:bottom, left:right] = 0
    assert not alpha.any()


def test_the_manifest_tells_how_it_was_measured(embedded: Manifest) -> None:
    assert embedded.training is not None
    for fact in ("AUC", "95 % interval", "cetaceans"):
        assert fact in embedded.training.conditions
