from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import TensorProto, helper

from menagerie_inference.backends import load_backend
from menagerie_inference.errors import ManifestError, ModelUnavailable
from menagerie_inference.image import InputSpec
from menagerie_inference.image.spec import Scaling
from menagerie_inference.manifest import Manifest, ModelFile, OutputSpec, load_manifest

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal


@pytest.fixture
def manifest(manifest_path: Path) -> Manifest:
    return load_manifest(manifest_path)


@pytest.mark.parametrize("count", [1, 3, 8, 40])  # 40 is more than the usual batch
def test_it_gives_the_manifests_outputs_and_no_others(manifest: Manifest, count: int) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count, 4, 6, 3), dtype=np.uint8)
    backend = load_backend(manifest, threads=1)
    outputs = backend.run(images)
    assert list(outputs) == ["mean"]
    assert outputs["mean"] == pytest.approx(images.mean(axis=(1, 2)), rel=1e-5)


def test_it_runs_in_several_threads_at_once(manifest: Manifest) -> None:
    backend = load_backend(manifest, threads=1)
    batches = [np.full((2, 4, 6, 3), value, np.uint8) for value in range(200)]
    with ThreadPoolExecutor(4) as threads:
        for value, outputs in enumerate(threads.map(backend.run, batches)):
            assert (outputs["mean"] == value).all()


def test_it_says_where_it_runs(manifest: Manifest) -> None:
    assert load_backend(manifest, threads=1).device in {"cpu", "cuda"}


def test_a_closed_model_does_not_run(manifest: Manifest) -> None:
    backend = load_backend(manifest, threads=1)
    backend.close()
    with pytest.raises(ModelUnavailable):
        backend.run(np.zeros((1, 4, 6, 3), np.uint8))


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        (
            {"mean": OutputSpec(("batch", 4), "float32")},
            r"\('batch', 3\), not float32 \('batch', 4\)",
        ),
        ({"mean": OutputSpec(("batch",), "float32")}, "not float32 \\('batch',\\)"),
        ({"mean": OutputSpec(("batch", 3), "float64")}, "is float32 .*, not float64"),
        ({"median": OutputSpec(("batch", 3), "float32")}, "no \\['median'\\]"),
    ],
)
def test_other_outputs_than_the_manifests_are_refused(
    manifest: Manifest, outputs: dict[str, OutputSpec], text: str
) -> None:
    with pytest.raises(ManifestError, match=text):
        load_backend(replace(manifest, outputs=outputs), threads=1)


def test_another_input_size_than_the_manifests_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ManifestError, match=r"model\.onnx: .*uint8 .*4, 6, 3\), not images \(4, 7, 3\)"):
        load_backend(replace(manifest, input=InputSpec(7, 4)), threads=1)


def passing_on(shape: list[int | str], dtype: int, *, output: str = "seen") -> bytes:
    """Draw a graph that gives what it is shown."""
    shown = helper.make_tensor_value_info("pixel_values", dtype, shape)
    seen = helper.make_tensor_value_info(output, dtype, shape)
    node = helper.make_node("Identity", ["pixel_values"], [output])
    graph = helper.make_graph([node], "identity", [shown], [seen])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def replaced(
    manifest: Manifest, graph: bytes, outputs: dict[str, OutputSpec], spec: InputSpec | None = None
) -> Manifest:
    """Put another graph in the place of the manifest's."""
    path = manifest.files[0].path
    path.write_bytes(graph)
    files = (ModelFile(path, hashlib.sha256(graph).hexdigest(), "Apache-2.0"), *manifest.files[1:])
    return replace(manifest, files=files, outputs=outputs, input=spec or manifest.input)


IMAGENET = Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


@pytest.mark.parametrize("batch", ["n", 1])
@pytest.mark.parametrize(
    ("dtype", "name", "tolerance"),
    [(TensorProto.FLOAT, "float32", 1e-5), (TensorProto.FLOAT16, "float16", 2e-3)],
)
def test_a_graph_of_pytorchs_is_shown_scaled_floats_colour_by_colour(
    manifest: Manifest, batch: str | int, dtype: int, name: Literal["float32", "float16"], tolerance: float
) -> None:
    graph = passing_on([batch, 3, 4, 6], dtype, output="1234")
    spec = InputSpec(6, 4, scaling=IMAGENET)
    outputs = {"seen": OutputSpec(("batch", 3, 4, 6), name)}
    backend = load_backend(replaced(manifest, graph, outputs, spec), threads=1)
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    # torchvision's ToTensor() and Normalize()
    scaled = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert backend.run(images)["seen"] == pytest.approx(scaled.transpose(0, 3, 1, 2), abs=tolerance)


