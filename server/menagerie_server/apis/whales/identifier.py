"""Identifies whales: runs the models, and searches the catalogue with the embedding."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from menagerie_inference.domains.whales import Describer, Detection, WhaleInterpreter, WhaleObserver
from menagerie_inference.overload import retry_overloaded
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.domains.whales import Match, Observation, RejectionReason
    from menagerie_inference.engine import Model
    from menagerie_inference.pipeline import Pipeline
    from menagerie_server.apis.whales.catalogue import Catalogue
    from menagerie_server.apis.whales.scores import Scores

SEARCH_SECONDS: Final = 2.0
"""The time limit of a search of the catalogue; after it the answer names no individual."""
AWAY_SECONDS: Final = 5.0
"""How long a catalogue that did not respond is not searched, so that calls do not wait for it in vain."""

_log = structlog.get_logger()


class WhaleIdentifier:
    """Identifies individuals of one catalogue with a gate and an embedder, which may be the same model."""

    def __init__(
        self,
        pipeline: Pipeline,
        catalogue: Catalogue,
        scores: Scores,
        gate: Model,
        embedder: Model | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._catalogue = catalogue
        self._scores = scores
        self._interpreter = WhaleInterpreter(gate.manifest, embedder.manifest if embedder else None)
        self._observer = WhaleObserver(self._interpreter, gate, embedder)
        self._portraitist = WhaleObserver(self._interpreter, gate, embedder, keeps_photo=True)
        self._describer = Describer(self._interpreter.embedder, embedder or gate)
        self._away_until = 0.0
        self.device = "cuda:0" if gate.device == "cuda" else gate.device
        self.model_version = self._interpreter.model_version
        catalogue.use(self._interpreter.embedder)

    async def identify(self, name: str, data: bytes, *, deadline: float | None = None) -> Detection:
        """Answer about a photograph, with a mask.

        While the database is unavailable, no individual is named.

        Args:
            deadline: in the loop's time, in seconds.

        Raises:
            ImageError, Overloaded, DeadlineExceeded: as `Pipeline.run()`.
        """
        observation = await self._pipeline.run(self._portraitist, (data,), deadline=deadline)
        detection = await self._name(name, observation)
        if detection.rejected:
            return detection
        return replace(detection, mask=await asyncio.to_thread(observation.cut_out))

    @retry_overloaded
    async def identify_in_turn(self, name: str, data: bytes) -> Detection:
        """Answer about a photograph of a batch, without a mask; wait while the queues are full."""
        return await self._name(name, await self._pipeline.run(self._observer, (data,)))

    def failed(self, name: str, reason: RejectionReason) -> Detection:
        """Answer about a photograph that no model has processed."""
        detection = Detection.failed(name, reason, self.model_version)
        self._scores.count(detection)
        return detection

    @retry_overloaded
    async def describe(self, data: bytes) -> NDArray[np.float32]:
        """Return the embedding of a photograph for the catalogue.

        Raises:
            ImageError, Overloaded, DeadlineExceeded: as `Pipeline.run()`.
        """
        return await self._pipeline.run(self._describer, (data,))

    async def _name(self, name: str, observation: Observation) -> Detection:
        matches = await self._nearest(observation.embedding)
        detection = self._interpreter.identify(name, observation.sighting, matches or ())
        if matches is None:  # nobody was asked
            detection = replace(detection, new_individual_likely=False)
        self._scores.record(detection)
        return detection

    async def _nearest(self, embedding: NDArray[np.float32] | None) -> list[Match] | None:
        """Return the nearest photographs of the catalogue; None if it cannot be searched."""
        if embedding is None or time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(SEARCH_SECONDS):
                return await self._catalogue.nearest(embedding)
        except (StoreUnavailable, TimeoutError) as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            _log.warning("the catalogue does not answer", error=str(error))
            return None
