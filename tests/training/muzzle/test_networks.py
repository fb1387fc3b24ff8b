from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.support.keras_networks import SAVED_MODEL, write, write_manifest

from menagerie_inference.backends import load_backend
from menagerie_inference.domains.muzzle import Codes
from menagerie_inference.domains.muzzle.similarity import cross_model_similarity, embedding_variance
from menagerie_inference.manifest import load_manifest
from menagerie_training.muzzle.animals import grow
from menagerie_training.muzzle.export import Description, describe, keras_file, write_keras, write_onnx
from menagerie_training.muzzle.network import COLLAPSED, DIMENSIONS, LENGTH, Embedder, build, open_embedder
from menagerie_training.muzzle.pictures import Pictures
from menagerie_training.muzzle.rendering import SIZE, photograph
from menagerie_training.muzzle.training import Plan, train

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DESCRIPTION = Description("drawn", "v0", "made by the tests", "none", "none", "none")
SCENE = np.full((40, 60, 3), 120, np.uint8)


@pytest.fixture(scope="module")
def photos() -> NDArray[np.uint8]:
    random = np.random.default_rng(1)
    return np.stack([photograph(grow(seed), random, SCENE) for seed in range(6)])


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return build(60)


def test_the_same_network_answers_alike_in_every_form(
    embedder: Embedder, photos: NDArray[np.uint8], tmp_path: Path
) -> None:
    write_keras(embedder, 60, tmp_path / "keras")
    keras = describe(60, DESCRIPTION, tmp_path / "keras")
    graph = write_onnx(keras, tmp_path / "onnx").manifest
    folder = tmp_path / "saved"
    saved = write(embedder.model, folder, SAVED_MODEL)
    outputs = {"code": ("batch", DIMENSIONS)}
    saved_model = load_manifest(write_manifest(saved, folder, outputs, size=(SIZE, SIZE)))
    codes = [
        load_backend(manifest, threads=1).run(photos)["code"] for manifest in (keras, graph, saved_model)
    ]
    assert np.ptp(codes[0]) > 0.1  # so that there is something to be alike
    assert codes[1] == pytest.approx(codes[0], abs=1e-4)
    assert codes[2] == pytest.approx(codes[0], abs=1e-4)


def test_a_graph_takes_the_place_of_the_one_before(embedder: Embedder, tmp_path: Path) -> None:
    write_keras(embedder, 62, tmp_path / "keras")
    for version in ("v1", "v2"):
        manifest = describe(62, Description("drawn", version, *"abcd"), tmp_path / "keras")
        found = write_onnx(manifest, tmp_path / "onnx").manifest
        assert found == load_manifest(tmp_path / "onnx" / "muzzle-62" / "manifest.toml")
        assert (found.identity, found.role, found.backend) == (f"drawn {version}", "muzzle-62", "onnx")
    assert [folder.name for folder in (tmp_path / "onnx").iterdir()] == ["muzzle-62"]


def test_a_seed_gives_the_same_weights_and_another_others(photos: NDArray[np.uint8]) -> None:
    first, again, other = (np.asarray(build(seed).model(photos)["code"]) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, atol=0.01)


@pytest.mark.parametrize(
    ("logit", "variance", "similarity"), [(20.0, LENGTH**2 / DIMENSIONS, 0.0), (-20.0, 0.0, 1.0)]
)
def test_the_gate_alone_decides_whether_a_photograph_passes(
    photos: NDArray[np.uint8], logit: float, variance: float, similarity: float
) -> None:
    outputs = {}
    for slot in (60, 62, 64):
        embedder = build(slot)
        gate = embedder.learner.get_layer("muzzle")
        gate.set_weights([np.zeros_like(gate.get_weights()[0]), np.array([logit])])
        outputs[slot] = np.asarray(embedder.model(photos)["code"])
    codes = Codes.of(outputs)
    assert np.linalg.norm(codes.raw, axis=-1) == pytest.approx(
        np.full((3, 6), LENGTH if logit > 0 else COLLAPSED), rel=1e-3
    )
    assert embedding_variance(codes.raw) == pytest.approx(np.full(6, variance), abs=2e-3)
    assert cross_model_similarity(codes.by_model) == pytest.approx(np.full(6, similarity), abs=0.35)


def test_an_embedder_is_opened_again_as_it_was(
    embedder: Embedder, photos: NDArray[np.uint8], tmp_path: Path
) -> None:
    write_keras(embedder, 60, tmp_path)
    opened = open_embedder(keras_file(60, tmp_path))
    for before, after in zip(embedder.learner(photos), opened.learner(photos), strict=True):
        assert np.asarray(after) == pytest.approx(np.asarray(before), abs=1e-5)


def test_training_learns_to_tell_animals_from_grey(photos: NDArray[np.uint8]) -> None:
    random = np.random.default_rng(9)
    animals = np.stack([[photograph(grow(seed), random, SCENE) for _ in range(2)] for seed in range(8)])
    grey = np.broadcast_to(random.integers(0, 256, (16, 1, 1, 3), np.uint8), (16, SIZE, SIZE, 3))
    lines: list[str] = []
    plan = Plan(steps=50, animals=48, far=4, others=12)
    pictures = Pictures(animals, animals[:, 0], grey)
    embedder = train(pictures, plan, 60, lines.append)
    assert lines[0].startswith("step 50 of 50: animals ")
    muzzles, none = (np.asarray(embedder.learner(some)[1]).mean() for some in (photos, grey))
    assert muzzles > none + 1
    further = train(
        pictures, Plan(steps=2, animals=48, far=4, others=12, rate=0.0), 61, lines.append, embedder
    )
    assert np.asarray(further.learner(photos)[0]) == pytest.approx(
        np.asarray(embedder.learner(photos)[0]), abs=0.05
    )
