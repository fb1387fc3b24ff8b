"""Measures the coral model: python -m menagerie_training.evaluation.coral FOLDER.

FOLDER holds photographs of bleached and healthy corals; `read_corals()` says how. Each is classified as a
whole, and in tiles as the API cuts it. A tile has no label of its own: its photograph's may be wrong for it.
The baseline is a whiteness index without learnt weights, whose thresholds are fitted on the train split.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from menagerie_inference.errors import ManifestError, ModelFailed
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.calibration import binary_reliability
from menagerie_training.evaluation.coral_labels import SUFFIXES, read_corals, training_corals
from menagerie_training.evaluation.coral_methods import CoralModel, WhitenessIndex, upstream_manifest
from menagerie_training.evaluation.coral_report import (
    CoralReport,
    Row,
    Unmeasured,
    open_path,
    predict_all,
    score_tiles,
    score_wholes,
)
from menagerie_training.evaluation.reliability_diagram import Wording, reliability_diagram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_training.evaluation.coral_labels import Coral
    from menagerie_training.evaluation.coral_report import Method, PhotoPredictions

SPLITS: Final = ("train", "test")
_AXES: Final = ("probability of bleached", "share that is labelled bleached")
_DRAWN: Final = {
    "": (score_wholes, Wording("photographs", *_AXES)),
    "-tiles": (score_tiles, Wording("tiles", *_AXES)),
}
"""The diagrams, by the suffix of the file's name."""


def main() -> None:
    """Print the report of a folder, and draw its reliability diagrams with --diagram."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="photographs of corals, labelled and split")
    parser.add_argument("--split", default="test", choices=SPLITS, help="train is all but what is held out")
    parser.add_argument("--profile", default=EMBEDDED, help="embedded, or a folder of models")
    parser.add_argument("--upstream", type=Path, help="the documented service's own model, a TFLite file")
    parser.add_argument("--others", type=Path, help="a folder of photographs without a reef, for the gate")
    parser.add_argument("--diagram", type=Path, help="an SVG file to write; another of the tiles beside it")
    arguments = parser.parse_args()
    report = evaluate(
        arguments.folder,
        arguments.split,
        profile=arguments.profile,
        upstream=arguments.upstream,
        others=arguments.others,
    )
    sys.stdout.write(f"{report}\n")
    if arguments.diagram:
        for path in draw_reliability(report, arguments.diagram):
            sys.stdout.write(f"\nreliability diagram  {path}\n")


def evaluate(
    folder: Path,
    split: str = "test",
    *,
    profile: str = EMBEDDED,
    upstream: Path | None = None,
    others: Path | None = None,
) -> CoralReport:
    """Evaluate a profile's model, the whiteness index and the upstream model on a split of a folder.

    An upstream model that cannot be run is reported as such.

    Raises:
        ValueError: the folder has no photographs of the split, or none to fit the index on.
        Exception: as `read_corals()`, `Registry`, `CoralModel` and `open_photo()`.
    """
    corals = read_corals(folder)
    shown = [coral for coral in corals if coral.held_out == (split == "test")]
    training = training_corals(corals)
    if not (shown and training):
        raise ValueError(f"{folder} has no photographs of {split}, or none to fit the whiteness index on")
    manifest = Registry.for_profile(profile).manifest_for("coral")
    index = WhitenessIndex.fit(training)
    with CoralModel(manifest) as model:
        return CoralReport(
            folder=folder,
            split=split,
            model=_row(model, shown),
            baselines=[_row(index, shown), *([_upstream_row(upstream, shown)] if upstream else [])],
            notes={index.name: f"{index}: fitted on {len(training)} photographs of train"},
            has_gate=model.has_gate,
            others=(others, _predictions(model, others)) if others else None,
        )


def draw_reliability(report: CoralReport, path: Path) -> list[Path]:
    """Write the reliability diagrams of photographs and of tiles, and the folder for them; return where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for ending, (score, wording) in _DRAWN.items():
        bins = binary_reliability(score(report.model.labelled))
        written.append(path.with_stem(path.stem + ending))
        written[-1].write_text(reliability_diagram(bins, report.model.name, wording), encoding="utf-8")
    return written


def _row(method: Method, photos: Sequence[Coral]) -> Row:
    return Row(method.name, predict_all(method, photos), method.gives_probabilities)


def _upstream_row(path: Path, photos: Sequence[Coral]) -> Row | Unmeasured:
    try:
        with CoralModel(upstream_manifest(path)) as model:
            return _row(model, photos)
    except (ManifestError, ModelFailed) as error:  # such as: the extra that runs TFLite is not installed
        return Unmeasured(path.name, str(error))


def _predictions(model: CoralModel, folder: Path) -> list[PhotoPredictions]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"{folder} has no photographs")
    return [model.predict(open_path(path)) for path in paths]


if __name__ == "__main__":
    main()
