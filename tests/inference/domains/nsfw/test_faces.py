from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from menagerie_inference.domains.box import Box
from menagerie_inference.domains.nsfw.faces import SOURCE, cut_faces
from menagerie_inference.image import DecodedImage, InputSpec
from menagerie_inference.image.fit import fit

SPEC = InputSpec(64, 64)


def source(image: Image.Image) -> DecodedImage:
    return DecodedImage(np.asarray(fit(image, SOURCE)), *image.size)


def scene(width: int, height: int, box: tuple[int, int, int, int]) -> DecodedImage:
    """A blue scene with a red face."""
    image = Image.new("RGB", (width, height), "blue")
    image.paste("red", box)
    return source(image)


@pytest.mark.parametrize(("width", "height"), [(800, 400), (400, 800), (512, 512), (60, 80)])
def test_a_face_is_cut_out_where_it_is(width: int, height: int) -> None:
    """In photographs of any shape, though the source is padded; with its margin around."""
    side = min(width, height) // 4
    left, top = width // 2, height // 4
    photo = scene(width, height, (left, top, left + side, top + side))
    box = Box(left / width, top / height, side / width, side / height)
    [face] = cut_faces(photo, [box], 0.5, SPEC)
    red = (face[..., 0] > 200) & (face[..., 2] < 50)
    rows, columns = np.nonzero(red)
    # The face is the middle half of the square that has half a face around it.
    assert [rows.min(), columns.min(), rows.max(), columns.max()] == pytest.approx([16, 16, 47, 47], abs=2)
    assert red.mean() == pytest.approx(0.25, abs=0.05)
    assert face[0, 0].tolist() == [0, 0, 255]


def test_an_oblong_box_is_cut_as_a_square_of_its_longer_side() -> None:
    photo = scene(400, 400, (150, 100, 250, 300))
    [face] = cut_faces(photo, [Box(0.375, 0.25, 0.25, 0.5)], 0.0, SPEC)
    red = face[32, :, 0] > 200
    assert red.sum() == pytest.approx(32, abs=2)


def test_what_lies_outside_is_black() -> None:
    photo = source(Image.new("RGB", (512, 512), "white"))
    [face] = cut_faces(photo, [Box(0.0, 0.0, 0.25, 0.25)], 0.5, SPEC)
    assert face[0, 0].tolist() == [0, 0, 0]
    assert face[-1, -1].tolist() == [255, 255, 255]


def test_no_face_is_no_image() -> None:
    photo = source(Image.new("RGB", (50, 50)))
    assert cut_faces(photo, [], 0.2, SPEC).shape == (0, 64, 64, 3)


@given(
    corner=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    size=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    margin=st.floats(0, 2),
)
def test_any_box_can_be_cut(corner: tuple[float, float], size: tuple[float, float], margin: float) -> None:
    photo = DecodedImage(np.zeros((512, 512, 3), np.uint8), 640, 480)
    assert cut_faces(photo, [Box(*corner, *size)], margin, SPEC).shape == (1, 64, 64, 3)
