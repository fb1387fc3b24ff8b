from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.domains.whales import Candidate, Detection, Match, Sighting, WhaleInterpreter
from menagerie_inference.domains.whales.embedder import Embedder
from menagerie_inference.domains.whales.gate import Gate
from menagerie_inference.errors import ManifestError, ModelFailed
from menagerie_inference.image import InputSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from menagerie_inference.manifest import Manifest

    Make = Callable[..., Manifest]

INDIVIDUAL = "a6e325d8e924"


def logit(value: float) -> dict[str, NDArray[np.float32]]:
    return {"cetacean": np.float32(value)}  # type: ignore[dict-item]  # what a row of (batch,) is


@pytest.fixture
def interpreter(manifest: Make) -> WhaleInterpreter:
    return WhaleInterpreter(manifest(cetacean=(), embedding=(8,)))


@pytest.fixture
def whale() -> Sighting:
    return Sighting(512, 341, 0.9, is_cetacean=True, activation=None)


def test_an_individual_is_named(interpreter: WhaleInterpreter, whale: Sighting) -> None:
    detection = interpreter.identify("whale.jpg", whale, [Match(INDIVIDUAL, "bottlenose_dolphin", 0.9)])
    probability = detection.probability
    assert probability == pytest.approx(0.952574)
    assert detection == Detection(
        image_ind="whale.jpg",
        bbox=(0, 0, 512, 341),
        class_animal=INDIVIDUAL,
        id_animal="bottlenose_dolphin",
        probability=probability,
        mask=None,
        is_cetacean=True,
        cetacean_score=0.9,
        rejection_reason=None,
        model_version="net-v1",
        candidates=(Candidate(INDIVIDUAL, "bottlenose_dolphin", probability),),
        new_individual_likely=False,
    )
    assert not detection.rejected


def test_what_is_no_cetacean(interpreter: WhaleInterpreter) -> None:
    sighting = Sighting(800, 600, 0.08, is_cetacean=False, activation=None)
    detection = interpreter.identify("text_screenshot.png", sighting, [Match(INDIVIDUAL, "beluga", 1.0)])
    assert detection == Detection(
        image_ind="text_screenshot.png",
        bbox=(0, 0, 800, 600),
        class_animal="",
        id_animal="unknown",
        probability=0.0,
        mask=None,
        is_cetacean=False,
        cetacean_score=0.08,
        rejection_reason="not_a_marine_mammal",
        model_version="net-v1",
        candidates=(),
        new_individual_likely=False,
    )
    assert detection.rejected


def test_an_empty_catalogue(interpreter: WhaleInterpreter, whale: Sighting) -> None:
    detection = interpreter.identify("whale.jpg", whale)
    assert detection.rejected
    assert detection.rejection_reason == "low_confidence"
    assert detection.is_cetacean
    assert (detection.class_animal, detection.id_animal, detection.probability) == ("", "unknown", 0.0)
    assert detection.candidates == ()
    assert detection.new_individual_likely


def test_none_is_near(interpreter: WhaleInterpreter, whale: Sighting) -> None:
    detection = interpreter.identify("whale.jpg", whale, [Match(INDIVIDUAL, "beluga", 0.4)])
    assert detection.rejection_reason == "low_confidence"
    assert (detection.class_animal, detection.id_animal, detection.probability) == ("", "unknown", 0.0)
    assert [candidate.class_animal for candidate in detection.candidates] == [INDIVIDUAL]
    assert detection.new_individual_likely


def test_many_half_near_of_one_species(interpreter: WhaleInterpreter, whale: Sighting) -> None:
    matches = [Match(f"{number:012x}", "beluga", 0.59) for number in range(4)]
    detection = interpreter.identify("whale.jpg", whale, matches)
    assert detection.rejection_reason == "low_confidence"
    assert detection.id_animal == "beluga"
    assert not detection.new_individual_likely


@pytest.mark.parametrize("reason", ["corrupted_image", "internal_error"])
def test_what_no_model_has_seen(reason: str) -> None:
    detection = Detection.failed("broken.jpg", reason, "net-v1")  # type: ignore[arg-type]
    assert detection.rejected
    assert detection.rejection_reason == reason
    assert detection.bbox == (0, 0, 0, 0)
    assert (detection.class_animal, detection.id_animal) == ("", "unknown")
    assert (detection.probability, detection.cetacean_score, detection.is_cetacean) == (0.0, 0.0, False)
    assert (detection.mask, detection.candidates) == (None, ())


@pytest.mark.parametrize(("value", "is_cetacean"), [(-0.5, True), (-0.51, False), (90, True), (-90, False)])
def test_slope_and_intercept_make_a_probability(
    interpreter: WhaleInterpreter,
    value: float,
    is_cetacean: bool,  # noqa: FBT001
) -> None:
    sighting = interpreter.look(logit(value), 512, 341)
    assert sighting.score == pytest.approx(1 / (1 + np.exp(-(2 * value + 1))))
    assert sighting.is_cetacean is is_cetacean


