from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from menagerie_inference.domains.species import Box
from menagerie_training.evaluation.boxes import (
    COPIES,
    SCALES,
    BoxOutcome,
    at_least,
    composites,
    cut_out,
    mean,
    overlap,
)
from menagerie_training.evaluation.labels import LabelledPhoto
from menagerie_training.evaluation.metrics import Share

THING = (60, 40, 120, 80)
"""Where the red ellipse is: left, top, right, bottom in px."""


@pytest.fixture
def cutout(tmp_path: Path) -> LabelledPhoto:
    """A red ellipse on a background that changes from top to bottom and from left to right."""
    down, across = np.mgrid[0:120, 0:180]
    background = np.stack([0 * down, 90 + down // 2, 120 + across // 2], axis=2).astype(np.uint8)
    photo = Image.fromarray(background)
    ImageDraw.Draw(photo).ellipse((*THING[:2], THING[2] - 1, THING[3] - 1), fill=(250, 20, 20))
    photo.save(tmp_path / "thing.jpg", quality=90)
    return LabelledPhoto(tmp_path / "thing.jpg", "animal", cutout=True)


@pytest.fixture
def scene(tmp_path: Path) -> LabelledPhoto:
    Image.new("RGB", (200, 300), (10, 60, 10)).save(tmp_path / "scene.jpg")
    return LabelledPhoto(tmp_path / "scene.jpg", "blank")


def test_a_thing_is_cut_out_as_tight_as_it_is(cutout: LabelledPhoto) -> None:
    thing = cut_out(cutout.path)
    assert thing.size == pytest.approx((THING[2] - THING[0], THING[3] - THING[1]), abs=3)
    opaque = np.asarray(thing.getchannel("A")) == 255
    assert opaque.mean() == pytest.approx(np.pi / 4, abs=0.06)
    assert np.asarray(thing)[opaque][:, 0].mean() > 220


def test_specks_do_not_widen_the_frame(cutout: LabelledPhoto) -> None:
    with Image.open(cutout.path) as photo:
        photo.putpixel((20, 100), (250, 20, 20))
        photo.save(cutout.path.with_suffix(".png"))
    assert cut_out(cutout.path.with_suffix(".png")).size == cut_out(cutout.path).size


def test_an_empty_photo_has_nothing_to_cut_out(scene: LabelledPhoto) -> None:
    with pytest.raises(ValueError, match=r"scene\.jpg shows nothing but its background"):
        cut_out(scene.path)


def test_the_box_is_where_the_thing_was_pasted(cutout: LabelledPhoto, scene: LabelledPhoto) -> None:
    made = list(composites([scene, cutout]))
    assert len(made) == COPIES
    for one in made:
        with Image.open(io.BytesIO(one.content)) as photo:
            red = np.asarray(photo)[..., 0] > 130
        down, across = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
        assert (across[0] / 200, down[0] / 300) == pytest.approx(one.box[:2], abs=0.015)
        assert (len(across) / 200, len(down) / 300) == pytest.approx(one.box[2:], abs=0.03)


def test_sizes_and_places_differ_within_their_limits(cutout: LabelledPhoto, scene: LabelledPhoto) -> None:
    boxes = {one.box for one in composites([cutout, scene])}
    assert len(boxes) == COPIES
    for box in boxes:
        assert SCALES[0] - 0.02 <= max(box.width, box.height) <= SCALES[1] + 0.02
        assert box.left + box.width <= 1
        assert box.top + box.height <= 1


def test_the_same_photos_give_the_same_composites(cutout: LabelledPhoto, scene: LabelledPhoto) -> None:
    assert list(composites([cutout, scene])) == list(composites([cutout, scene]))


def test_nothing_is_made_without_a_scene_or_without_a_cutout(
    cutout: LabelledPhoto, scene: LabelledPhoto
) -> None:
    uncut = LabelledPhoto(cutout.path, "animal")
    vehicle = LabelledPhoto(cutout.path, "vehicle", cutout=True)
    assert list(composites([cutout])) == []
    assert list(composites([scene, uncut, vehicle])) == []


sizes = st.floats(0.01, 0.5)
boxes = st.builds(Box, st.floats(0, 0.5), st.floats(0, 0.5), sizes, sizes)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (Box(0.0, 0.0, 0.4, 0.4), 1.0),
        (Box(0.2, 0.0, 0.4, 0.4), 1 / 3),
        (Box(0.2, 0.2, 0.4, 0.4), 1 / 7),
        (Box(0.1, 0.1, 0.2, 0.2), 1 / 4),
        (Box(0.4, 0.0, 0.4, 0.4), 0.0),
        (Box(0.6, 0.6, 0.4, 0.4), 0.0),
    ],
)
def test_the_overlap_is_what_is_shared_of_what_is_covered(second: Box, expected: float) -> None:
    assert overlap(Box(0.0, 0.0, 0.4, 0.4), second) == pytest.approx(expected)


@given(boxes, boxes)
def test_the_overlap_is_a_share_and_has_no_order(first: Box, second: Box) -> None:
    assert 0 <= overlap(first, second) <= 1 + 1e-9
    assert overlap(first, second) == pytest.approx(overlap(second, first))
    assert overlap(first, first) == pytest.approx(1)


def test_a_missed_animal_has_no_overlap_but_the_baseline() -> None:
    outcome = BoxOutcome(Path("duck.jpg"), Path("pond.jpg"), Box(0.0, 0.0, 0.5, 0.5), found=None)
    assert (outcome.overlap, outcome.baseline) == (0.0, 0.25)


def test_figures_are_over_all_overlaps() -> None:
    assert mean([0.2, 0.5, 0.8]) == pytest.approx(0.5)
    assert at_least([0.2, 0.5, 0.8], 0.5) == Share(2, 3)