@pytest.mark.parametrize(
    ("shape", "seen"), [(["n", 4, 6, 3], (0, 1, 2, 3)), (["n", 3, "h", "w"], (0, 3, 1, 2))]
)
def test_floats_without_a_scaling_are_the_pixels(
    manifest: Manifest, shape: list[int | str], seen: tuple[int, ...]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    sides = images.transpose(seen).shape[1:]
    outputs = {"seen": OutputSpec(("batch", *sides), "float32")}
    graph = passing_on(shape, TensorProto.FLOAT)
    backend = load_backend(replaced(manifest, graph, outputs), threads=1)
    assert (backend.run(images)["seen"] == images.transpose(seen)).all()


@pytest.mark.parametrize(
    ("shape", "dtype", "text"),
    [
        (["n", 4, 6, 3], TensorProto.UINT8, "takes pixels as they are, unscaled"),
        (["n", 3, 6, 4], TensorProto.FLOAT, r"float32 \('any', 6, 4, 3\), not images \(4, 6, 3\)"),
        (["n", 72], TensorProto.FLOAT, r"takes float32 \('any', 72\), not images"),
        (["n", "c", "h", "w"], TensorProto.FLOAT, "which of its input's sides has 3 colours"),
        (["n", 3, 4, 6], TensorProto.INT64, r"takes a tensor\(int64\), not one of"),
    ],
)
def test_a_graph_that_takes_something_else_is_refused(
    manifest: Manifest, shape: list[int | str], dtype: int, text: str
) -> None:
    spec = InputSpec(6, 4, scaling=IMAGENET)
    outputs = {"seen": OutputSpec(("batch", 3, 4, 6), "float32")}
    wrong = replaced(manifest, passing_on(shape, dtype), outputs, spec)
    with pytest.raises(ManifestError, match=text):
        load_backend(wrong, threads=1)


def test_a_graph_of_two_inputs_is_refused(manifest: Manifest) -> None:
    images = [helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", 4, 6, 3]) for name in ("a", "b")]
    mean = helper.make_tensor_value_info("mean", TensorProto.UINT8, ["n", 4, 6, 3])
    graph = helper.make_graph([helper.make_node("Max", ["a", "b"], ["mean"])], "two", images, [mean])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    manifest.files[0].path.write_bytes(model.SerializeToString())
    with pytest.raises(ManifestError, match=r"the inputs \['a', 'b'\], not a single one"):
        load_backend(manifest, threads=1)


def test_a_file_that_is_no_graph_is_refused(manifest: Manifest) -> None:
    manifest.files[0].path.write_bytes(b"no graph")
    with pytest.raises(ManifestError, match=r"model\.onnx: "):
        load_backend(manifest, threads=1)


def test_an_unknown_backend_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ManifestError, match=r"mean-colour 1\.0: there is no backend 'abacus'"):
        load_backend(replace(manifest, backend="abacus"), threads=1)


def test_a_backend_that_is_not_installed_is_named(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "menagerie_inference.backends.onnx", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as Python marks what cannot be imported
    with pytest.raises(ManifestError, match=r"needs the extra \[onnx\]"):
        load_backend(manifest, threads=1)


def test_a_backend_is_imported_only_when_it_is_asked_for() -> None:
    program = """
import sys
import menagerie_inference.engine.local, menagerie_inference.registry, menagerie_inference.image
assert not {"onnxruntime", "torch", "tensorflow"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_nothing_is_told_to_its_maker(manifest_path: Path, tmp_path: Path) -> None:
    # It keeps what it is about to send, and an id of the machine, under the user's caches.
    program = f"""
import time
from pathlib import Path
from menagerie_inference.backends import load_backend
from menagerie_inference.manifest import load_manifest
load_backend(load_manifest(Path({str(manifest_path)!r})), threads=1)
time.sleep(1)
"""
    home = tmp_path / "home"
    home.mkdir()
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    environment = variables | {"HOME": str(home)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    assert list(home.rglob("*")) == []
