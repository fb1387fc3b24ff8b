"""Sets out what was measured as plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from menagerie_inference.evaluation.labels import KINDS
from menagerie_inference.evaluation.metrics import Share, confusion, detected_animals, recall, top

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from menagerie_inference.evaluation.metrics import Outcome

PREDICTED_KINDS: Final = (*KINDS, "unknown")


@dataclass(frozen=True)
class Report:
    """The outcomes of one model on the photographs of one folder; `str()` of it is for people."""

    model_version: str
    folder: Path
    outcomes: tuple[Outcome, ...]

    def __str__(self) -> str:
        head = [["model", self.model_version], ["photographs", str(self.folder)]]
        return "\n\n".join(
            _aligned(rows) for rows in (head, self._measures(), self._confusion(), self._misses()) if rows
        )

    def _measures(self) -> list[list[str]]:
        measures: dict[str, Share] = {
            "labelled animals: top-1": top(self.outcomes, 1),
            "labelled animals: top-5": top(self.outcomes, 5),
            "animals detected": detected_animals(self.outcomes),
            **{f"{kind} predicted {kind}": recall(self.outcomes, kind) for kind in KINDS},
        }
        rows = [[name, str(share), str(share.part), str(share.whole)] for name, share in measures.items()]
        return [["measure", "share", "right", "n"], *rows]

    def _confusion(self) -> list[list[str]]:
        counts = confusion(self.outcomes)
        rows = [[kind, *(str(counts[kind, predicted]) for predicted in PREDICTED_KINDS)] for kind in KINDS]
        return [["labelled \\ predicted", *PREDICTED_KINDS], *rows]

    def _misses(self) -> list[list[str]]:
        missed = [outcome for outcome in self.outcomes if outcome.photo.targets and outcome.rank != 1]
        rows = [
            [outcome.photo.path.name, "|".join(outcome.photo.targets), ", ".join(outcome.names)]
            for outcome in missed
        ]
        return [["not top-1", "accepted", "answered"], *rows] if rows else []


def _aligned(rows: Iterable[list[str]]) -> str:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
