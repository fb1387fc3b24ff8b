"""The embedded ensemble on the project's photographs, and ensembles of drawn models that fail."""

from __future__ import annotations

import csv
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.support.moderation_models import SIDE, colour_model, failing_model, improbable_model

from menagerie_inference.domains.nsfw import OPENCLIP_FALLBACK, TRIPLE_ENSEMBLE, Moderator, Policy
from menagerie_inference.errors import ManifestError, ModelUnavailable
from menagerie_inference.image import DecodedImage, decode_frames
from menagerie_inference.pipeline import Inference, run_concurrently, run_in_thread
from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from menagerie_inference.domains.nsfw import Moderation
    from menagerie_inference.engine.local import LocalEngine
    from menagerie_inference.manifest import Manifest

PHOTOS = Path(__file__).parents[3] / "photos"


def judge(moderator: Moderator, data: bytes, count: int = 5) -> Moderation:
    return run_in_thread(moderator.infer(decode_frames(data, moderator.inputs, count=count).frames))


def photo(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()


def animation(*names: str) -> bytes:
    frames = [Image.open(PHOTOS / name).convert("RGB").resize((320, 320)) for name in names]
    buffer = BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], quality=90)
    return buffer.getvalue()


def views(moderator: Moderator, *colours: tuple[int, int, int]) -> list[list[DecodedImage]]:
    """Frames of one colour each, as a moderator of drawn models takes them."""
    frames = [DecodedImage(np.full((SIDE, SIDE, 3), colour, np.uint8), SIDE, SIDE) for colour in colours]
    return [[frame] * len(moderator.inputs) for frame in frames]


async def moderator_of(
    engine: LocalEngine, *manifests: Manifest, complete: bool = True, policy: Policy | None = None
) -> Moderator:
    models = [await engine.load(manifest) for manifest in manifests]
    return Moderator(models, complete=complete, policy=policy)


async def test_a_woman_is_found(embedded: Moderator) -> None:
    said = judge(embedded, photo("astronaut.jpg"))
    assert (said.final_decision, said.ensemble_category) == ("NSFW", "female_present")
    assert said.person_detected is True
    assert said.slot == TRIPLE_ENSEMBLE
    assert set(said.models_used) == {"opennsfw", "nsfwjs-mobilenetv2-mid", "hse-faceres-gender"}
    assert said.per_model_predictions["opennsfw"].judged == ("adult",)
    assert said.per_model_predictions["hse-faceres-gender"].judged == ("female",)
    assert all(row.inference_time_ms > 0 for row in said.per_model_predictions.values())
    assert said.processing_time_ms == sum(
        row.inference_time_ms for row in said.per_model_predictions.values()
    )


async def test_all_else_is_male_only(embedded: Moderator) -> None:
    with (PHOTOS / "labels.csv").open(encoding="utf-8", newline="") as file:
        others = [row["file"] for row in csv.DictReader(file) if row["tags"] != "F"]
    found = {name: judge(embedded, photo(name)).ensemble_category for name in others}
    assert len(found) == 39
    assert set(found.values()) == {"male_only"}


async def test_models_that_disagree_ask_for_a_review(embedded: Moderator) -> None:
    """Of the three, open_nsfw alone takes this bare-chested musician for an adult image."""
    said = judge(embedded, photo("didgeridoo_player.jpg"))
    assert said.ensemble_prediction.model_agreement == pytest.approx(0.65)
    assert said.review_recommended
    assert not judge(embedded, photo("cat.jpg")).review_recommended


async def test_both_schedules_say_the_same(embedded: Moderator) -> None:
    frames = decode_frames(photo("astronaut.jpg"), embedded.inputs).frames
    one, other = run_in_thread(embedded.infer(frames)), await run_concurrently(embedded.infer(frames))
    assert one.ensemble_prediction == other.ensemble_prediction


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_an_animation_is_as_unsafe_as_its_worst_frame(embedded: Moderator, place: int) -> None:
    names = ["canyon.jpg", "dam.jpg", "grass.jpg"]
    names[place] = "astronaut.jpg"
    said = judge(embedded, animation(*names))
    assert said.ensemble_category == "female_present"
    assert (said.frames_judged, said.worst_frame) == (3, place)


async def test_the_faces_of_an_animation_count_for_their_own_frames(embedded: Moderator) -> None:
    """A frame without a face between two with one."""
    said = judge(embedded, animation("astronaut.jpg", "grass.jpg", "astronaut.jpg"))
    alone = judge(embedded, animation("astronaut.jpg", "dam.jpg"))
    assert said.ensemble_prediction.category_ensemble_probabilities.female_present == pytest.approx(
        alone.ensemble_prediction.category_ensemble_probabilities.female_present, abs=0.02
    )


