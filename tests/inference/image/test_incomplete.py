"""Files that cameras and interrupted uploads leave: what decides is how much of the picture there is."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from menagerie_inference.errors import ImageDamaged
from menagerie_inference.image import InputSpec, decode
from menagerie_inference.image.decode import load
from menagerie_inference.image.pillow import open_image, without_metadata

SIZE = (320, 240)
SPEC = InputSpec(*SIZE)
END = b"\xff\xd9"
NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
SCENE = Image.fromarray(NOISE).resize(SIZE, Image.Resampling.BICUBIC)


def _file(name: str, image: Image.Image = SCENE, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def _missing(data: bytes) -> int:
    return load(open_image(data, max_pixels=10**9), data, max(SIZE)).missing_rows


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_without_its_end_marker_is_the_whole(mode: str, *, progressive: bool) -> None:
    whole = _file("jpeg", SCENE.convert(mode), progressive=progressive)
    assert (decode(whole.removesuffix(END), SPEC).pixels == decode(whole, SPEC).pixels).all()


@pytest.mark.parametrize("end", [b"", END], ids=["no marker", "marker"])
def test_more_than_half_a_jpeg_is_decoded_with_and_without_its_end_marker(end: bytes) -> None:
    whole = _file("jpeg", quality=95)
    cut = whole[: len(whole) * 3 // 4] + end
    assert _missing(cut) == pytest.approx(SIZE[1] // 4, abs=24)
    difference = decode(cut, SPEC).pixels.astype(int) - decode(whole, SPEC).pixels
    assert not difference[:150].any()
    assert not np.ptp(decode(cut, SPEC).pixels[-1], axis=0).any()


@pytest.mark.parametrize("end", [b"", END], ids=["no marker", "marker"])
def test_less_than_half_a_jpeg_is_damaged_with_and_without_its_end_marker(end: bytes) -> None:
    whole = _file("jpeg", quality=95)
    with pytest.raises(ImageDamaged, match=r"breaks off after .* of 240 rows"):
        decode(whole[: len(whole) * 2 // 5] + end, SPEC)


def test_a_progressive_jpeg_is_whole_after_its_first_scan() -> None:
    whole = _file("jpeg", progressive=True)
    difference = decode(whole[: len(whole) // 2], SPEC).pixels.astype(int) - decode(whole, SPEC).pixels
    assert np.abs(difference).mean() < 20
    first_scan = whole.index(b"\xff\xda")
    with pytest.raises(ImageDamaged):
        decode(whole[: first_scan + (whole.index(b"\xff\xda", first_scan + 2) - first_scan) // 4], SPEC)


def test_a_preview_is_not_taken_for_the_photograph() -> None:
    preview = b"Exif\0\0" + _file("jpeg", SCENE.resize((80, 60)))
    whole = _file("jpeg", quality=95)
    whole = whole[:2] + b"\xff\xe1" + (len(preview) + 2).to_bytes(2) + preview + whole[2:]
    assert whole.count(END) > 1
    assert _missing(whole[: len(whole) * 4 // 5]) > 0
    assert _missing(whole) == 0


@pytest.mark.parametrize("colour", ["black", "white", (77, 3, 200)])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("top", [0, 150])
def test_a_photograph_that_is_flat_itself_is_whole(
    colour: str | tuple[int, int, int], top: int, *, progressive: bool
) -> None:
    night = Image.new("RGB", SIZE, colour)
    night.paste(SCENE.crop((0, 0, 320, top)), (0, 0))
    whole = _file("jpeg", night, progressive=progressive)
    assert _missing(whole) == _missing(whole.removesuffix(END)) == 0


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P"])
def test_a_png_is_decoded_as_far_as_it_goes(mode: str) -> None:
    whole = _file("png", SCENE.convert(mode))
    assert _missing(whole[: len(whole) * 3 // 4]) == pytest.approx(SIZE[1] // 4, abs=24)
    assert _missing(whole[:-12]) == 0  # only its end chunk is missing
    with pytest.raises(ImageDamaged):
        decode(whole[: len(whole) // 3], SPEC)


def _chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


@pytest.mark.parametrize("place", [33, -12], ids=["before the pixels", "behind them"])
@pytest.mark.parametrize(
    "chunk",
    [
        _chunk(b"tEXt", b"Comment\0night", checksum=1),
        _chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(2 * 1024**2))),
        _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 * 1024**2))),
        _chunk(b"eXIf", b"no Exif", checksum=1),
    ],
    ids=["wrong checksum", "large profile", "large comment", "damaged Exif"],
)
def test_a_pngs_metadata_does_not_spoil_its_pixels(chunk: bytes, place: int) -> None:
    whole = _file("png")
    spoilt = whole[:place] + chunk + whole[place:]
    assert (decode(spoilt, SPEC).pixels == decode(whole, SPEC).pixels).all()


def test_what_is_seen_of_a_png_is_no_metadata() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    comment = PngImagePlugin.PngInfo()
    comment.add_text("Comment", "night")
    whole = _file("png", SCENE.convert("P"), exif=exif, transparency=0, pnginfo=comment)
    bare = without_metadata(whole)
    assert b"tEXt" not in bare
    assert all(kind in bare for kind in (b"eXIf", b"tRNS", b"PLTE", b"IEND"))


@pytest.mark.parametrize("name", ["gif", "webp", "tiff", "bmp", "avif"])
def test_other_formats_are_whole_or_damaged(name: str) -> None:
    whole = _file(name)
    with pytest.raises(ImageDamaged):
        decode(whole[: len(whole) * 3 // 4], SPEC)


@given(cut=st.integers(0, 10**6), progressive=st.booleans(), name=st.sampled_from(["jpeg", "png"]))
def test_a_file_cut_anywhere_is_the_photograph_or_damaged(cut: int, name: str, *, progressive: bool) -> None:
    whole = _file(name, progressive=progressive) if name == "jpeg" else _file(name)
    try:
        missing = _missing(whole[: 100 + cut % (len(whole) - 100)])
    except ImageDamaged:
        return
    assert missing <= SIZE[1] // 2
