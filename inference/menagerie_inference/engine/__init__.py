"""Where models run: in this process (`engine.local`), or elsewhere behind the same two protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.batching import BatchStatistics, Outputs
    from menagerie_inference.manifest import Manifest


class Model(Protocol):
    """A model that answers many callers at once."""

    @property
    def manifest(self) -> Manifest:
        """What the model is."""

    @property
    def device(self) -> str:
        """Where it runs: "cpu" or "cuda"."""

    @property
    def batches(self) -> bool:
        """Whether images of several callers share a batch: where not, `run()` does as well as `infer()`."""

    async def infer(self, images: NDArray[np.uint8], *, deadline: float | None = None) -> Outputs:
        """Run uint8 RGB images (n, height, width, 3) of the manifest's input size.

        Args:
            deadline: in the loop's time, in seconds.

        Returns:
            The outputs by name, each of n rows.

        Raises:
            ValueError: the images have another shape.
            Overloaded, DeadlineExceeded, ModelUnavailable, ModelFailed: as `Batcher.submit()`.
        """

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Run images as `infer()` does, but alone and in the calling thread, which it blocks.

        Raises:
            ValueError, ModelUnavailable, ModelFailed: as `infer()`.
        """

    def statistics(self) -> BatchStatistics:
        """Return the counts of the images that `infer()` was given."""


class Engine(Protocol):
    """Loads models, and keeps them until its context is left."""

    async def load(self, manifest: Manifest) -> Model:
        """Load a model; several may load at once.

        Raises:
            ManifestError: the model cannot be loaded, or is not what its manifest says.
            ModelUnavailable: the engine is closed.
        """
