"""The embedding by which an individual is recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import numpy as np

from menagerie_inference.errors import ManifestError, ModelFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from menagerie_inference.manifest import Manifest

EMBEDDING: Final = "embedding"

MOST_DIMENSIONS: Final = 4_000
"""The most dimensions of half-precision vectors that pgvector can index."""

_DIGITS: Final = 12


class Embedder:
    """Reads embeddings from a model's outputs; similar animals have near ones.

    The model has the output "embedding" (batch, dimensions); or a single output of that shape under any name,
    as the exports of MiewID and MegaDescriptor have.

    Raises:
        ManifestError: it has neither.
    """

    def __init__(self, manifest: Manifest) -> None:
        names = list(manifest.outputs)
        self._output = EMBEDDING if EMBEDDING in names or len(names) != 1 else names[0]
        output = manifest.outputs.get(self._output)
        if output is None or len(output.shape) != 2:  # noqa: PLR2004 - the batch, and the dimensions
            raise ManifestError(f"{manifest.identity}: an embedder gives each photo a vector, {EMBEDDING!r}")
        self.dimensions = cast("int", output.shape[1])
        if self.dimensions > MOST_DIMENSIONS:
            raise ManifestError(
                f"{manifest.identity}: a vector has {self.dimensions} dimensions; at most {MOST_DIMENSIONS}"
            )
        self.version = f"{manifest.name}-{manifest.version}-{manifest.files[0].sha256[:_DIGITS]}"
        """Vectors of two versions say nothing of each other: other weights under an old name are another."""

    def embed(self, outputs: Mapping[str, NDArray[np.generic]]) -> NDArray[np.float32]:
        """Return one photograph's embedding (dimensions,), of length 1 so that a dot product is the cosine.

        Raises:
            ModelFailed: the model's output is zero or not finite.
        """
        vector = outputs[self._output].astype(np.float64).ravel()
        length = float(np.linalg.norm(vector))
        if not (np.isfinite(length) and length > 0):
            raise ModelFailed("an embedder gave a vector without a direction")
        return (vector / length).astype(np.float32)
