from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from menagerie_inference.errors import ImageDamaged, ImageError, ImageTooLarge, ImageUnreadable
from menagerie_inference.image import InputSpec, decode_each, decode_frames
from menagerie_inference.image.frames import MAX_ANIMATION, spread

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = InputSpec(16, 16)
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")


def animation(encode: Callable[..., bytes], name: str, count: int, size: tuple[int, int] = (32, 24)) -> bytes:
    """Frames that get brighter, so that each can be told by its grey."""
    frames = [Image.new("RGB", size, (20 * place, 20 * place, 20 * place)) for place in range(count)]
    return encode(frames[0], name, save_all=True, append_images=frames[1:])


def greys(data: bytes, count: int) -> list[int]:
    decoded = decode_frames(data, (SPEC,), count=count)
    return [round(float(frame[0].pixels.mean()) / 20) for frame in decoded.frames]


@given(total=st.integers(1, 10_000), count=st.integers(1, 20))
def test_frames_are_spread_from_the_first_to_the_last(total: int, count: int) -> None:
    places = spread(total, count)
    assert len(places) == min(total, count)
    assert len(set(places)) == len(places)
    assert places[0] == 0
    assert list(places) == sorted(places)
    if count > 1:
        assert places[-1] == total - 1
        gaps = [after - before for before, after in itertools.pairwise(places)]
        assert not gaps or max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("name", [*ANIMATED, "TIFF"])
def test_frames_of_every_format_are_decoded(encode: Callable[..., bytes], name: str) -> None:
    data = animation(encode, name, 11)
    assert greys(data, 5) == [0, 2, 5, 8, 10]
    assert greys(data, 1) == [0]
    assert greys(data, 2) == [0, 10]
    assert greys(data, 100) == list(range(11))
    assert decode_frames(data, (SPEC,)).total == 11


@pytest.mark.parametrize("name", [*ANIMATED, "TIFF", "JPEG", "BMP"])
def test_a_still_image_has_one_frame(encode: Callable[..., bytes], picture: Image.Image, name: str) -> None:
    data = encode(picture, name)
    specs = (SPEC, InputSpec(8, 4, resize="pad"))
    decoded = decode_frames(data, specs)
    assert decoded.total == 1
    [frame] = decoded.frames
    for one, other in zip(frame, decode_each(data, specs), strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert (one.width, one.height) == (other.width, other.height) == picture.size


def test_pages_of_a_tiff_may_have_sizes_of_their_own(encode: Callable[..., bytes]) -> None:
    pages = [Image.new("RGB", (30, 20)), Image.new("L", (10, 50))]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    sizes = [(frame[0].width, frame[0].height) for frame in decode_frames(data, (SPEC,)).frames]
    assert sizes == [(30, 20), (10, 50)]


def test_a_page_that_is_too_large_is_refused(encode: Callable[..., bytes]) -> None:
    pages = [Image.new("L", (10, 10)), Image.new("L", (11, 10))]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(ImageTooLarge, match="frame 1 has 11 x 10 px; at most 100 pixels are decoded"):
        decode_frames(data, (SPEC,), max_pixels=100)


@pytest.mark.parametrize("name", ANIMATED)
def test_an_animation_has_a_bound_on_all_its_frames(encode: Callable[..., bytes], name: str) -> None:
    enough = animation(encode, name, MAX_ANIMATION, (16, 16))
    assert decode_frames(enough, (SPEC,), max_pixels=256).total == MAX_ANIMATION
    over = animation(encode, name, MAX_ANIMATION + 1, (16, 16))
    with pytest.raises(ImageTooLarge, match="the animation has 11 frames of 16 x 16 px; at most 2560 pixels"):
        decode_frames(over, (SPEC,), max_pixels=256)


def test_a_tiff_of_many_pages_is_not_an_animation(encode: Callable[..., bytes]) -> None:
    data = animation(encode, "TIFF", MAX_ANIMATION + 2, (16, 16))
    assert decode_frames(data, (SPEC,), max_pixels=256).total == MAX_ANIMATION + 2


def test_a_frame_that_makes_a_gif_grow_is_refused(encode: Callable[..., bytes]) -> None:
    """Pillow enlarges the image when a frame lies beyond the screen that the header tells of."""
    data = bytearray(animation(encode, "GIF", 3))
    last = data.rindex(b"\x21\xf9") + 8  # behind the last graphic control extension
    assert data[last : last + 1] == b"\x2c"  # an image descriptor: left, top, width, height follow
    data[last + 1 : last + 9] = struct.pack("<4H", 0, 0, 65000, 65000)
    with pytest.raises(ImageTooLarge, match="frame 2 has 65000 x 65000 px"):
        decode_frames(bytes(data), (SPEC,))


@pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")  # as the package does outside of tests
@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_that_breaks_off_is_damaged(encode: Callable[..., bytes], name: str) -> None:
    generator = np.random.default_rng(0)
    frames = [Image.fromarray(generator.integers(0, 256, (40, 40, 3), np.uint8)) for _ in range(4)]
    data = encode(frames[0], name, save_all=True, append_images=frames[1:])
    with pytest.raises(ImageDamaged):
        decode_frames(data[: len(data) * 2 // 3], (SPEC,))


def test_what_is_no_image_is_unreadable() -> None:
    with pytest.raises(ImageUnreadable):
        decode_frames(b"GIF, but not really", (SPEC,))


def test_the_default_is_five_frames(encode: Callable[..., bytes]) -> None:
    assert len(decode_frames(animation(encode, "GIF", 12), (SPEC,)).frames) == 5


@pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")
@pytest.mark.parametrize("name", [*ANIMATED, "TIFF"])
@given(place=st.integers(0, 10_000), value=st.integers(0, 255), length=st.integers(8, 10_000))
def test_damaged_bytes_are_decoded_or_refused(
    encode: Callable[..., bytes], name: str, place: int, value: int, length: int
) -> None:
    data = bytearray(animation(encode, name, 4)[:length])
    data[place % len(data)] = value
    try:
        decoded = decode_frames(bytes(data), (SPEC,), max_pixels=100_000)
    except ImageError:
        return
    assert 1 <= len(decoded.frames) <= 5