def test_a_gate_has_a_threshold(manifest: Make) -> None:
    gate = Gate(manifest({"gate_threshold": 0.52}, probability=()))
    assert [gate.passes(score) for score in (0.519, 0.52, 0.521)] == [False, True, True]


def test_a_gate_may_give_probabilities(manifest: Make) -> None:
    gate = Gate(manifest({}, probability=()))
    scores = [gate.score({"probability": np.array(value)}) for value in (-1e-4, 0.25, 1 + 1e-4)]
    assert scores == [0.0, 0.25, 1.0]


@pytest.mark.parametrize("outputs", [{"probability": np.array(1.2)}, {"probability": np.array(np.nan)}])
def test_what_is_no_probability(manifest: Make, outputs: dict[str, NDArray[np.float64]]) -> None:
    with pytest.raises(ModelFailed):
        Gate(manifest({}, probability=())).score(outputs)


@pytest.mark.parametrize(
    "outputs",
    [{"logits": (2,)}, {"cetacean": (), "probability": ()}, {"cetacean": (2,)}, {"probability": (1,)}],
)
def test_what_is_no_gate(manifest: Make, outputs: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ManifestError, match="a gate gives each photo one number"):
        Gate(manifest(**outputs))


def test_the_vector_has_length_one(manifest: Make) -> None:
    embedder = Embedder(manifest(embedding=(3,)))
    vector = embedder.embed({"embedding": np.array([3.0, 0.0, 4.0], np.float16)})
    assert vector.dtype == np.float32
    assert vector == pytest.approx([0.6, 0.0, 0.8])
    assert embedder.dimensions == 3


@given(st.lists(st.floats(1e-20, 1e20) | st.floats(-1e20, -1e-20), min_size=1, max_size=9))
def test_any_vector_has_a_direction(embedded: Manifest, values: list[float]) -> None:
    vector = Embedder(embedded).embed({"embedding": np.array(values, np.float32)})
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("values", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_a_vector_without_a_direction(manifest: Make, values: list[float]) -> None:
    with pytest.raises(ModelFailed):
        Embedder(manifest(embedding=(2,))).embed({"embedding": np.array(values)})


def test_the_only_output_is_the_vector(manifest: Make) -> None:
    embedder = Embedder(manifest(output=(2152,)))
    assert embedder.dimensions == 2152
    assert embedder.embed({"output": np.ones(2152)}).shape == (2152,)


@pytest.mark.parametrize("outputs", [{"a": (2,), "b": (2,)}, {"embedding": (2, 2)}, {"embedding": ()}])
def test_what_is_no_embedder(manifest: Make, outputs: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ManifestError, match="an embedder gives each photo a vector"):
        Embedder(manifest(**outputs))


def test_more_dimensions_than_can_be_indexed(manifest: Make) -> None:
    assert Embedder(manifest(embedding=(4000,))).dimensions == 4000
    with pytest.raises(ManifestError, match="4001 dimensions; at most 4000"):
        Embedder(manifest(embedding=(4001,)))


def test_a_version_is_one_of_weights(manifest: Make) -> None:
    assert Embedder(manifest(embedding=(2,))).version == "net-v1-e3b0c44298fc"


def test_an_embedder_of_its_own(manifest: Make) -> None:
    gate = manifest({}, cetacean=())
    interpreter = WhaleInterpreter(gate, manifest(name="miewid", output=(2152,)))
    assert interpreter.model_version == "net-v1+miewid-v1"
    assert interpreter.embedder.dimensions == 2152


def test_a_gate_that_gives_no_vectors_needs_an_embedder(manifest: Make) -> None:
    with pytest.raises(ManifestError, match="embedder"):
        WhaleInterpreter(manifest(cetacean=()))


def test_a_gate_that_is_not_shown_all_of_a_photo_cannot_say_where(manifest: Make) -> None:
    cropped = InputSpec(100, 100, "crop")
    with pytest.raises(ManifestError, match="the whole photo"):
        WhaleInterpreter(manifest(spec=cropped, cetacean=(), embedding=(8,), activation=(4, 4)))


def test_the_box_is_of_the_photo_and_not_of_the_padding(manifest: Make) -> None:
    interpreter = WhaleInterpreter(manifest(cetacean=(), embedding=(8,), activation=(10, 10)))
    activation = np.zeros((10, 10))
    activation[4:6, 2:8] = 1  # the photo takes the rows from 2.5 to 7.5
    sighting = interpreter.look(logit(1) | {"activation": activation}, 2000, 1000)
    left, top, right, bottom = sighting.bbox
    assert left == pytest.approx(400, abs=120)
    assert right == pytest.approx(1600, abs=120)
    assert top == pytest.approx(300, abs=120)
    assert bottom == pytest.approx(700, abs=120)


def test_what_the_gate_turns_away_has_no_box(manifest: Make) -> None:
    interpreter = WhaleInterpreter(manifest(cetacean=(), embedding=(8,), activation=(10, 10)))
    activation = np.eye(10)
    assert interpreter.look(logit(-9) | {"activation": activation}, 300, 200).bbox == (0, 0, 300, 200)