async def test_a_frame_that_is_not_looked_at_is_not_judged(embedded: Moderator) -> None:
    said = judge(embedded, animation("dam.jpg", "astronaut.jpg", "dam.jpg"), count=2)
    assert (said.ensemble_category, said.frames_judged) == ("male_only", 2)


async def test_a_thumbnail_will_do(embedded: Moderator) -> None:
    buffer = BytesIO()
    Image.open(PHOTOS / "astronaut.jpg").resize((128, 128)).save(buffer, "PNG")
    assert judge(embedded, buffer.getvalue()).ensemble_category == "female_present"


async def test_models_are_told_heaviest_first(engine: LocalEngine, tmp_path: Path) -> None:
    moderator = await moderator_of(
        engine,
        colour_model(tmp_path, "light", {"adult": "red"}, weight=0.25),
        colour_model(tmp_path, "heavy", {"adult": "red", "female": "green"}, weight=0.4),
        colour_model(tmp_path, "middle", {"female": "green"}, weight=0.35),
    )
    said = run_in_thread(moderator.infer(views(moderator, (51, 102, 0))))
    assert said.models_used == ("heavy", "middle", "light")
    assert [member.name for member in moderator.ensemble] == ["heavy", "middle", "light"]
    probabilities = said.ensemble_prediction.category_ensemble_probabilities
    assert probabilities.adult_object == pytest.approx(0.2)
    assert probabilities.female_present == pytest.approx(0.8 * 0.4)
    assert said.person_detected is None


async def test_weights_and_policy_decide(engine: LocalEngine, tmp_path: Path) -> None:
    manifests = (
        colour_model(tmp_path, "red", {"adult": "red", "female": "blue"}, weight=0.75),
        colour_model(tmp_path, "green", {"adult": "green"}, weight=0.25),
    )
    image = (204, 0, 0)
    said = {
        sensitivity: run_in_thread(moderator.infer(views(moderator, image)))
        for sensitivity in ("low", "medium")
        for moderator in [await moderator_of(engine, *manifests, policy=Policy(0.5, sensitivity))]
    }
    # .75 of .8 is .6: over .5, and under the .65 of the low sensitivity.
    assert said["medium"].ensemble_category == "adult_object"
    assert said["medium"].confidence == pytest.approx(0.6)
    assert (said["low"].ensemble_category, said["low"].final_decision) == ("male_only", "Safe")
    assert said["low"].confidence == pytest.approx(0.4)


async def test_the_models_that_are_left_take_over(engine: LocalEngine, tmp_path: Path) -> None:
    moderator = await moderator_of(
        engine,
        failing_model(tmp_path, "fails", "adult", weight=0.5),
        colour_model(tmp_path, "left", {"adult": "red"}, weight=0.3),
        colour_model(tmp_path, "other", {"female": "green"}, weight=0.2),
    )
    said = run_in_thread(moderator.infer(views(moderator, (51, 204, 0))))
    assert said.slot == OPENCLIP_FALLBACK
    assert said.models_used == ("left", "other")
    assert said.ensemble_prediction.category_ensemble_probabilities.adult_object == pytest.approx(0.2)
    black = run_in_thread(moderator.infer(views(moderator, (0, 0, 0))))
    assert black.slot == TRIPLE_ENSEMBLE  # where it does not fail


async def test_the_fallback_takes_over_alone(engine: LocalEngine, tmp_path: Path) -> None:
    moderator = await moderator_of(
        engine,
        failing_model(tmp_path, "fails", "adult", weight=0.5),
        colour_model(tmp_path, "left", {"adult": "red", "female": "red"}, weight=0.5),
        colour_model(tmp_path, "spare", {"adult": "green", "female": "green"}, weight=0, fallback=1),
    )
    assert moderator.fallback is not None
    assert moderator.fallback.name == "spare"
    assert [member.name for member in moderator.ensemble] == ["fails", "left"]
    said = run_in_thread(moderator.infer(views(moderator, (255, 51, 0))))
    assert (said.slot, said.models_used) == (OPENCLIP_FALLBACK, ("spare",))
    assert said.ensemble_prediction.category_ensemble_probabilities.adult_object == pytest.approx(0.2)
    assert said.ensemble_prediction.model_agreement == 1


