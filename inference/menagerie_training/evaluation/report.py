"""Formats an evaluation as plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from menagerie_training.evaluation.boxes import at_least, mean
from menagerie_training.evaluation.calibration import expected_calibration_error, reliability
from menagerie_training.evaluation.labels import KINDS
from menagerie_training.evaluation.metrics import (
    Share,
    by_target,
    confusion,
    detected_animals,
    recall,
    top,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from menagerie_training.evaluation.boxes import BoxOutcome
    from menagerie_training.evaluation.metrics import Outcome

PREDICTED_KINDS: Final = (*KINDS, "unknown")


@dataclass(frozen=True)
class Report:
    """The outcomes of one model on the photographs of one folder; `str()` of it is for people."""

    model_version: str
    folder: Path
    outcomes: tuple[Outcome, ...]
    boxes: tuple[BoxOutcome, ...] = ()
    """Of the composites of the folder's cut-outs and blank scenes."""

    def __str__(self) -> str:
        head = [["model", self.model_version], ["photographs", f"{self.folder}, {len(self.outcomes)}"]]
        tables = (
            head,
            self._measures(),
            self._confusion(),
            self._targets(),
            self._calibration(),
            self._boxes(),
            self._misses(),
        )
        return "\n\n".join(aligned(rows) for rows in tables if rows)

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

    def _targets(self) -> list[list[str]]:
        rows = [
            [target, str(top(group, 1).part), str(top(group, 5).part), str(len(group))]
            for target, group in by_target(self.outcomes).items()
        ]
        return [["labelled animal", "top-1", "top-5", "n"], *rows] if rows else []

    def _calibration(self) -> list[list[str]]:
        bins = [one for one in reliability(self.outcomes) if one.size]
        if not bins:
            return []
        rows = [
            [
                f"{one.low:.1f} to {one.high:.1f}",
                f"{one.mean_score:.3f}",
                f"{one.accuracy:.3f}",
                str(one.size),
            ]
            for one in bins
        ]
        error = expected_calibration_error(bins)
        total = ["expected calibration error", f"{error:.3f}", "", str(sum(one.size for one in bins))]
        return [["score of the first class", "mean", "right", "n"], *rows, total]

    def _boxes(self) -> list[list[str]]:
        if not self.boxes:
            return [["boxes", "not measured: no cut-out animals, or no blank scenes to paste them on"]]
        cutouts = {one.cutout for one in self.boxes}
        scenes = {one.scene for one in self.boxes}
        title = f"box of {len(cutouts)} cut-outs pasted on {len(scenes)} scenes"
        found = [one for one in self.boxes if one.found]
        return [
            [title, "mean IoU", "IoU >= .5", "IoU >= .3", "n"],
            ["where an animal was detected", *_overlaps([one.overlap for one in found])],
            ["all; 0 where none was", *_overlaps([one.overlap for one in self.boxes])],
            ["the whole photograph", *_overlaps([one.baseline for one in self.boxes])],
        ]

    def _misses(self) -> list[list[str]]:
        missed = [outcome for outcome in self.outcomes if outcome.photo.targets and outcome.rank != 1]
        rows = [
            [outcome.photo.path.name, "|".join(outcome.photo.targets), ", ".join(outcome.names)]
            for outcome in missed
        ]
        return [["not top-1", "accepted", "answered"], *rows] if rows else []


def _overlaps(overlaps: Sequence[float]) -> list[str]:
    recalls = (str(at_least(overlaps, least)) for least in (0.5, 0.3))
    return [f"{mean(overlaps):.3f}" if overlaps else "-", *recalls, str(len(overlaps))]


def aligned(rows: Iterable[list[str]]) -> str:
    """Format rows of equally many cells as a table, its columns two spaces apart."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
