"""Runs TFLite models with LiteRT on the CPU, without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from menagerie_inference.backends.agreement import check_input, check_outputs, choose_outputs
from menagerie_inference.errors import ManifestError, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.manifest import Manifest


class TfliteBackend:
    """A TFLite model of one input, images of floats or of quantised floats, and the manifest's outputs.

    An interpreter serves one thread at a time, so there are as many as there have been concurrent runs;
    `threads` share the work of each. Quantised outputs become float32.

    Raises:
        ManifestError: the model does not load, or is not what its manifest says.
    """

    device = "cpu"

    def __init__(self, manifest: Manifest, *, threads: int) -> None:
        self._manifest = manifest
        self._threads = threads
        path = manifest.files[0].path
        # Read once: the interpreters would map the file, and die with a file that is overwritten.
        self._model: bytes | None = path.read_bytes()
        self._idle: list[_ImageInterpreter] = []
        try:
            check_outputs(manifest, self.run)
        except (RuntimeError, ValueError) as error:
            raise ManifestError(f"{path}: {' '.join(str(error).split())}") from error

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Run the model, as `Backend.run()`, one image after another.

        Many models have a fixed batch of one, and batches took no less time for each image and more memory.

        Raises:
            ModelUnavailable: the model is closed.
        """
        interpreter = self._take()
        rows = [interpreter.run(image) for image in images]
        self._give_back(interpreter)
        return {name: np.concatenate([row[name] for row in rows]) for name in self._manifest.outputs}

    def close(self) -> None:
        """Free the interpreters, once the runs in progress are done."""
        self._model = None
        self._idle.clear()

    def _take(self) -> _ImageInterpreter:
        if self._model is None:
            raise ModelUnavailable("the model is closed")
        try:
            return self._idle.pop()
        except IndexError:
            return _ImageInterpreter(self._model, self._manifest, self._threads)

    def _give_back(self, interpreter: _ImageInterpreter) -> None:
        """Keep an interpreter for the next run; one that failed is dropped instead."""
        self._idle.append(interpreter)
        if self._model is None:  # closed meanwhile
            self._idle.clear()


class _ImageInterpreter:
    """An interpreter of an image model; not thread-safe."""

    def __init__(self, model: bytes, manifest: Manifest, threads: int) -> None:
        self._interpreter = Interpreter(model_content=model, num_threads=threads)
        self._input = _only_input(self._interpreter, manifest)
        self._interpreter.resize_tensor_input(
            self._input.index, (1, manifest.input.height, manifest.input.width, 3)
        )
        self._interpreter.allocate_tensors()
        outputs = {name: _Tensor(details) for name, details in _outputs(self._interpreter).items()}
        self._outputs = choose_outputs(manifest, outputs)
        self._scaling = manifest.input.scaling

    def run(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """Run the model on one image; return one row per output."""
        self._interpreter.set_tensor(self._input.index, self._input.quantise(self._scaled(image))[np.newaxis])
        self._interpreter.invoke()
        return {
            name: output.restore(self._interpreter.get_tensor(output.index))
            for name, output in self._outputs.items()
        }

    def _scaled(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        if self._scaling is None:
            return image
        mean, divisor = np.array([self._scaling.mean, self._scaling.divisor], np.float32)
        return np.asarray((image - mean) / divisor)


class _Tensor:
    """A tensor by its details. If it has a scale, a real value is (stored - zero point) * scale."""

    def __init__(self, details: Mapping[str, Any]) -> None:
        self.index: int = details["index"]
        self.dtype = np.dtype(details["dtype"])
        self.real_dtype = "float32" if details["quantization"][0] else self.dtype.name
        self.shape = [None if side < 0 else side for side in details["shape_signature"].tolist()]
        self._scale, self._zero_point = details["quantization"]

    def quantise(self, values: NDArray[Any]) -> NDArray[Any]:
        """Convert real values to the tensor's dtype."""
        if not self._scale:
            return values.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        stored = np.rint(values / np.float32(self._scale)) + self._zero_point
        return np.asarray(stored.clip(limits.min, limits.max), self.dtype)

    def restore(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Convert stored values to real ones."""
        if not self._scale:
            return stored
        return np.asarray((stored.astype(np.float32) - self._zero_point) * self._scale, np.float32)


def _only_input(interpreter: Interpreter, manifest: Manifest) -> _Tensor:
    inputs = interpreter.get_input_details()
    if len(inputs) != 1:
        names = [details["name"] for details in inputs]
        raise ManifestError(f"{manifest.files[0].path}: the model has the inputs {names}, not a single one")
    tensor = _Tensor(inputs[0])
    check_input(manifest, tensor.shape, tensor.real_dtype)
    return tensor


def _outputs(interpreter: Interpreter) -> dict[str, Mapping[str, Any]]:
    """Name the outputs as the model's signature does, or its tensors if it has none."""
    if interpreter.get_signature_list():
        return dict(interpreter.get_signature_runner().get_output_details())
    return {details["name"]: details for details in interpreter.get_output_details()}
