"""Real Keras networks, in each form that TensorFlow has for them, against Keras's own answers."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import tensorflow as tf
from tests.support.keras_networks import (
    FORMS,
    HEIGHT,
    KERAS,
    SAVED_MODEL,
    TFLITE,
    WIDTH,
    answers,
    network,
    write,
    write_manifest,
    write_quantised,
)

from menagerie_inference.backends import load_backend
from menagerie_inference.errors import ManifestError, ModelUnavailable
from menagerie_inference.image.spec import InputSpec, Scaling
from menagerie_inference.manifest import Manifest, OutputSpec, load_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SCALING = Scaling((127.5, 127.0, 0.0), (127.5, 128.0, 255.0))
OUTPUT = {"probability": ("batch", 1)}
ONE = {"probability": OutputSpec(("batch", 1), "float32")}

every_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return network(keras.layers.Dense(1, activation="sigmoid"))


@pytest.fixture(scope="module")
def manifests(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Manifest]:
    """The manifest of each form of one model, which takes floats."""
    manifests = {}
    for form in FORMS:
        folder = tmp_path_factory.mktemp("model")
        manifest = load_manifest(write_manifest(write(model, folder, form), folder, OUTPUT))
        manifests[form] = replace(manifest, input=replace(manifest.input, scaling=SCALING))
    return manifests


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Make images that differ in their colours, for which a network's answers differ."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 200, (count, 1, 1, 3))
    return (colours + rng.integers(0, 56, (count, HEIGHT, WIDTH, 3))).astype(np.uint8)


def scaled(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray((images - np.array(SCALING.mean)) / np.array(SCALING.divisor))


@every_form
@pytest.mark.parametrize("count", [1, 3, 20])
def test_it_answers_as_keras(
    model: keras.Model, manifests: dict[str, Manifest], form: str, count: int
) -> None:
    images = pictures(count)
    outputs = load_backend(manifests[form], threads=1).run(images)
    expected = answers(model, scaled(images))
    assert list(outputs) == ["probability"]
    assert outputs["probability"] == pytest.approx(expected, abs=1e-5)
    assert count == 1 or np.ptp(expected) > 0.01


@every_form
def test_a_model_without_scaling_is_given_the_values_of_the_pixels(
    model: keras.Model, manifests: dict[str, Manifest], form: str
) -> None:
    images = pictures(2)
    manifest = replace(manifests[form], input=InputSpec(WIDTH, HEIGHT))
    outputs = load_backend(manifest, threads=1).run(images)
    assert outputs["probability"] == pytest.approx(answers(model, images.astype(np.float64)), abs=1e-4)


@every_form
def test_it_runs_in_several_threads_at_once(manifests: dict[str, Manifest], form: str) -> None:
    backend = load_backend(manifests[form], threads=1)
    batches = [pictures(2, seed) for seed in range(100)]
    alone = [backend.run(batch)["probability"] for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        for one, outputs in zip(alone, threads.map(backend.run, batches), strict=True):
            assert outputs["probability"] == pytest.approx(one, abs=1e-6)
    assert len({float(one[0, 0]) for one in alone}) > 90


@every_form
def test_it_says_where_it_runs(manifests: dict[str, Manifest], form: str) -> None:
    has_gpu = form != TFLITE and bool(tf.config.list_physical_devices("GPU"))
    assert load_backend(manifests[form], threads=1).device == ("cuda" if has_gpu else "cpu")


@every_form
def test_a_closed_model_does_not_run(manifests: dict[str, Manifest], form: str) -> None:
    backend = load_backend(manifests[form], threads=1)
    backend.close()
    with pytest.raises(ModelUnavailable):
        backend.run(pictures(1))


@every_form
def test_other_threads_go_on_while_a_model_runs(form: str, tmp_path: Path) -> None:
    model = network(keras.layers.Dense(1), size=(512, 512))
    path = write_manifest(write(model, tmp_path, form), tmp_path, OUTPUT, size=(512, 512))
    backend = load_backend(load_manifest(path), threads=1)
    images = np.zeros((8, 512, 512, 3), np.uint8)
    # Were the interpreter held while the network runs, no tick would fall into most of any run's time.
    assert min(longest_silence(lambda: backend.run(images)) for _ in range(5)) < 0.5


def longest_silence(work: Callable[[], object]) -> float:
    """Tell for which share of the work's time another thread was kept waiting, at the longest."""
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.001):
            ticks.append(time.perf_counter())

    with ThreadPoolExecutor(1) as other:
        ticking = other.submit(tick)
        begin = time.perf_counter()
        work()
        end = time.perf_counter()
        done.set()
        ticking.result()
    times = np.array([begin, *(at for at in ticks if begin < at < end), end])
    return float(np.diff(times).max() / (end - begin))


