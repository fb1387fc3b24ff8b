"""The embedded model, from a photo's bytes to the answer."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from menagerie_inference.domains.species import SpeciesIdentifier
from menagerie_inference.domains.species.interpreter import SpeciesInterpreter
from menagerie_inference.domains.species.labels import BLANK, HUMAN
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.errors import DeadlineExceeded, ImageUnreadable, ManifestError
from menagerie_inference.image import ImageDecoder, InputSpec, decode
from menagerie_inference.pipeline import Pipeline
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.species import load_people

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_inference.domains.species import Box
    from menagerie_inference.manifest import Manifest

PHOTOS = Path(__file__).parents[3] / "photos"


def photo(name: str) -> bytes:
    return (PHOTOS / f"{name}.jpg").read_bytes()


@asynccontextmanager
async def identifier(manifest: Manifest) -> AsyncIterator[SpeciesIdentifier]:
    async with ImageDecoder(threads=2) as decoder, LocalEngine() as engine:
        yield SpeciesIdentifier(await engine.load(manifest), Pipeline(decoder))


@pytest.mark.parametrize(
    ("name", "prediction", "source"),
    [
        ("koala", "koala", "classifier"),
        ("gorilla", "gorilla", "classifier"),
        ("red_panda", "lesser panda", "classifier"),
        ("scarlet_macaw", "macaw", "classifier"),
        ("goldfish", "goldfish", "classifier"),
        ("german_shepherd", "german shepherd", "classifier"),
        ("kingfisher", "bird", "classifier+rollup_to_class"),  # ImageNet knows other birds of its colours
        ("canyon", "blank", "classifier"),
        ("walled_town", "blank", "classifier"),
    ],
)
async def test_photos_are_identified(manifest: Manifest, name: str, prediction: str, source: str) -> None:
    async with identifier(manifest) as species:
        result = await species.identify(photo(name))
    assert (result.prediction_display_name, result.prediction_source) == (prediction, source)


async def test_an_animal_s_answer_holds_together(manifest: Manifest) -> None:
    async with identifier(manifest) as species:
        result = await species.identify(photo("koala"))
    assert result.prediction.endswith(";mammalia;marsupialia;phalangeridae;phascolarctos;cinereus;koala")
    assert result.best_class == result.top_classes[0]
    assert result.best_class.label_raw == result.prediction
    assert result.prediction_score == result.best_class.score > 0.9
    assert result.model_version == "embedded-efflite2-in1k-cam-v1"
    assert len(result.top_classes) == 5
    assert not result.failures
    (detection,) = result.detections
    assert (detection.category, detection.label, detection.label_display) == ("1", "animal", "Animal")
    assert detection.conf >= result.prediction_score


async def test_a_scene_has_no_detections(manifest: Manifest) -> None:
    async with identifier(manifest) as species:
        result = await species.identify(photo("great_wall"))
    assert result.prediction == BLANK
    assert not result.detections


async def test_who_is_on_a_photo_decides() -> None:
    registry = Registry.for_profile(EMBEDDED)
    async with ImageDecoder(threads=2) as decoder, LocalEngine() as engine:
        people = await load_people(registry, engine)
        model = await engine.load(registry.manifest_for("species"))
        species = SpeciesIdentifier(model, Pipeline(decoder), people)
        astronaut, koala = [await species.identify(photo(name)) for name in ("astronaut", "koala")]
    assert (astronaut.prediction, astronaut.prediction_source) == (HUMAN, "detector")
    assert [(one.category, one.label_display) for one in astronaut.detections] == [("2", "Human")]
    assert astronaut.prediction_score == astronaut.detections[0].conf >= 0.7
    assert koala.prediction_display_name == "koala"
    assert koala.model_version == "embedded-efflite2-in1k-cam-v1+ssd-mobilenetv2-oidv4-v0+blazeface-back-v0"


async def test_callers_at_once_get_the_answers_that_each_gets_alone() -> None:
    names = ["koala", "gorilla", "astronaut", "polar_bear", "alpaca", "canyon", "goldfish"]
    registry = Registry.for_profile(EMBEDDED)
    told: list[str] = []
    async with LocalEngine(observe=lambda _: lambda _: told.append("run")) as engine:
        people = await load_people(registry, engine)
        model = await engine.load(registry.manifest_for("species"))
        async with ImageDecoder(threads=2) as decoder:
            species = SpeciesIdentifier(model, Pipeline(decoder), people)
            alone = [await species.identify(photo(name)) for name in names]
            together = await asyncio.gather(*(species.identify(photo(name)) for name in names * 3))
            batched = model.statistics().accepted
    assert together == alone * 3
    assert len(told) == 3 * 4 * len(names)
    assert batched < 4 * len(names), "none was identified in one piece"


async def test_what_is_no_image_is_refused(manifest: Manifest) -> None:
    async with identifier(manifest) as species:
        with pytest.raises(ImageUnreadable):
            await species.identify(b"not an image")


async def test_a_deadline_that_has_passed_is_kept(manifest: Manifest) -> None:
    async with identifier(manifest) as species:
        with pytest.raises(DeadlineExceeded):
            await species.identify(photo("koala"), deadline=asyncio.get_running_loop().time() - 1)


@pytest.mark.parametrize("name", ["red_panda", "alpaca", "hedgehog"])
async def test_a_pasted_animal_is_found_where_it_is(manifest: Manifest, name: str) -> None:
    scene = Image.open(io.BytesIO(photo("dam"))).resize((640, 480))
    animal = Image.open(io.BytesIO(photo(name)))
    animal.thumbnail((280, 280))
    scene.paste(animal, (330, 200))
    file = io.BytesIO()
    scene.save(file, "PNG")
    async with identifier(manifest) as species:
        result = await species.identify(file.getvalue())
    assert (
        overlap(result.detections[0].bbox, (330 / 640, 200 / 480, animal.width / 640, animal.height / 480))
        > 0.4
    )


async def test_a_batch_equals_its_images_one_by_one(manifest: Manifest) -> None:
    names = ("koala", "gorilla", "polar_bear", "canyon")
    images = np.stack([decode(photo(name), manifest.input).pixels for name in names])
    async with LocalEngine() as engine:
        model = await engine.load(manifest)
        batch = await model.infer(images)
        singles = [await model.infer(images[place : place + 1]) for place in range(len(images))]
    for output in manifest.outputs:
        expected = np.concatenate([single[output] for single in singles])
        np.testing.assert_allclose(batch[output], expected, rtol=1e-4, atol=1e-4)


def test_the_photo_must_be_shown_whole(manifest: Manifest) -> None:
    with pytest.raises(ManifestError, match="the whole photo"):
        SpeciesInterpreter(replace(manifest, input=InputSpec(260, 260, "crop")))


def overlap(one: Box, other: tuple[float, float, float, float]) -> float:
    """Return the intersection over union of two boxes."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
