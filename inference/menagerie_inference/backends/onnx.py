"""Runs ONNX models with ONNX Runtime: on CUDA if available, else on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

from menagerie_inference.backends.agreement import check_outputs, choose_outputs
from menagerie_inference.backends.onnx_input import GraphInput
from menagerie_inference.errors import ManifestError, ModelUnavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.manifest import Manifest

_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"

# ONNX Runtime's errors have no base class of their own.
_ERRORS: Final = (
    runtime_errors.Fail,
    runtime_errors.InvalidArgument,
    runtime_errors.InvalidGraph,
    runtime_errors.InvalidProtobuf,
    runtime_errors.NotImplemented,
    runtime_errors.RuntimeException,
)


class OnnxBackend:
    """An ONNX graph of one input, images as `GraphInput` has them, and at least the outputs of its manifest.

    Where the graph and the manifest have one output each, the graph's may have another name. A graph that was
    exported for one image is run image by image.

    `threads` share the work of a run. The memory of a batch of more than `usual_batch` images is freed after
    the run; ONNX Runtime would keep it (one batch of 64 left a process of 110 MB at 322 MB).

    Raises:
        ManifestError: the graph does not load, or does not produce the manifest's outputs.
    """

    def __init__(self, manifest: Manifest, *, threads: int, usual_batch: int = 8) -> None:
        self._names = list(manifest.outputs)
        self._usual_batch = usual_batch
        try:
            self._session = _load(manifest, threads)
            self._input = _only_input(manifest, self._session)
            self._outputs = list(_outputs(manifest, self._session).values())
            self.device = "cuda" if _CUDA in self._session.get_providers() else "cpu"
            self._returning_memory = _options_to_return_memory(self.device)
            check_outputs(manifest, self.run)
        except _ERRORS as error:
            text = " ".join(str(error).split())  # ONNX Runtime writes several lines
            raise ManifestError(f"{manifest.files[0].path}: {text}") from error

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Run the graph, as `Backend.run()`.

        Raises:
            ModelUnavailable: the model is closed.
        """
        if self._session is None:
            raise ModelUnavailable("the model is closed")
        values = self._input.of(images)
        if self._input.takes_one and len(values) > 1:
            rows = [self._run(values[place : place + 1]) for place in range(len(values))]
            return {name: np.concatenate([row[name] for row in rows]) for name in self._names}
        return self._run(values)

    def _run(self, values: NDArray[Any]) -> Outputs:
        session = self._session
        if session is None:
            raise ModelUnavailable("the model is closed")
        options = self._returning_memory if len(values) > self._usual_batch else None
        found = session.run(self._outputs, {self._input.name: values}, options)
        return dict(zip(self._names, found, strict=True))

    def close(self) -> None:
        """Free the session, once the runs in progress are done."""
        self._session = None


def _load(manifest: Manifest, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between runs take the cores from decoding and from the other models.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(manifest.files[0].path, options, providers=_providers())


def _providers() -> list[str]:
    if _CUDA not in onnxruntime.get_available_providers():
        return [_CPU]
    onnxruntime.preload_dlls()  # finds the CUDA libraries that pip installed
    return [_CUDA, _CPU]


def _only_input(manifest: Manifest, session: onnxruntime.InferenceSession) -> GraphInput:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = [value.name for value in inputs]
        raise ManifestError(f"{manifest.files[0].path}: the graph has the inputs {names}, not a single one")
    return GraphInput(manifest, inputs[0])


def _outputs(manifest: Manifest, session: onnxruntime.InferenceSession) -> dict[str, str]:
    """Return the names of the graph's outputs by those of the manifest's."""
    return choose_outputs(manifest, {value.name: value.name for value in session.get_outputs()})


def _options_to_return_memory(device: str) -> onnxruntime.RunOptions:
    arenas = "cpu:0;gpu:0" if device == "cuda" else "cpu:0"
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", arenas)
    return options
