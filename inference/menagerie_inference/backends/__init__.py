"""What runs a model: one file for each engine, imported only when a manifest asks for it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.manifest import Manifest


class Backend(Protocol):
    """A loaded model. Its methods block, and release the GIL while the model runs."""

    device: str
    """Where the model runs: "cpu" or "cuda"."""

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Run the model on uint8 RGB images (n, height, width, 3), n >= 1; gives n rows per output.

        It may be called from several threads at once.
        """

    def close(self) -> None:
        """Free the model's memory; nothing may run any more."""


def load_backend(manifest: Manifest, *, threads: int, usual_batch: int = 8) -> Backend:
    """Load a manifest's model, to run with `threads` threads of a CPU; it has run once when this returns.

    Batches of more than `usual_batch` images give back the memory that they took.

    Raises `ManifestError` if the backend is unknown or not installed, if the model does not load, and if it
    is not what its manifest says.
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
    """Import a backend: here, as the imports take long, and their packages are extras."""
    try:
        yield
    except ModuleNotFoundError as error:
        text = f"{manifest.identity}: the backend {manifest.backend!r} needs the extra [{extra}]"
        raise ManifestError(text) from error
