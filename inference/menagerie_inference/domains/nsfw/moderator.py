"""Classifies an image by several of its frames, with an ensemble of models or what remains of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.nsfw import ensemble
from menagerie_inference.domains.nsfw.categories import QUESTIONS
from menagerie_inference.domains.nsfw.ensemble import Policy
from menagerie_inference.domains.nsfw.faces import MAX_FACES, SOURCE
from menagerie_inference.domains.nsfw.findings import Findings
from menagerie_inference.domains.nsfw.member import Member
from menagerie_inference.domains.nsfw.result import OPENCLIP_FALLBACK, TRIPLE_ENSEMBLE, Moderation
from menagerie_inference.domains.people import DetectorInterpreter
from menagerie_inference.errors import ManifestError, ModelUnavailable
from menagerie_inference.pipeline import Inference, ModelRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from menagerie_inference.domains.box import Box
    from menagerie_inference.engine import Model
    from menagerie_inference.image import InputSpec
    from menagerie_inference.pipeline import RunResult, Views

ROLES: Final = "nsfw-"
"""The prefix of the roles of the ensemble."""


class Moderator:
    """Classifies images; a `pipeline.Domain` whose photographs are the frames of one image.

    An image is as unsafe as its least safe frame. If a model of the ensemble fails, the fallback model takes
    over; without one, the remaining models do, provided that they answer both questions.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        faces: Model | None = None,
        complete: bool = True,
        policy: Policy | None = None,
    ) -> None:
        """Take the models that have loaded.

        Args:
            faces: the face detector, without which models of faces are left out.
            complete: whether every model of the ensemble has loaded.

        Raises:
            ManifestError: as `Member` and `DetectorInterpreter`; or two models have the same name.
        """
        self.policy = policy or Policy()
        shown = [member for member in map(Member, models) if faces or member.face_margin is None]
        self._loaded = sorted(shown, key=lambda member: -member.weight)
        self._complete = complete and len(shown) == len(models)
        self._faces = faces if any(member.face_margin is not None for member in shown) else None
        self._detector = DetectorInterpreter(self._faces.manifest) if self._faces else None
        self._whole = [member for member in self._loaded if member.face_margin is None]
        names = [member.name for member in self._loaded]
        if len(set(names)) < len(names):
            raise ManifestError(f"models of the ensemble have the same name: {names}")

    @property
    def ensemble(self) -> tuple[Member, ...]:
        """The models of the ensemble that have loaded, the heaviest first."""
        return tuple(member for member in self._loaded if member.weight)

    @property
    def fallback(self) -> Member | None:
        """The model that takes over alone; None if the remaining models take over."""
        return next((member for member in self._loaded if member.takes_over), None)

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots that can answer now; the fallback if the loss of at least one model is tolerable."""
        found = set()
        for lost in ({}, *({member.role: ModelUnavailable()} for member in self._loaded)):
            try:
                found.add(self._team(lost)[0])
            except ModelUnavailable:
                continue
        return tuple(slot for slot in (TRIPLE_ENSEMBLE, OPENCLIP_FALLBACK) if slot in found)

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """The inputs that each frame is decoded to."""
        whole = tuple(member.model.manifest.input for member in self._whole)
        return (*whole, self._faces.manifest.input, SOURCE) if self._faces else whole

    @property
    def models(self) -> tuple[Model, ...]:
        """The models that run."""
        members = tuple(member.model for member in self._loaded)
        return (*members, self._faces) if self._faces else members

    def infer(self, photographs: Sequence[Views]) -> Inference[Moderation]:
        """Classify an image.

        Args:
            photographs: its frames, each decoded to `inputs`.

        Raises:
            ModelUnavailable: after failures of models, a question has no answer.
        """
        findings = Findings(photographs)
        while True:
            slot, team = self._team(findings.failed)
            asked = [member for member in team if member.role not in findings.answered]
            if not asked:
                return self._moderation(slot, team, findings)
            yield from self._ask(asked, findings)

    def _team(self, failed: Mapping[str, Exception]) -> tuple[str, Sequence[Member]]:
        """Choose the models that answer, given the failures so far."""
        working = [member for member in self.ensemble if member.role not in failed]
        if self._complete and working and len(working) == len(self.ensemble):
            return TRIPLE_ENSEMBLE, working
        fallback = self.fallback
        if fallback and fallback.role not in failed:
            return OPENCLIP_FALLBACK, [fallback]
        answered = {question for member in working for question in member.questions}
        if missing := [question for question in QUESTIONS if question not in answered]:
            cause = [*failed.values()][-1] if failed else None
            raise ModelUnavailable(f"no model is left that answers {', '.join(missing)}") from cause
        return OPENCLIP_FALLBACK, working

    def _ask(self, members: Sequence[Member], findings: Findings) -> Inference[None]:
        """Run members, and record their answers or failures in the findings."""
        whole = [member for member in members if member.face_margin is None]
        facial = [member for member in members if member.face_margin is not None]
        runs = [ModelRun(member.model, findings.frames_for(self._whole.index(member))) for member in whole]
        if facial and self._faces:
            runs.append(ModelRun(self._faces, findings.frames_for(len(self._whole))))
        results = yield runs
        for member, result in zip(whole, results, strict=False):  # the detector's is the last
            findings.note(member, result)
        if facial:
            yield from self._ask_about_faces(facial, results[-1], findings)

    def _ask_about_faces(
        self, members: Sequence[Member], detected: RunResult, findings: Findings
    ) -> Inference[None]:
        if detected.error is not None:
            findings.failed.update(dict.fromkeys((member.role for member in members), detected.error))
            return
        findings.boxes = self._boxes(detected, findings.frames)
        results: Sequence[RunResult | None] = [None] * len(members)
        if any(findings.boxes):
            results = yield [ModelRun(member.model, findings.faces_for(member)) for member in members]
        for member, result in zip(members, results, strict=True):
            findings.note(member, result, detected.seconds)

    def _boxes(self, detected: RunResult, frames: Sequence[Views]) -> list[list[Box]]:
        if self._detector is None:
            return [[] for _ in frames]
        found = zip(detected.outputs["scores"], detected.outputs["boxes"], frames, strict=True)
        sightings = [
            self._detector.interpret(scores, boxes, views[len(self._whole)]) for scores, boxes, views in found
        ]
        return [[sighting.bbox for sighting in of_frame[:MAX_FACES]] for of_frame in sightings]

    def _moderation(self, slot: str, team: Sequence[Member], findings: Findings) -> Moderation:
        frames = [findings.votes(team, frame) for frame in range(len(findings.frames))]
        unsafe = [ensemble.category_probabilities(ensemble.weighted_means(votes)).unsafe for votes in frames]
        worst = int(np.argmax(unsafe))
        prediction = ensemble.decide(frames[worst], self.policy)
        return Moderation(
            slot=slot,
            ensemble_prediction=prediction,
            per_model_predictions=ensemble.model_predictions(frames[worst]),
            review_recommended=prediction.model_agreement < self.policy.agreement_threshold,
            person_detected=findings.person_detected,
            frames_judged=len(frames),
            worst_frame=worst,
        )
