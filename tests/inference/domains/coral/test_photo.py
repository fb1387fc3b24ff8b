from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps
from tests.support.images import animation, drawing, encode, jpeg, png_of, sixteen_bit_png

from menagerie_inference.domains.coral.photo import MAX_PIXELS, MAX_SIDE, open_photo
from menagerie_inference.errors import ImageDamaged, ImageTooLarge, ImageUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_every_pixel_of_a_lossless_file_is_kept(name: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (301, 499, 3), np.uint8))
    photo = open_photo(encode(noise, name)).image
    assert photo.mode == "RGB"
    assert photo.tobytes() == noise.tobytes()


@pytest.mark.parametrize("name", ["JPEG", "WEBP", "GIF", "AVIF"])
def test_every_format_is_opened_at_its_full_size(name: str) -> None:
    data = encode(drawing().resize((1999, 1501)), name)
    photo = open_photo(data).image
    assert (photo.mode, photo.size) == ("RGB", (1999, 1501))
    assert photo.tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encode(drawing(), "PNG", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    photo = open_photo(data).image
    assert photo.size == upright.size == ((320, 240) if orientation < 5 else (240, 320))
    assert photo.tobytes() == upright.tobytes()


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    assert open_photo(encode(clear, "PNG")).image.getcolors() == [(100, (255, 255, 255))]


def test_deep_greys_and_animations_are_opened() -> None:
    grey = open_photo(sixteen_bit_png()).image
    assert np.abs(np.asarray(grey).astype(int) - np.asarray(drawing("L").convert("RGB"))).max() <= 1
    first = np.asarray(open_photo(animation()).image).astype(int)
    assert np.abs(first - np.asarray(drawing())).mean() < 4


def test_nothing_but_pixels_is_left() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encode(drawing("CMYK"), "JPEG", icc_profile=profile, dpi=(300, 300), comment=b"a reef")
    assert open_photo(data).image.info == {}


def test_the_limit_is_on_pixels_and_exact() -> None:
    assert open_photo(jpeg(), max_pixels=320 * 240).image.size == (320, 240)
    with pytest.raises(ImageTooLarge, match="320 x 240"):
        open_photo(jpeg(), max_pixels=320 * 240 - 1)


@pytest.mark.parametrize(("width", "height"), [(6325, 6325), (30_000, 30_000), (MAX_SIDE + 1, 1)])
def test_a_bomb_is_refused_by_its_header(width: int, height: int) -> None:
    header = png_of(width, height)[:50]  # without pixels: to decode any would be another error
    with pytest.raises(ImageTooLarge, match=f"{width} x {height}"):
        open_photo(header)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (MAX_SIDE, 1), (1, MAX_SIDE), (8000, 5000)])
def test_the_smallest_the_longest_and_the_largest(width: int, height: int) -> None:
    assert width * height <= MAX_PIXELS
    photo = open_photo(png_of(width, height)).image
    assert photo.size == (width, height)
    assert photo.getextrema() == ((0, 0), (0, 0), (0, 0))


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda data: b"reef" + data, ImageUnreadable),
        (lambda data: data[: len(data) // 2], ImageDamaged),
        (lambda data: data[:20], ImageDamaged),
    ],
)
def test_what_is_no_image_or_breaks_off(spoil: Callable[[bytes], bytes], error: type[Exception]) -> None:
    with pytest.raises(error):
        open_photo(spoil(jpeg()))
