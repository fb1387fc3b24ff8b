"""Evaluates the gate: python -m menagerie_training.whales.evaluation FOLDER...

Each FOLDER holds photographs and their labels.csv, as `read_photographs()` describes. `--others` are folders
of photographs without a list, none of which shows a cetacean. The threshold of the embedded model was set on
photographs that its manifest names: measure on others, too.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from menagerie_inference.archive import IMAGE_SUFFIXES
from menagerie_inference.backends import load_backend
from menagerie_inference.domains.whales import WhaleInterpreter
from menagerie_inference.image import decode
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.metrics import BinaryScore
from menagerie_training.evaluation.report import aligned
from menagerie_training.whales.intervals import Interval
from menagerie_training.whales.photographs import Photograph, read_photographs
from menagerie_training.whales.score_diagram import score_diagram

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from menagerie_inference.domains.whales import Sighting


@dataclass(frozen=True, eq=False)
class GateReport:
    """The gate's results for photographs; `str()` of it is for people."""

    model_version: str
    photographs: tuple[Photograph, ...]
    result: BinaryScore

    def __str__(self) -> str:
        head = [["model", self.model_version], ["photographs", str(self.result.count)]]
        tables = (head, self._measures(), self._misses())
        return "\n\n".join(aligned(rows) for rows in tables if rows)

    def _measures(self) -> list[list[str]]:
        truth, said = self.result.truth, self.result.predicted
        return [
            ["measure", "share", "right", "n", "95 % interval"],
            _row("cetaceans that pass (TPR)", int(said[truth].sum()), int(truth.sum())),
            _row("others refused (TNR)", int((~said[~truth]).sum()), int((~truth).sum())),
            ["area under the curve (AUC)", f"{self.result.area_under_curve:.4f}", "", "", ""],
        ]

    def _misses(self) -> list[list[str]]:
        rows = [
            [str(photograph.path), "cetacean" if photograph.is_cetacean else "other", f"{score:.3f}"]
            for photograph, score, said in zip(
                self.photographs, self.result.scores, self.result.predicted, strict=True
            )
            if said != photograph.is_cetacean
        ]
        return [["wrong", "is", "score"], *rows] if rows else []


def main() -> None:
    """Print the report, and draw the scores with --diagram."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", help="photographs with their labels.csv")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="folders without a cetacean")
    parser.add_argument("--profile", default=EMBEDDED, help="embedded, or a folder of models")
    parser.add_argument("--diagram", type=Path, help="an SVG file to write: the scores of both kinds")
    arguments = parser.parse_args()
    photographs = (*read_photographs(arguments.folders), *without_cetaceans(arguments.others))
    report = evaluate(photographs, arguments.profile)
    sys.stdout.write(f"{report}\n")
    if arguments.diagram:
        arguments.diagram.parent.mkdir(parents=True, exist_ok=True)
        arguments.diagram.write_text(score_diagram(report.result, report.model_version), encoding="utf-8")
        sys.stdout.write(f"\nscores  {arguments.diagram}\n")


def without_cetaceans(folders: Iterable[Path]) -> tuple[Photograph, ...]:
    """Find the photographs of folders without a list.

    Raises:
        FileNotFoundError: a folder has none.
    """
    found: list[Photograph] = []
    for folder in folders:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        if not paths:
            raise FileNotFoundError(f"{folder} has no photographs")
        found.extend(Photograph(path, is_cetacean=False) for path in paths)
    return tuple(found)


def evaluate(photographs: Sequence[Photograph], profile: str = EMBEDDED) -> GateReport:
    """Run the gate of a profile on each photograph, as the server does."""
    registry = Registry.for_profile(profile)
    manifest = registry.manifest_for("whales")
    embedder = registry.manifest_for("whales-embedder") if "whales-embedder" in registry.roles() else None
    interpreter = WhaleInterpreter(manifest, embedder)
    backend = load_backend(manifest, threads=2)

    def look(photograph: Photograph) -> Sighting:
        photo = decode(photograph.path.read_bytes(), manifest.input)
        outputs = {name: rows[0] for name, rows in backend.run(photo.pixels[None]).items()}
        return interpreter.look(outputs, photo.width, photo.height)

    sightings = [look(photograph) for photograph in photographs]
    backend.close()
    result = BinaryScore(
        np.array([sighting.score for sighting in sightings]),
        np.array([sighting.is_cetacean for sighting in sightings], np.bool_),
        np.array([photograph.is_cetacean for photograph in photographs], np.bool_),
    )
    return GateReport(interpreter.model_version, tuple(photographs), result)


def _row(name: str, part: int, whole: int) -> list[str]:
    share, interval = (f"{part / whole:.3f}", str(Interval.of(part, whole))) if whole else ("-", "-")
    return [name, share, str(part), str(whole), interval]


if __name__ == "__main__":
    main()
