"""The backends: one module for each inference engine, imported only when a manifest needs it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.manifest import Manifest

# ONNX Runtime from 1.32 on sends telemetry to Microsoft. It reads this variable when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class Backend(Protocol):
    """A loaded model. Its methods block, and release the GIL while the model runs."""

    device: str
    """Where the model runs: "cpu" or "cuda"."""

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Run the model on uint8 RGB images (n, height, width, 3), n >= 1; thread-safe.

        Returns:
            The outputs by name, each of n rows.
        """

    def close(self) -> None:
        """Free the model's memory; nothing may run any more."""


def load_backend(manifest: Manifest, *, threads: int, usual_batch: int = 8) -> Backend:
    """Load a manifest's model and run it once.

    Args:
        threads: how many threads of a CPU share the work of a run.
        usual_batch: the memory of larger batches is freed after each run.

    Raises:
        ManifestError: the backend is unknown or not installed, or the model does not load or is not what its
            manifest says.
    """
    match manifest.backend:
        case "onnx":
            return _load_onnx(manifest, threads, usual_batch)
        case "tensorflow" if manifest.files[0].path.suffix == ".tflite":
            return _load_tflite(manifest, threads)
        case "tensorflow":
            return _load_tensorflow(manifest, threads)
        case unknown:
            raise ManifestError(f"{manifest.identity}: there is no backend {unknown!r}")


def _load_onnx(manifest: Manifest, threads: int, usual_batch: int) -> Backend:
    if manifest.input.scaling is not None:
        raise ManifestError(f"{manifest.identity}: the backend 'onnx' gives graphs the pixels as they are")
    with _needing("onnx", manifest):
        from menagerie_inference.backends.onnx import OnnxBackend  # noqa: PLC0415
    return OnnxBackend(manifest, threads=threads, usual_batch=usual_batch)


def _load_tflite(manifest: Manifest, threads: int) -> Backend:
    with _needing("tflite", manifest):
        from menagerie_inference.backends.tensorflow_lite import TfliteBackend  # noqa: PLC0415
    return TfliteBackend(manifest, threads=threads)


def _load_tensorflow(manifest: Manifest, threads: int) -> Backend:
    with _needing("tensorflow", manifest):
        from menagerie_inference.backends.tensorflow import TensorflowBackend  # noqa: PLC0415
    return TensorflowBackend(manifest, threads=threads)


@contextmanager
def _needing(extra: str, manifest: Manifest) -> Iterator[None]:
    """Import a backend in the block: late, as it takes long, and its package is an extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        text = f"{manifest.identity}: the backend {manifest.backend!r} needs the extra [{extra}]"
        raise ManifestError(text) from error
