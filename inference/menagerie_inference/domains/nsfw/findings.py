"""The intermediate results for one image while its models run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from menagerie_inference.domains.nsfw.ensemble import Vote
from menagerie_inference.domains.nsfw.faces import cut_faces
from menagerie_inference.errors import ModelFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from menagerie_inference.domains.box import Box
    from menagerie_inference.domains.nsfw.member import Member
    from menagerie_inference.pipeline import RunResult, Views


@dataclass(frozen=True)
class _Answered:
    """A member's answers for each frame, and its run time in seconds."""

    answers: Mapping[str, NDArray[np.floating[Any]]]
    seconds: float


@dataclass
class Findings:
    """The answers and failures of the models for one image, frame by frame."""

    frames: Sequence[Views]
    answered: dict[str, _Answered] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    """By role, as `answered`."""

    boxes: list[list[Box]] | None = None
    """The faces of each frame, the most confident first; None if no detector has run."""

    @property
    def person_detected(self) -> bool | None:
        """Whether a face was found in any frame; None if no detector has run."""
        return None if self.boxes is None else any(self.boxes)

    def frames_for(self, view: int) -> NDArray[np.uint8]:
        """Return all frames as one input, uint8 (frames, height, width, 3)."""
        return np.stack([views[view].pixels for views in self.frames])

    def faces_for(self, member: Member) -> NDArray[np.uint8]:
        """Return the faces of all frames as a member's input, uint8 (faces, height, width, 3).

        They are cropped from the last view of each frame.
        """
        spec, margin = member.model.manifest.input, member.face_margin or 0.0
        pairs = zip(self.frames, self.boxes or (), strict=True)
        return np.concatenate([cut_faces(views[-1], boxes, margin, spec) for views, boxes in pairs])

    def note(self, member: Member, result: RunResult | None, seconds_before: float = 0.0) -> None:
        """Record the result of a member's run.

        Args:
            result: None if there was no face to run on.
            seconds_before: the run time of the detector, which is added to the member's.
        """
        if result is not None and result.error is not None:
            self.failed[member.role] = result.error
            return
        try:
            answers = self._by_frame(member, result)
        except ModelFailed as error:
            self.failed[member.role] = error
            return
        seconds = seconds_before + (result.seconds if result else 0.0)
        self.answered[member.role] = _Answered(answers, seconds)

    def votes(self, team: Sequence[Member], frame: int) -> list[Vote]:
        """Return the votes of the team on a frame; every member has answered."""
        return [self._vote(member, frame) for member in team]

    def _vote(self, member: Member, frame: int) -> Vote:
        found = self.answered[member.role]
        return Vote(
            model=member.name,
            weight=member.weight or 1.0,  # a fallback, which answers alone, may have no weight
            answers={question: float(values[frame]) for question, values in found.answers.items()},
            milliseconds=found.seconds * 1000,
        )

    def _by_frame(self, member: Member, result: RunResult | None) -> Mapping[str, NDArray[np.floating[Any]]]:
        """Return a member's answers for each frame; from several faces, the highest.

        A frame without a face gets 0.
        """
        if result is None:
            return {question: np.zeros(len(self.frames)) for question in member.questions}
        answers = member.answers(result.outputs)
        if member.face_margin is None:
            return answers
        ends = np.cumsum([len(boxes) for boxes in self.boxes or ()])[:-1]
        return {
            question: np.array([faces.max(initial=0.0) for faces in np.split(values, ends)])
            for question, values in answers.items()
        }