@every_form
@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({"probability": OutputSpec(("batch",), "float32")}, r"is float32 \('batch', 1\), not float32 \('ba"),
        ({"probability": OutputSpec(("batch", 1), "float64")}, "is float32 .*, not float64"),
        (ONE | {"other": ONE["probability"]}, r"has the outputs \['output_0'\], and no \['other', 'prob"),
    ],
)
def test_other_outputs_than_the_manifests_are_refused(
    manifests: dict[str, Manifest], form: str, outputs: dict[str, OutputSpec], text: str
) -> None:
    with pytest.raises(ManifestError, match=text) as raised:
        load_backend(replace(manifests[form], outputs=outputs), threads=1)
    assert form.rpartition("/")[2] in str(raised.value)


@every_form
def test_another_input_size_than_the_manifests_is_refused(manifests: dict[str, Manifest], form: str) -> None:
    with pytest.raises(ManifestError, match=r"takes float32 \(.*24, 32, 3\), not images \(24, 33, 3\)"):
        load_backend(replace(manifests[form], input=InputSpec(33, 24)), threads=1)


@every_form
def test_outputs_are_chosen_by_their_names(form: str, tmp_path: Path) -> None:
    images = keras.Input((HEIGHT, WIDTH, 3))
    first = keras.layers.GlobalAveragePooling2D()(images)
    second = keras.layers.GlobalMaxPooling2D()(images)
    model = keras.Model(images, {"mean": first, "most": second})
    path = write_manifest(write(model, tmp_path, form), tmp_path, {"most": ("batch", 3)})
    outputs = load_backend(load_manifest(path), threads=1).run(batch := pictures(3))
    assert list(outputs) == ["most"]
    assert (outputs["most"] == batch.max(axis=(1, 2))).all()


@every_form
def test_a_model_of_two_inputs_is_refused(form: str, tmp_path: Path) -> None:
    images = [keras.Input((HEIGHT, WIDTH, 3), name=name) for name in ("one", "two")]
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()(images))
    path = write_manifest(write(keras.Model(images, mean), tmp_path, form), tmp_path, {"mean": ("batch", 3)})
    with pytest.raises(ManifestError, match=r"inputs.*, not a single one"):
        load_backend(load_manifest(path), threads=1)


@every_form
def test_a_model_may_take_pixels_as_they_are(form: str, tmp_path: Path) -> None:
    images = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8")
    floats = keras.layers.Rescaling(1 / 255, dtype="float32")(images)
    model = keras.Model(images, keras.layers.GlobalAveragePooling2D()(floats))
    manifest = load_manifest(write_manifest(write(model, tmp_path, form), tmp_path, {"mean": ("batch", 3)}))
    outputs = load_backend(manifest, threads=1).run(batch := pictures(3))
    assert outputs["mean"] == pytest.approx(batch.mean(axis=(1, 2)) / 255, abs=1e-5)
    with pytest.raises(ManifestError, match="takes pixels as they are"):
        load_backend(replace(manifest, input=InputSpec(WIDTH, HEIGHT, scaling=SCALING)), threads=1)


