from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from menagerie_inference.domains.coral.overlay import tint, write_overlay
from menagerie_inference.domains.coral.result import BLEACHED, HEALTHY, UNSURE, ChunkResult
from menagerie_inference.domains.coral.tiling import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLOURS = {BLEACHED: (239, 68, 68), HEALTHY: (34, 197, 94), UNSURE: (251, 146, 60)}


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def judged(width: int, height: int, seed: int = 0) -> list[ChunkResult]:
    labels = np.random.default_rng(seed).choice([BLEACHED, HEALTHY, UNSURE], len(Grid(width, height)))
    return [
        ChunkResult(*tile, 0.5, str(label)) for tile, label in zip(Grid(width, height), labels, strict=True)
    ]


def reference(photo: Image.Image, chunks: list[ChunkResult]) -> NDArray[np.uint8]:
    """Mix each pixel by itself, and round to the nearest."""
    pixels = np.asarray(photo).astype(float)
    for chunk in chunks:
        part = pixels[chunk.y : chunk.y + chunk.height, chunk.x : chunk.x + chunk.width]
        alpha = np.full(part.shape[:2], 220.0)
        alpha[2:-2, 2:-2] = 90
        share = alpha[..., None] / 255
        part[:] = part * (1 - share) + np.array(COLOURS[chunk.predicted_label]) * share
    return np.asarray(np.rint(pixels), np.uint8)


def written(photo: Image.Image, chunks: list[ChunkResult]) -> bytes:
    file = io.BytesIO()
    write_overlay(photo, chunks, file)
    return file.getvalue()


@settings(max_examples=60)
@given(st.integers(1, 600), st.integers(1, 600), st.integers(0, 99))
def test_it_equals_a_pixel_by_pixel_mix(width: int, height: int, seed: int) -> None:
    photo, chunks = noise(width, height, seed), judged(width, height, seed)
    expected = reference(photo, chunks)
    result = Image.open(io.BytesIO(written(photo, chunks)))
    assert (result.format, result.mode, result.size) == ("PNG", "RGB", (width, height))
    assert (np.asarray(result) == expected).all()


@settings(max_examples=60)
@given(st.integers(1, 600), st.integers(1, 600), st.data())
def test_a_tint_touches_the_pixels_of_its_chunk_and_no_others(
    width: int, height: int, data: st.DataObject
) -> None:
    photo = Image.new("RGB", (width, height), (1, 2, 3))
    chunk = data.draw(st.sampled_from(judged(width, height)))
    tint(photo, chunk)
    touched = (np.asarray(photo) != (1, 2, 3)).any(axis=-1)
    assert touched[chunk.y : chunk.y + chunk.height, chunk.x : chunk.x + chunk.width].all()
    assert touched.sum() == chunk.width * chunk.height


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_a_chunk_of_four_pixels_is_all_outline(side: int) -> None:
    for size in ((side, 100), (100, side)):
        photo = Image.new("RGB", size, "black")
        tint(photo, ChunkResult(0, 0, *size, 0.9, BLEACHED))
        assert photo.getcolors() == [(100 * side, (206, 59, 59))]  # 220/255 of the red


def test_the_same_photograph_and_chunks_give_the_same_bytes() -> None:
    chunks = judged(700, 500)
    assert written(noise(700, 500), chunks) == written(noise(700, 500), chunks)


class Pipe:
    """A file that can only be written to, and counts what is: as a network connection is."""

    def __init__(self) -> None:
        self.pieces: list[int] = []

    def write(self, data: bytes) -> int:
        self.pieces.append(len(data))
        return len(data)


def test_it_is_written_in_small_pieces() -> None:
    pipe = Pipe()
    write_overlay(noise(2000, 1500), judged(2000, 1500), pipe)  # type: ignore[arg-type]
    assert sum(pipe.pieces) > 5_000_000
    assert max(pipe.pieces) <= 2**19


def test_plain_areas_are_small() -> None:
    photo = Image.new("RGB", (2440, 2440), "navy")
    assert len(written(photo, judged(2440, 2440))) < 2440 * 2440 * 3 / 50


def test_noise_is_no_larger_than_it_has_to_be() -> None:
    plain = len(zlib.compress(noise(732, 732).tobytes()))
    assert len(written(noise(732, 732), [])) < plain * 1.01


class Full(Pipe):
    def write(self, data: bytes) -> int:
        raise OSError(28, f"No space left for {len(data)} bytes")


def test_what_the_file_raises_comes_through() -> None:
    with pytest.raises(OSError, match="No space left"):
        write_overlay(noise(300, 300), judged(300, 300), Full())  # type: ignore[arg-type]