async def test_a_fallback_of_the_ensemble_is_not_run_twice(engine: LocalEngine, tmp_path: Path) -> None:
    moderator = await moderator_of(
        engine,
        failing_model(tmp_path, "fails", "adult", weight=0.6),
        colour_model(tmp_path, "both", {"adult": "red", "female": "green"}, weight=0.4, fallback=1),
    )
    inference = moderator.infer(views(moderator, (51, 51, 0)))
    asked: list[str] = []

    def recorded() -> Inference[Moderation]:
        runs = next(inference)
        while True:
            asked.extend(run.model.manifest.name for run in runs)
            try:
                runs = inference.send((yield runs))
            except StopIteration as end:
                said: Moderation = end.value
                return said

    said = run_in_thread(recorded())
    assert (said.slot, said.models_used) == (OPENCLIP_FALLBACK, ("both",))
    assert sorted(asked) == ["both", "fails"]


async def test_a_fallback_that_fails_too_leaves_it_to_the_others(engine: LocalEngine, tmp_path: Path) -> None:
    moderator = await moderator_of(
        engine,
        failing_model(tmp_path, "first", "adult", weight=0.5),
        colour_model(tmp_path, "left", {"adult": "red", "female": "red"}, weight=0.5),
        failing_model(tmp_path, "spare", "adult", weight=0, fallback=1),
    )
    said = run_in_thread(moderator.infer(views(moderator, (51, 0, 0))))
    assert (said.slot, said.models_used) == (OPENCLIP_FALLBACK, ("left",))


async def test_without_a_model_for_a_question_there_is_no_answer(engine: LocalEngine, tmp_path: Path) -> None:
    moderator = await moderator_of(
        engine,
        colour_model(tmp_path, "adult", {"adult": "red"}, weight=0.5),
        failing_model(tmp_path, "female", "female", weight=0.5),
    )
    with pytest.raises(ModelUnavailable, match="no model is left that answers female"):
        run_in_thread(moderator.infer(views(moderator, (51, 0, 0))))


@pytest.mark.parametrize("colour", [(0, 0, 0), (51, 0, 0)])
async def test_an_answer_that_is_no_probability_is_a_failure(
    engine: LocalEngine, tmp_path: Path, colour: tuple[int, int, int]
) -> None:
    """Neither NaN, which black gives, nor infinity."""
    moderator = await moderator_of(
        engine,
        improbable_model(tmp_path, "improbable", "adult", weight=0.9),
        colour_model(tmp_path, "left", {"adult": "red", "female": "green"}, weight=0.1),
    )
    said = run_in_thread(moderator.infer(views(moderator, colour)))
    assert (said.slot, said.models_used) == (OPENCLIP_FALLBACK, ("left",))


async def test_a_model_that_did_not_load_is_a_failure(engine: LocalEngine, tmp_path: Path) -> None:
    left = colour_model(tmp_path, "left", {"adult": "red", "female": "green"}, weight=0.4)
    moderator = await moderator_of(engine, left, complete=False)
    said = run_in_thread(moderator.infer(views(moderator, (51, 0, 0))))
    assert (said.slot, said.models_used) == (OPENCLIP_FALLBACK, ("left",))
    assert moderator.slots == (OPENCLIP_FALLBACK,)


async def test_without_a_detector_faces_are_not_judged(engine: LocalEngine) -> None:
    registry = Registry.for_profile(EMBEDDED)
    models = [await engine.load(registry.manifest_for(role)) for role in ("nsfw-gender", "nsfw-opennsfw")]
    moderator = Moderator(models)
    assert moderator.slots == ()
    with pytest.raises(ModelUnavailable, match="no model is left that answers female"):
        judge(moderator, photo("astronaut.jpg"))


async def test_slots_tell_what_could_answer(embedded: Moderator, engine: LocalEngine, tmp_path: Path) -> None:
    # One of two models of adult images can be borne to fail.
    assert embedded.slots == (TRIPLE_ENSEMBLE, OPENCLIP_FALLBACK)
    alone = await moderator_of(
        engine, colour_model(tmp_path, "alone", {"adult": "red", "female": "green"}, weight=1)
    )
    assert alone.slots == (TRIPLE_ENSEMBLE,)


async def test_two_models_of_one_name_are_refused(engine: LocalEngine, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    manifests = (
        colour_model(tmp_path, "same", {"adult": "red"}, weight=0.5),
        colour_model(tmp_path / "other", "same", {"female": "red"}, weight=0.5),
    )
    with pytest.raises(ManifestError, match="have the same name"):
        await moderator_of(engine, *manifests)