@every_form
@pytest.mark.parametrize("spoil", [lambda _: b"no model", lambda _: b"", lambda data: data[: len(data) // 2]])
def test_a_file_that_is_no_model_is_refused(
    model: keras.Model, form: str, spoil: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    file = write(model, tmp_path, form)
    file.write_bytes(spoil(file.read_bytes()))
    manifest = load_manifest(write_manifest(file, tmp_path, OUTPUT))
    with pytest.raises(ManifestError, match=f"{file}: "):
        load_backend(manifest, threads=1)


def test_a_file_of_another_kind_is_refused(model: keras.Model, tmp_path: Path) -> None:
    file = write(model, tmp_path, KERAS).rename(tmp_path / "model.h5")
    with pytest.raises(ManifestError, match=r"model\.h5: .* runs a \.tflite, a \.keras, or a SavedModel"):
        load_backend(load_manifest(write_manifest(file, tmp_path, OUTPUT)), threads=1)


def test_code_in_a_keras_file_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    name = str(marker)
    images = keras.Input((HEIGHT, WIDTH, 3))
    # An import of its own: a Keras file holds a function's code, and no modules.
    ran = keras.layers.Lambda(lambda values: (__import__("os").mkdir(name), values)[1])
    file = write(keras.Model(images, ran(images)), tmp_path, KERAS)
    marker.rmdir()
    with pytest.raises(ManifestError, match="Lambda"):
        load_backend(load_manifest(write_manifest(file, tmp_path, OUTPUT)), threads=1)
    assert not marker.exists()


def test_all_of_a_saved_model_is_vouched_for(model: keras.Model, tmp_path: Path) -> None:
    file = write(model, tmp_path, SAVED_MODEL)
    manifest = load_manifest(write_manifest(file, tmp_path, OUTPUT))
    weights = next(listed for listed in manifest.files if ".data-" in listed.path.name)
    others = tuple(listed for listed in manifest.files if listed is not weights)
    with pytest.raises(ManifestError, match=r"\['variables/variables\.data-.*'\]: not among the files"):
        load_backend(replace(manifest, files=others), threads=1)
    (file.parent / "saved_model.cpb").touch()  # which TensorFlow would read instead
    with pytest.raises(ManifestError, match=r"\['saved_model\.cpb'\]: not among the files"):
        load_backend(manifest, threads=1)


def test_a_saved_model_without_the_signature_is_refused(tmp_path: Path) -> None:
    file = tmp_path / SAVED_MODEL
    tf.saved_model.save(tf.Module(), str(file.parent))
    with pytest.raises(ManifestError, match="no signature 'serving_default'"):
        load_backend(load_manifest(write_manifest(file, tmp_path, OUTPUT)), threads=1)


def test_a_quantised_model_takes_and_gives_real_values(model: keras.Model, tmp_path: Path) -> None:
    fitted_on = scaled(pictures(50, seed=1)).astype(np.float32)
    path = write_manifest(write_quantised(model, tmp_path, fitted_on), tmp_path, OUTPUT)
    manifest = load_manifest(path)
    images = pictures(20)
    outputs = load_backend(replace(manifest, input=replace(manifest.input, scaling=SCALING)), threads=1).run(
        images
    )
    expected = answers(model, scaled(images))
    # int8 loses up to .021 of these; a mistaken scale or zero point loses far more.
    assert outputs["probability"] == pytest.approx(expected, abs=0.03)
    assert np.corrcoef(outputs["probability"][:, 0], expected[:, 0])[0, 1] > 0.99


def test_onnx_graphs_run_beside_it(manifests: dict[str, Manifest], manifest_path: Path) -> None:
    onnx = load_backend(load_manifest(manifest_path), threads=1)
    others = [load_backend(manifests[form], threads=1) for form in FORMS]
    batch = np.full((2, 4, 6, 3), 7, np.uint8)
    before = [other.run(pictures(2))["probability"] for other in others]
    assert (onnx.run(batch)["mean"] == 7).all()
    for other, outputs in zip(others, before, strict=True):
        assert (other.run(pictures(2))["probability"] == outputs).all()


@pytest.mark.parametrize(
    ("form", "module", "package", "extra"),
    [
        (TFLITE, "tensorflow_lite", "ai_edge_litert.interpreter", "tflite"),
        (KERAS, "tensorflow", "tensorflow", "tensorflow"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    manifests: dict[str, Manifest],
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    module: str,
    package: str,
    extra: str,
) -> None:
    monkeypatch.delitem(sys.modules, f"menagerie_inference.backends.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)  # as Python marks what cannot be imported
    with pytest.raises(ManifestError, match=rf"needs the extra \[{extra}\]"):
        load_backend(manifests[form], threads=1)


def in_a_process_of_its_own(manifest: Path, then: str) -> list[str]:
    program = f"""
import sys
from pathlib import Path
from menagerie_inference.backends import load_backend
from menagerie_inference.manifest import load_manifest
backend = load_backend(load_manifest(Path(sys.argv[1])), threads=1)
{then}
"""
    run = subprocess.run(
        [sys.executable, "-c", program, manifest], check=True, capture_output=True, text=True
    )
    return run.stdout.splitlines()


def test_a_tflite_model_needs_no_tensorflow(model: keras.Model, tmp_path: Path) -> None:
    path = write_manifest(write(model, tmp_path, TFLITE), tmp_path, OUTPUT)
    then = "print(sorted({'ai_edge_litert', 'keras', 'tensorflow'} & set(sys.modules)))"
    assert in_a_process_of_its_own(path, then) == ["['ai_edge_litert']"]


def test_the_first_model_sets_tensorflows_threads(model: keras.Model, tmp_path: Path) -> None:
    path = write_manifest(write(model, tmp_path, KERAS), tmp_path, OUTPUT)
    then = """
import tensorflow
print(tensorflow.config.threading.get_intra_op_parallelism_threads())
load_backend(load_manifest(Path(sys.argv[1])), threads=2)
print(tensorflow.config.threading.get_intra_op_parallelism_threads())
"""
    assert in_a_process_of_its_own(path, then) == ["1", "1"]
