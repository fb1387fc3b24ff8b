"""The models of the slots in the pipeline: one batch a model, and what is left where one is missing."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from tests.support import images
from tests.support.embedders import write_embedders
from tests.support.photos import PHOTOS

from menagerie_inference.domains.muzzle import ROLES, SLOTS, MuzzleEmbedders, check_manifest, verify
from menagerie_inference.domains.muzzle.thresholds import Thresholds
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.errors import ImageDamaged, ImageError, ManifestError, ModelUnavailable
from menagerie_inference.image import ImageDecoder
from menagerie_inference.pipeline import Pipeline
from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.engine import Model

SCENE, ANIMAL, JPEG = PHOTOS.a_scene().content, PHOTOS.an_animal().content, images.jpeg()
BROKEN = images.damaged_jpeg()


class Recorder:
    """A model that remembers how many images each of its runs had."""

    def __init__(self, model: Model, runs: list[int]) -> None:
        self._model = model
        self._runs = runs

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the model has
        return getattr(self._model, name)

    async def infer(self, images: NDArray[np.uint8], *, deadline: float | None = None) -> Outputs:
        self._runs.append(len(images))
        return await self._model.infer(images, deadline=deadline)


@asynccontextmanager
async def opened(
    folder: Path, told: list[int] | None = None
) -> AsyncIterator[tuple[Pipeline, MuzzleEmbedders]]:
    failures = [] if told is None else told
    registry = Registry(folder)
    async with ImageDecoder(threads=2) as decoder, LocalEngine() as engine:
        models = {ROLES[role]: await engine.load(registry.manifest_for(role)) for role in registry.roles()}
        yield Pipeline(decoder), MuzzleEmbedders(models, failed=lambda slot, _: failures.append(slot))


async def codes(
    pipeline: Pipeline, embedders: MuzzleEmbedders, *photographs: bytes
) -> dict[int, NDArray[np.float32]]:
    return await pipeline.run(embedders.question(dict), photographs)


async def test_every_model_gives_every_photograph_a_code_of_its_own(tmp_path: Path) -> None:
    async with opened(write_embedders(tmp_path)) as (pipeline, embedders):
        found = await codes(pipeline, embedders, SCENE, ANIMAL, JPEG)
    assert tuple(found) == SLOTS
    assert {of_model.shape for of_model in found.values()} == {(3, 128)}
    assert {of_model.dtype for of_model in found.values()} == {np.dtype(np.float32)}
    assert not np.allclose(found[60], found[62])


async def test_twelve_photographs_are_one_batch_of_each_model(tmp_path: Path) -> None:
    runs: list[int] = []
    async with opened(write_embedders(tmp_path)) as (pipeline, embedders):
        recorded = {slot: Recorder(model, runs) for slot, model in embedders.by_slot.items()}
        await codes(pipeline, MuzzleEmbedders(recorded), *[SCENE] * 12)
    assert runs == [12, 12, 12]


async def test_a_photograph_has_one_code_among_any_others(tmp_path: Path) -> None:
    async with opened(write_embedders(tmp_path)) as (pipeline, embedders):
        together = await codes(pipeline, embedders, SCENE, ANIMAL, JPEG)
        alone = await codes(pipeline, embedders, ANIMAL)
    for slot in SLOTS:
        assert together[slot][1] == pytest.approx(alone[slot][0], rel=1e-5, abs=1e-4)


async def test_models_of_different_inputs_get_their_own(tmp_path: Path) -> None:
    folder = write_embedders(tmp_path)
    manifest = folder / "muzzle-62" / "manifest.toml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("height = 32\n", 'height = 32\nresize = "pad"\n'), encoding="utf-8")
    wide = images.encode(images.drawing().resize((640, 200)))
    async with opened(folder) as (pipeline, embedders):
        padded = await codes(pipeline, embedders, wide)
        assert len(embedders.inputs) == 2
    async with opened(write_embedders(tmp_path / "alike")) as (pipeline, embedders):
        squashed = await codes(pipeline, embedders, wide)
        assert len(embedders.inputs) == 1
    assert np.array_equal(padded[60], squashed[60])
    assert not np.allclose(padded[62], squashed[62])


@pytest.mark.parametrize("lost", SLOTS)
async def test_two_models_verify_and_do_not_encode(tmp_path: Path, lost: int) -> None:
    left = [slot for slot in SLOTS if slot != lost]
    async with opened(write_embedders(tmp_path, left)) as (pipeline, embedders):
        question = embedders.question(lambda outputs: verify(outputs, Thresholds()))
        verification = await pipeline.run(question, [JPEG] * 4)
        assert list(verification.models) == left
        with pytest.raises(ModelUnavailable):
            embedders.question(dict, least=3)


async def test_one_model_answers_nothing(tmp_path: Path) -> None:
    async with opened(write_embedders(tmp_path, [62])) as (_, embedders):
        with pytest.raises(ModelUnavailable):
            embedders.question(dict)


@pytest.mark.parametrize("photographs", [1, 4])
async def test_a_model_that_fails_is_left_out_and_told_of(tmp_path: Path, photographs: int) -> None:
    told: list[int] = []
    folder = write_embedders(tmp_path, failing=[62])
    async with opened(folder, told) as (pipeline, embedders):
        found = await codes(pipeline, embedders, *[JPEG] * photographs)
        assert list(found) == [60, 64]
        assert told == [62]
        with pytest.raises(Exception, match="Gather"):
            await pipeline.run(embedders.question(dict, least=3), [JPEG])


async def test_two_models_that_fail_are_one_too_many(tmp_path: Path) -> None:
    async with opened(write_embedders(tmp_path, failing=[60, 62])) as (pipeline, embedders):
        with pytest.raises(Exception, match="Gather"):
            await codes(pipeline, embedders, JPEG)


@pytest.mark.parametrize("place", [0, 2, 3])
@pytest.mark.parametrize("callers", [1, 4])
async def test_an_error_says_which_photograph_it_is_about(tmp_path: Path, place: int, callers: int) -> None:
    """Whether the photographs of a call are spread over the cores, or decoded in one thread."""
    photographs = [JPEG] * 4
    photographs[place] = BROKEN
    async with opened(write_embedders(tmp_path)) as (pipeline, embedders):
        calls = [codes(pipeline, embedders, *photographs) for _ in range(callers)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(error, ImageDamaged) for error in errors)
    assert {error.place for error in errors if isinstance(error, ImageError)} == {place}


@pytest.mark.parametrize("orientation", [3, 6, 8])
async def test_the_same_photograph_stored_turned_has_the_same_codes(tmp_path: Path, orientation: int) -> None:
    turns = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }
    with Image.open(io.BytesIO(ANIMAL)) as opened_image:
        upright = opened_image.convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = images.encode(upright.transpose(turns[orientation]), "PNG", exif=exif)
    async with opened(write_embedders(tmp_path)) as (pipeline, embedders):
        found = await codes(pipeline, embedders, images.encode(upright, "PNG"), turned)
    for of_model in found.values():
        assert np.array_equal(of_model[0], of_model[1])


async def test_other_weights_of_the_same_names_are_others(tmp_path: Path) -> None:
    async with opened(write_embedders(tmp_path / "first")) as (_, first):
        versions, fingerprint = first.versions, first.fingerprint
    async with opened(write_embedders(tmp_path / "second", seed=1)) as (_, second):
        assert second.versions == versions == {slot: f"drawn-muzzle-{slot}-1.0" for slot in SLOTS}
        assert second.fingerprint != fingerprint


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    manifest = Registry(write_embedders(tmp_path, dimensions=64)).manifest_for("muzzle-60")
    with pytest.raises(ManifestError, match=r"drawn-muzzle-60 1.0: .* \[batch, 128\], not .*64"):
        check_manifest(manifest)


def test_a_model_of_two_outputs_is_refused(tmp_path: Path) -> None:
    manifest = Registry(write_embedders(tmp_path)).manifest_for("muzzle-60")
    two = replace(manifest, outputs={**manifest.outputs, "other": manifest.outputs["code"]})
    with pytest.raises(ManifestError):
        check_manifest(two)


def test_the_embedded_models_are_what_the_slots_take_and_say_what_they_are_not_for() -> None:
    registry = Registry.for_profile(EMBEDDED)
    for role in ROLES:
        manifest = registry.manifest_for(role)
        check_manifest(manifest)
        assert "NOT-FOR-CATTLE" in manifest.name
