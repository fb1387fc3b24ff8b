from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from tests.support.keras_networks import (
    HEIGHT,
    KERAS,
    SAVED_MODEL,
    WIDTH,
    answers,
    network,
    write,
    write_manifest,
)

from menagerie_inference.backends import conversion, load_backend
from menagerie_inference.backends.conversion import ConversionFailed, convert
from menagerie_inference.errors import ManifestError
from menagerie_inference.image.spec import Scaling
from menagerie_inference.manifest import Labels, Manifest, ModelFile, load_manifest

if TYPE_CHECKING:
    from pathlib import Path

SCALING = Scaling((127.5, 127.0, 0.0), (127.5, 128.0, 255.0))
OUTPUT = {"probability": ("batch", 1)}


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return network(keras.layers.Dense(1, activation="sigmoid"))


def described(model: keras.Model, folder: Path, form: str = KERAS) -> Manifest:
    folder.mkdir()
    manifest = load_manifest(write_manifest(write(model, folder, form), folder, OUTPUT))
    return replace(manifest, input=replace(manifest.input, scaling=SCALING), calibration={"threshold": 0.25})


@pytest.mark.parametrize("form", [KERAS, SAVED_MODEL])
def test_the_graph_answers_as_the_model(model: keras.Model, tmp_path: Path, form: str) -> None:
    result = convert(described(model, tmp_path / "before", form), tmp_path / "after")
    assert 0 <= result.differences["probability"] <= 1e-4
    images = np.random.default_rng(5).integers(0, 256, (7, HEIGHT, WIDTH, 3), np.uint8)
    found = load_backend(load_manifest(tmp_path / "after" / "manifest.toml"), threads=1).run(images)
    expected = answers(model, (images - np.array(SCALING.mean)) / np.array(SCALING.divisor))
    assert found["probability"] == pytest.approx(expected, abs=1e-5)


def test_the_manifest_says_what_the_graph_is(model: keras.Model, tmp_path: Path) -> None:
    before = described(model, tmp_path / "before")
    after = convert(before, tmp_path / "deep" / "after").manifest
    assert after == load_manifest(tmp_path / "deep" / "after" / "manifest.toml")
    assert (after.identity, after.role, after.licence) == (before.identity, before.role, before.licence)
    assert (after.backend, after.calibration) == ("onnx", {"threshold": 0.25})
    assert after.input == replace(before.input, scaling=None)  # it is in the graph now
    assert after.outputs == before.outputs
    assert after.source.startswith("made by the tests, converted to ONNX by tf2onnx ")
    assert [file.path.name for file in after.files] == ["model.onnx"]
    assert sorted(file.name for file in (tmp_path / "deep").iterdir()) == ["after"]


def test_labels_come_along(model: keras.Model, tmp_path: Path) -> None:
    before = described(model, tmp_path / "before")
    path = tmp_path / "before" / "labels.txt"
    path.write_text("Bleached Coral\n", encoding="utf-8")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    file = ModelFile(path=path, sha256=sha256, licence="CC0-1.0")
    labelled = replace(before, files=(*before.files, file), labels=Labels(file=path, count=1))
    after = convert(labelled, tmp_path / "after").manifest
    assert after.labels is not None
    assert after.labels.read() == ("Bleached Coral",)
    assert {file.path.name: file.licence for file in after.files} == {
        "model.onnx": "Apache-2.0",
        "labels.txt": "CC0-1.0",
    }


def test_the_report_tells_parity_and_speed(model: keras.Model, tmp_path: Path) -> None:
    result = convert(described(model, tmp_path / "before"), tmp_path / "after")
    assert result.tensorflow_seconds > 0
    assert result.speed_up == result.tensorflow_seconds / result.onnx_seconds
    lines = str(result).splitlines()
    assert lines[0] == f"small 1.0: {tmp_path / 'after' / 'model.onnx'}"
    assert lines[1].startswith("parity: max |d| probability ")
    assert lines[1].endswith("over 32 images (at most 1e-04)")
    assert lines[2].endswith("times as fast")


def test_answers_are_compared_on_photographs_too(model: keras.Model, tmp_path: Path) -> None:
    photographs = np.random.default_rng(8).integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
    result = convert(described(model, tmp_path / "before"), tmp_path / "after", list(photographs))
    assert result.images == 35


def test_a_graph_that_answers_otherwise_is_not_kept(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "TOLERANCE", -1.0)
    with pytest.raises(ConversionFailed, match=r"small 1\.0: the answers differ: max \|d\| "):
        convert(described(model, tmp_path / "before"), tmp_path / "after")
    assert [file.name for file in tmp_path.iterdir()] == ["before"]


def test_what_is_there_is_not_overwritten(model: keras.Model, tmp_path: Path) -> None:
    before = described(model, tmp_path / "before")
    (tmp_path / "after").mkdir()
    with pytest.raises(ConversionFailed, match="after: exists already"):
        convert(before, tmp_path / "after")


def test_an_operation_that_onnx_does_not_have_is_named(tmp_path: Path) -> None:
    odd = network(_Digamma())
    before = described(odd, tmp_path / "before", SAVED_MODEL)
    with pytest.raises(ConversionFailed, match=r"small 1\.0: cannot be turned into ONNX: .*Digamma"):
        convert(before, tmp_path / "after")
    assert not (tmp_path / "after").exists()


def test_a_model_that_takes_other_images_is_refused(model: keras.Model, tmp_path: Path) -> None:
    before = described(model, tmp_path / "before")
    with pytest.raises(ManifestError, match="takes float32"):
        convert(replace(before, input=replace(before.input, width=8)), tmp_path / "after")


class _Digamma(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Has an operation of TensorFlow for which ONNX knows no counterpart."""

    def call(self, inputs: object) -> object:
        import tensorflow as tf  # noqa: PLC0415

        return tf.math.digamma(inputs)[:, :1]
