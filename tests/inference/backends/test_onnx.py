from __future__ import annotations

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
from menagerie_inference.manifest import Manifest, OutputSpec, load_manifest

if TYPE_CHECKING:
    from pathlib import Path


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
    with pytest.raises(ManifestError, match=r"model\.onnx: .*invalid dimensions.*Got: 7 Expected: 6"):
        load_backend(replace(manifest, input=InputSpec(7, 4)), threads=1)


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
