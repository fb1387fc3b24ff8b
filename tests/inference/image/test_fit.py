from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from menagerie_inference.image import InputSpec, Resize
from menagerie_inference.image.fit import fit

PADDING = [114, 114, 114]


def _halves() -> Image.Image:
    """40 x 20 px: a red left half and a blue right one."""
    image = Image.new("RGB", (40, 20), "red")
    image.paste("blue", (20, 0, 40, 20))
    return image


def test_squash_keeps_every_part() -> None:
    pixels = np.asarray(fit(_halves(), InputSpec(8, 8, "squash")))
    assert (pixels[:, :3] == [255, 0, 0]).all()
    assert (pixels[:, 5:] == [0, 0, 255]).all()


def test_pad_keeps_the_shape_and_fills_above_and_below() -> None:
    pixels = np.asarray(fit(_halves(), InputSpec(8, 8, "pad")))
    assert (pixels[:2] == PADDING).all()
    assert (pixels[6:] == PADDING).all()
    assert (pixels[2:6, :3] == [255, 0, 0]).all()
    assert (pixels[2:6, 5:] == [0, 0, 255]).all()


def test_crop_keeps_the_centre() -> None:
    image = _halves()
    image.paste("white", (0, 0, 10, 20))
    image.paste("white", (30, 0, 40, 20))
    pixels = np.asarray(fit(image, InputSpec(10, 10, "crop")))
    assert (pixels[:, 1:4] == [255, 0, 0]).all()
    assert (pixels[:, 6:9] == [0, 0, 255]).all()


def test_bicubic_is_pillows() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 24, 3), np.uint8))
    found = np.asarray(fit(noise, InputSpec(22, 22, resample="bicubic")))
    assert (found == np.asarray(noise.resize((22, 22), Image.Resampling.BICUBIC))).all()
    assert (found != np.asarray(fit(noise, InputSpec(22, 22)))).any()


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    spec=st.builds(
        InputSpec, st.integers(1, 40), st.integers(1, 40), st.sampled_from(["squash", "pad", "crop"])
    ),
)
def test_any_photo_fits_any_model(size: tuple[int, int], spec: InputSpec) -> None:
    pixels = np.asarray(fit(Image.new("RGB", size, "red"), spec))
    assert pixels.shape == (spec.height, spec.width, 3)
    red = (pixels == [255, 0, 0]).all(axis=-1)
    padded = (pixels == PADDING).all(axis=-1)
    assert red.any()
    assert (red | padded).all()
    assert spec.resize == "pad" or red.all()


@pytest.mark.parametrize(("width", "resize"), [(0, "squash"), (-1, "pad"), (4097, "crop"), (8, "stretch")])
def test_a_senseless_input_is_refused(width: int, resize: Resize) -> None:
    with pytest.raises(ValidationError):
        InputSpec(width, 8, resize)
