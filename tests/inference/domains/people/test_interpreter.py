from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.domains.people import DetectorInterpreter
from menagerie_inference.errors import ManifestError
from menagerie_inference.image import DecodedImage, InputSpec, placement
from menagerie_inference.registry import EMBEDDED, Registry

MANIFEST = Registry.for_profile(EMBEDDED).manifest_for("faces")
THRESHOLD = MANIFEST.calibration["threshold"]
PIXELS = np.zeros((256, 256, 3), dtype=np.uint8)
SIDE = st.integers(1, 4000)
INSIDE = st.floats(0.05, 0.95)


@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
@given(width=SIDE, height=SIDE, corners=st.tuples(INSIDE, INSIDE, INSIDE, INSIDE))
def test_a_box_of_the_pixels_becomes_one_of_the_photo(
    resize: str, width: int, height: int, corners: tuple[float, float, float, float]
) -> None:
    left, right = sorted(corners[:2])
    top, bottom = sorted(corners[2:])
    spec = InputSpec(256, 256, resize)  # type: ignore[arg-type]
    place = placement(spec, width, height)
    shown = np.array(
        [
            (place.left + left * place.width) / 256,
            (place.top + top * place.height) / 256,
            (place.left + right * place.width) / 256,
            (place.top + bottom * place.height) / 256,
        ],
        dtype=np.float32,
    )
    interpreter = DetectorInterpreter(replace(MANIFEST, input=spec))
    [found] = interpreter.interpret(
        np.ones(1, dtype=np.float32), shown[None], DecodedImage(PIXELS, width, height)
    )
    assert found.bbox == pytest.approx((left, top, right - left, bottom - top), abs=1e-4)
    assert found.conf == pytest.approx(1.0)


def test_nobody_is_there_below_the_threshold() -> None:
    boxes = np.array([[0.1, 0.1, 0.2, 0.2], [0.5, 0.5, 0.6, 0.6]], dtype=np.float32)
    scores = np.array([THRESHOLD - 0.01, THRESHOLD + 0.01], dtype=np.float32)
    found = DetectorInterpreter(MANIFEST).interpret(scores, boxes, DecodedImage(PIXELS, 256, 256))
    assert [one.bbox for one in found] == [pytest.approx((0.5, 0.5, 0.1, 0.1), abs=1e-6)]
    assert 0.7 < found[0].conf < 0.75


def test_a_detector_without_a_threshold_is_refused() -> None:
    with pytest.raises(ManifestError, match="threshold"):
        DetectorInterpreter(replace(MANIFEST, calibration={}))
