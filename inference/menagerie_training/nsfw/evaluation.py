"""Evaluates the NSFW ensemble: python -m menagerie_training.nsfw.evaluation FOLDER...

Each FOLDER holds photographs and their labels.csv, as `read_photographs()` describes. None is explicit: what
is measured is whether women are found, and false alarms on men and scenes; how many explicit images the
models find is not. The margin around faces and the order of the colour channels were chosen on 100 official
portraits: evaluate on others, too.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.nsfw import ROLES, Moderator
from menagerie_inference.domains.people import FACES
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.image import decode_frames
from menagerie_inference.pipeline import run_in_thread
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.report import aligned
from menagerie_training.nsfw.labels import MAN, NOBODY, WOMAN, Photograph, read_photographs
from menagerie_training.whales.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_inference.domains.nsfw import Moderation

_EXPECTED: Final = {WOMAN: "female_present", MAN: "male_only", NOBODY: "male_only"}
_MEASURES: Final = {
    WOMAN: "women: female_present",
    MAN: "men: male_only",
    NOBODY: "scenes and animals: male_only",
}


@dataclass(frozen=True)
class Outcome:
    """A photograph and the ensemble's result."""

    photograph: Photograph
    moderation: Moderation

    @property
    def right(self) -> bool:
        """Whether the category is that of the label."""
        return self.moderation.ensemble_category == _EXPECTED[self.photograph.shows]


@dataclass(frozen=True)
class ModerationReport:
    """The ensemble's results for photographs; `str()` of it is for people."""

    models: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    def __str__(self) -> str:
        head = [["models", ", ".join(self.models)], ["photographs", str(len(self.outcomes))]]
        tables = (head, self._measures(), self._groups(), self._misses())
        return "\n\n".join(aligned(rows) for rows in tables if rows)

    def _measures(self) -> list[list[str]]:
        rows = [_row(name, self._showing(shows)) for shows, name in _MEASURES.items()]
        portraits = [one for one in self.outcomes if one.photograph.decade]
        found = sum(bool(one.moderation.person_detected) for one in portraits)
        faces = [_share("portraits: a face found", found, len(portraits))] if portraits else []
        return [["measure", "share", "right", "n", "95 % interval"], *rows, *faces]

    def _groups(self) -> list[list[str]]:
        groups = sorted(
            {(one.photograph.shows, one.photograph.decade) for one in self.outcomes if one.photograph.decade}
        )
        rows = [
            _row(
                f"{shows}, born in the {decade}",
                [one for one in self._showing(shows) if one.photograph.decade == decade],
            )
            for shows, decade in groups
        ]
        return [["group", "share", "right", "n", "95 % interval"], *rows] if rows else []

    def _misses(self) -> list[list[str]]:
        rows = [
            [one.photograph.path.name, one.photograph.shows, one.moderation.ensemble_category, _unsafe(one)]
            for one in self.outcomes
            if not one.right and not one.photograph.decade  # individual people are not named
        ]
        return [["wrong", "shows", "answered", "P(unsafe)"], *rows] if rows else []

    def _showing(self, shows: str) -> list[Outcome]:
        return [one for one in self.outcomes if one.photograph.shows == shows]


def main() -> None:
    """Print the report on all folders together."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", help="photographs with their labels.csv")
    parser.add_argument("--profile", default=EMBEDDED, help="embedded, or a folder of models")
    arguments = parser.parse_args()
    report = asyncio.run(evaluate(read_photographs(arguments.folders), arguments.profile))
    sys.stdout.write(f"{report}\n")


async def evaluate(photographs: Sequence[Photograph], profile: str = EMBEDDED) -> ModerationReport:
    """Classify the photographs one at a time, as the server does.

    Raises:
        ManifestError: as `Registry` and `LocalEngine.load()`.
        ImageError: as `decode_frames()`.
        ModelUnavailable: as `Moderator.infer()`.
    """
    registry = Registry.for_profile(profile)
    roles = [role for role in registry.roles() if role.startswith(ROLES)]
    async with LocalEngine() as engine:
        models = [await engine.load(registry.manifest_for(role)) for role in roles]
        faces = await engine.load(registry.manifest_for(FACES)) if FACES in registry.roles() else None
        moderator = Moderator(models, faces=faces)
        outcomes = tuple(Outcome(one, judge(moderator, one)) for one in photographs)
    return ModerationReport(tuple(member.name for member in moderator.ensemble), outcomes)


def judge(moderator: Moderator, photograph: Photograph) -> Moderation:
    """Classify one photograph in this thread."""
    decoded = decode_frames(photograph.path.read_bytes(), moderator.inputs)
    return run_in_thread(moderator.infer(decoded.frames))


def _row(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    return _share(name, sum(one.right for one in outcomes), len(outcomes))


def _share(name: str, part: int, whole: int) -> list[str]:
    share, interval = (f"{part / whole:.3f}", str(Interval.of(part, whole))) if whole else ("-", "-")
    return [name, share, str(part), str(whole), interval]


def _unsafe(outcome: Outcome) -> str:
    probabilities = outcome.moderation.ensemble_prediction.category_ensemble_probabilities
    return f"{probabilities.unsafe:.3f}"


if __name__ == "__main__":
    main()
