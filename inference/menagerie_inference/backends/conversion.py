"""Converts Keras files and SavedModels to ONNX, and checks that the answers stay the same."""

from __future__ import annotations

import hashlib
import shutil
import statistics
import time
import warnings
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tf2onnx
import tomli_w
from pydantic import TypeAdapter

from menagerie_inference.backends.onnx import OnnxBackend
from menagerie_inference.backends.tensorflow import TensorflowBackend, serving_function
from menagerie_inference.backends.tensorflow_networks import open_network
from menagerie_inference.errors import InferenceError, ManifestError
from menagerie_inference.manifest import Manifest, ModelFile, load_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from menagerie_inference.backends import Backend

GRAPH: Final = "model.onnx"
TOLERANCE: Final = 1e-4
"""How far an output of the graph may lie from TensorFlow's."""

_OPSET: Final = 18
"""What ONNX Runtime 1.24, the oldest that this project takes, runs on every device."""

_IMAGES: Final = 32
_TIMED: Final = 20
_MANIFEST: Final = TypeAdapter(Manifest)


class ConversionFailed(InferenceError):
    """Raised when a model cannot be converted, or answers otherwise once it is; nothing is written."""


@dataclass(frozen=True)
class Conversion:
    """A converted model, and its comparison with the original; `str()` of it is for people."""

    manifest: Manifest
    """Of the graph, as it was written beside it."""

    differences: dict[str, float]
    """The most that a number of each output differs, over random images and those that were given."""

    images: int
    """How many those were."""

    tensorflow_seconds: float
    """The median that an image took, one at a time, on one thread of a processor."""

    onnx_seconds: float
    """The same of the graph."""

    @property
    def speed_up(self) -> float:
        """How many times as fast the graph is."""
        return self.tensorflow_seconds / self.onnx_seconds

    def __str__(self) -> str:
        differences = ", ".join(f"{name} {most:.1e}" for name, most in self.differences.items())
        return (
            f"{self.manifest.identity}: {self.manifest.files[0].path}\n"
            f"parity: max |d| {differences} over {self.images} images (at most {TOLERANCE:.0e})\n"
            f"one image: TensorFlow {self.tensorflow_seconds * 1e3:.2f} ms, ONNX Runtime "
            f"{self.onnx_seconds * 1e3:.2f} ms, {self.speed_up:.1f} times as fast"
        )


def convert(manifest: Manifest, folder: Path, photographs: Sequence[NDArray[np.uint8]] = ()) -> Conversion:
    """Convert a model of the backend "tensorflow" to ONNX, in a new folder with its manifest.

    The graph takes uint8 images and includes the scaling of the manifest. The manifest keeps the name and the
    version of the model, as the weights are the same.

    Args:
        photographs: images (height, width, 3) of the manifest's size to compare the answers on, besides
            random ones, which many networks reject alike.

    Raises:
        ConversionFailed: the folder exists, an operation has no counterpart in ONNX, or the answers differ by
            more than `TOLERANCE`.
        ManifestError: the model does not match its manifest.
    """
    if folder.exists():
        raise ConversionFailed(f"{folder}: exists already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as unfinished:
        draft = Path(unfinished) / folder.name
        draft.mkdir()
        _write(manifest, draft)
        compared = _compare(
            manifest,
            load_manifest(draft / "manifest.toml"),
            np.stack([*_random_images(manifest), *photographs]),
        )
        draft.rename(folder)
    return replace(compared, manifest=load_manifest(folder / "manifest.toml"))


def _write(manifest: Manifest, folder: Path) -> None:
    network = open_network(manifest)
    graph, _ = _to_onnx(manifest, serving_function(network, manifest))
    (folder / GRAPH).write_bytes(graph.SerializeToString())
    labels = manifest.labels
    if labels is not None:
        shutil.copy(labels.file, folder / labels.file.name)
    (folder / "manifest.toml").write_text(_to_toml(manifest, folder), encoding="utf-8")


def _to_onnx(manifest: Manifest, function: Any) -> tuple[Any, Any]:  # noqa: ANN401 - TensorFlow has no types
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of NumPy's coming changes, which are tf2onnx's to meet
            return tf2onnx.convert.from_function(  # type: ignore[no-any-return]
                function, input_signature=function.input_signature, opset=_OPSET
            )
    except Exception as error:  # tf2onnx raises what it comes upon
        text = " ".join(str(error).split())
        raise ConversionFailed(f"{manifest.identity}: cannot be turned into ONNX: {text}") from error


def _to_toml(manifest: Manifest, folder: Path) -> str:
    """Return the manifest of the graph, without the scaling, which the graph includes."""
    files = [_file(folder / GRAPH, manifest.licence)]
    labels = manifest.labels
    if labels is not None:
        files.append(_file(folder / labels.file.name, _licence(manifest, labels.file)))
        labels = replace(labels, file=folder / labels.file.name)
    converted = replace(
        manifest,
        backend="onnx",
        source=f"{manifest.source}, converted to ONNX by tf2onnx {version('tf2onnx')}",
        files=tuple(files),
        labels=labels,
        input=replace(manifest.input, scaling=None),
    )
    values = _MANIFEST.dump_python(converted, mode="json", exclude_none=True)
    for file in values["files"]:
        file["path"] = Path(file["path"]).name
    if labels is not None:
        values["labels"]["file"] = labels.file.name
    text: str = tomli_w.dumps(values)
    return text


def _file(path: Path, licence: str) -> ModelFile:
    return ModelFile(path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), licence=licence)


def _licence(manifest: Manifest, path: Path) -> str:
    return next(file.licence for file in manifest.files if file.path == path)


def _compare(before: Manifest, after: Manifest, images: NDArray[np.uint8]) -> Conversion:
    with closing(TensorflowBackend(before, threads=1)) as tensorflow, closing(_open(after)) as graph:
        expected, found = tensorflow.run(images), graph.run(images)
        differences = {
            name: float(np.abs(found[name].astype(np.float64) - values).max())
            for name, values in expected.items()
        }
        if not max(differences.values()) <= TOLERANCE:  # as NaN is not
            raise ConversionFailed(f"{before.identity}: the answers differ: max |d| {differences}")
        times = [_time(backend, images[:1]) for backend in (tensorflow, graph)]
    return Conversion(after, differences, len(images), *times)


def _open(graph: Manifest) -> OnnxBackend:
    try:
        return OnnxBackend(graph, threads=1)
    except ManifestError as error:  # tf2onnx leaves an operation that it does not know as it is
        raise ConversionFailed(f"{graph.identity}: cannot be turned into ONNX: {error}") from error


def _random_images(manifest: Manifest) -> NDArray[np.uint8]:
    """Return noise, half of it around a colour, as networks see little else in noise of every value."""
    random = np.random.default_rng(0)
    shape = (_IMAGES // 2, manifest.input.height, manifest.input.width, 3)
    noise = random.integers(0, 256, shape, np.uint8)
    coloured = random.integers(0, 200, (_IMAGES // 2, 1, 1, 3)) + random.integers(0, 56, shape)
    return np.concatenate([noise, coloured.astype(np.uint8)])


def _time(backend: Backend, image: NDArray[np.uint8]) -> float:
    backend.run(image)
    times = []
    for _ in range(_TIMED):
        start = time.perf_counter()
        backend.run(image)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
