"""What is known of one image while its models run: what each answered, or failed with."""

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
    """What a member answered about each frame, and how long it took, in seconds."""

    answers: Mapping[str, NDArray[np.floating[Any]]]
    seconds: float


@dataclass
class Findings:
    """What is known of one image, frame by frame."""

    frames: Sequence[Views]
    answered: dict[str, _Answered] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    """Both by the members' roles."""

    boxes: list[list[Box]] | None = None
    """The faces of each frame, surest first; None where nobody has looked."""

    @property
    def person_detected(self) -> bool | None:
        """Whether a face was found in any frame; None where nobody has looked."""
        return None if self.boxes is None else any(self.boxes)

    def frames_for(self, view: int) -> NDArray[np.uint8]:
        """Return all frames as they were decoded to one of the inputs."""
        return np.stack([views[view].pixels for views in self.frames])

    def faces_for(self, member: Member) -> NDArray[np.uint8]:
        """Return the faces of all frames, as a member is shown them; each frame's last view is cut up."""
        spec, margin = member.model.manifest.input, member.face_margin or 0.0
        pairs = zip(self.frames, self.boxes or (), strict=True)
        return np.concatenate([cut_faces(views[-1], boxes, margin, spec) for views, boxes in pairs])

    def note(self, member: Member, result: RunResult | None, seconds_before: float = 0.0) -> None:
        """Take down what came of a member's run; None where there was no face to run it on."""
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
        """Return what each member of the team, all of whom have answered, says of a frame."""
        return [self._vote(member, frame) for member in team]

    def _vote(self, member: Member, frame: int) -> Vote:
        found = self.answered[member.role]
        return Vote(
            model=member.name,
            weight=member.weight or 1.0,  # the fallback, which judges alone, may have none
            answers={question: float(values[frame]) for question, values in found.answers.items()},
            milliseconds=found.seconds * 1000,
        )

    def _by_frame(self, member: Member, result: RunResult | None) -> Mapping[str, NDArray[np.floating[Any]]]:
        """Return a member's answers for each frame: from faces, that of the frame's most telling one.

        Of a frame without a face such a member can only say that it sees nobody.
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
