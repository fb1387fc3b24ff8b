"""The models of the slots, and questions that are answered from their codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Self, TypeAlias, TypeVar

import numpy as np

from menagerie_inference.domains.muzzle.codes import LEAST_SLOTS, SLOTS
from menagerie_inference.errors import ManifestError, ModelUnavailable
from menagerie_inference.pipeline import Inference, ModelRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from menagerie_inference.engine import Model
    from menagerie_inference.image import InputSpec
    from menagerie_inference.manifest import Manifest
    from menagerie_inference.pipeline import RunResult, Views

    Outputs: TypeAlias = Mapping[int, NDArray[np.float32]]

T = TypeVar("T")

ROLES: Final = {f"muzzle-{slot}": slot for slot in SLOTS}
"""The role of each slot's model."""

DIMENSIONS: Final = 128
"""The length of a model's code (API document, `ModelEmbeddingCode.code`)."""

_DIGITS: Final = 12


def check_manifest(manifest: Manifest) -> None:
    """Check that a model has one output, a code of `DIMENSIONS` numbers.

    Raises:
        ManifestError: it has not.
    """
    shapes = [output.shape for output in manifest.outputs.values()]
    if shapes != [("batch", DIMENSIONS)]:
        raise ManifestError(
            f"{manifest.identity}: a muzzle's model has one output, [batch, {DIMENSIONS}], not {shapes}"
        )


class MuzzleEmbedders:
    """The loaded models, by slot.

    A model that fails during a run is left out, as if it were not loaded, unless too few remain.

    Args:
        failed: called in a thread with the slot and the error of a model that was left out.

    Raises:
        ManifestError: as `check_manifest()`.
    """

    def __init__(
        self,
        models: Mapping[int, Model],
        *,
        failed: Callable[[int, Exception], None] = lambda _slot, _error: None,
    ) -> None:
        for model in models.values():
            check_manifest(model.manifest)
        self.by_slot = dict(sorted(models.items()))
        self._failed = failed
        self._specs = {slot: model.manifest.input for slot, model in self.by_slot.items()}
        self.inputs: tuple[InputSpec, ...] = tuple(dict.fromkeys(self._specs.values()))
        """The inputs that a photograph is decoded to; models of equal inputs share one."""

    @property
    def versions(self) -> dict[int, str]:
        """The name and version of each model, by slot."""
        return {
            slot: f"{model.manifest.name}-{model.manifest.version}" for slot, model in self.by_slot.items()
        }

    @property
    def fingerprint(self) -> str:
        """Identifies the weights: only codes of the same weights can be compared."""
        manifests = {slot: model.manifest for slot, model in self.by_slot.items()}
        return " ".join(f"{slot}:{one.files[0].sha256[:_DIGITS]}" for slot, one in manifests.items())

    @property
    def dimensions(self) -> int:
        """The length of the ensemble code."""
        return DIMENSIONS * len(self.by_slot)

    def require(self, least: int) -> Self:
        """Return self, if at least this many models are loaded.

        Raises:
            ModelUnavailable: there are fewer.
        """
        if len(self.by_slot) < least:
            raise ModelUnavailable(f"only the models {list(self.by_slot)} are loaded")
        return self

    def question(self, answer: Callable[[Outputs], T], *, least: int = LEAST_SLOTS) -> Question[T]:
        """Return a question about photographs, to run in a pipeline.

        Args:
            answer: called in a thread with the raw codes (n, 128) by slot.
            least: the fewest models that will do.

        Raises:
            ModelUnavailable: there are fewer.
        """
        return Question(self.require(least), answer, least)

    def runs(self, photographs: Sequence[Views]) -> list[ModelRun]:
        """Return a run of each model, over all photographs as one batch."""
        images = [
            np.stack([views[place].pixels for views in photographs]) for place in range(len(self.inputs))
        ]
        return [
            ModelRun(model, images[self.inputs.index(self._specs[slot])])
            for slot, model in self.by_slot.items()
        ]

    def outputs(self, results: Sequence[RunResult], least: int) -> Outputs:
        """Return the raw codes (n, 128) by slot.

        Raises:
            Exception: the error of a failed model, if fewer than `least` succeeded.
        """
        errors = {
            slot: result.error
            for slot, result in zip(self.by_slot, results, strict=True)
            if result.error is not None
        }
        for slot, error in errors.items():
            if len(results) - len(errors) < least:
                raise error
            self._failed(slot, error)
        return {
            slot: next(iter(result.outputs.values())).astype(np.float32, copy=False)
            for slot, result in zip(self.by_slot, results, strict=True)
            if slot not in errors
        }


@dataclass(frozen=True)
class Question(Generic[T]):
    """A question that is answered from the codes of photographs; a `pipeline.Domain`."""

    embedders: MuzzleEmbedders
    answer: Callable[[Outputs], T]
    least: int

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """The inputs that each photograph is decoded to."""
        return self.embedders.inputs

    @property
    def models(self) -> tuple[Model, ...]:
        """The models that run."""
        return tuple(self.embedders.by_slot.values())

    def infer(self, photographs: Sequence[Views]) -> Inference[T]:
        """Run every model on all photographs, and answer."""
        results = yield self.embedders.runs(photographs)
        return self.answer(self.embedders.outputs(results, self.least))
