"""The image input of an ONNX graph: pixels as they are, or the scaled floats of PyTorch exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from menagerie_inference.backends.agreement import check_input
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from onnxruntime import NodeArg

    from menagerie_inference.manifest import Manifest

_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
}
_CHANNELS: Final = 3
_LAST_TO_FIRST: Final = (0, 3, 1, 2)


class GraphInput:
    """The one input of a graph, (batch, height, width, 3) or (batch, 3, height, width), of uint8 or floats.

    Raises:
        ManifestError: the graph takes anything else, or images of another size than the manifest's.
    """

    def __init__(self, manifest: Manifest, argument: NodeArg) -> None:
        self.name: str = argument.name
        self._path = manifest.files[0].path
        shape = [side if isinstance(side, int) else None for side in argument.shape]
        self._dtype = self._known(argument.type)
        self._channels_first = self._is_channels_first(shape)
        check_input(manifest, _channels_last(shape) if self._channels_first else shape, self._dtype.name)
        self.takes_one = shape[0] == 1
        """Whether the graph was exported for batches of one image."""
        scaling = manifest.input.scaling
        order = (_CHANNELS, 1, 1) if self._channels_first else (_CHANNELS,)
        self._scaling = (
            np.array([scaling.mean, scaling.divisor], np.float32).reshape(2, *order) if scaling else None
        )

    def of(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """Convert uint8 RGB images (n, height, width, 3) to the graph's input."""
        ordered = images.transpose(_LAST_TO_FIRST) if self._channels_first else images
        if self._dtype == np.uint8:
            return np.ascontiguousarray(ordered)
        values = np.ascontiguousarray(ordered, np.float32)
        if self._scaling is not None:
            mean, divisor = self._scaling
            values -= mean
            values /= divisor
        return values.astype(self._dtype, copy=False)

    def _known(self, type_name: str) -> np.dtype[Any]:
        if type_name not in _DTYPES:
            raise ManifestError(f"{self._path}: the graph takes a {type_name}, not one of {sorted(_DTYPES)}")
        return _DTYPES[type_name]

    def _is_channels_first(self, shape: Sequence[int | None]) -> bool:
        if len(shape) != len(_LAST_TO_FIRST):
            return False
        if shape[1] != _CHANNELS and shape[-1] != _CHANNELS:
            raise ManifestError(
                f"{self._path}: the graph does not say which of its input's sides has 3 colours"
            )
        return shape[1] == _CHANNELS and shape[-1] != _CHANNELS


def _channels_last(shape: Sequence[int | None]) -> list[int | None]:
    batch, channels, height, width = shape
    return [batch, height, width, channels]
