"""Evaluates the species model: python -m menagerie_training.evaluation.species FOLDER.

FOLDER holds photographs and their labels.csv, as `read_labels()` describes. Each photograph is processed by
the server's own code; top-1 and top-5 are over the classes of the API. `ClassNames.match()` decides whether a
class is the animal that the label names. The embedded model's int8 ranges were set on the project's
tests/photos, and its temperature with their labels: measure on other photographs, too.

Boxes are measured on composites: the folder's cut-out animals, pasted on its blank scenes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from menagerie_inference.domains.people import FACES, FIGURES, PeopleFinder
from menagerie_inference.domains.species import SpeciesIdentifier
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.image import ImageDecoder
from menagerie_inference.pipeline import Pipeline
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.boxes import BoxOutcome, composites
from menagerie_training.evaluation.calibration import reliability
from menagerie_training.evaluation.labels import read_class_names, read_labels
from menagerie_training.evaluation.metrics import Outcome
from menagerie_training.evaluation.reliability_diagram import reliability_diagram
from menagerie_training.evaluation.report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from menagerie_inference.domains.species import SpeciesResult
    from menagerie_training.evaluation.boxes import Composite
    from menagerie_training.evaluation.labels import ClassNames, LabelledPhoto

# The names that SpeciesNet gives to all that is no animal; the last is its answer when it has none.
_OTHER_KINDS: Final = {"human": "human", "vehicle": "vehicle", "blank": "blank", "no cv result": "unknown"}


def main() -> None:
    """Print the report of a folder, and draw its reliability diagram with --diagram."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="photographs with their labels.csv")
    parser.add_argument("--profile", default=EMBEDDED, help="embedded, or a folder of models")
    parser.add_argument("--diagram", type=Path, help="an SVG file to write: is the model as sure as right?")
    arguments = parser.parse_args()
    report = asyncio.run(evaluate(arguments.folder, arguments.profile))
    sys.stdout.write(f"{report}\n")
    if arguments.diagram:
        draw_reliability(report, arguments.diagram)
        sys.stdout.write(f"\nreliability diagram  {arguments.diagram}\n")


def draw_reliability(report: Report, path: Path) -> None:
    """Write the reliability diagram of a report, and the folder for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    diagram = reliability_diagram(reliability(report.outcomes), report.model_version)
    path.write_text(diagram, encoding="utf-8")


async def evaluate(folder: Path, profile: str = EMBEDDED) -> Report:
    """Identify all photographs of a folder, and its composites, one after the other.

    Raises:
        Exception: as `read_labels()`, `composites()`, `Registry`, `LocalEngine.load()` and
            `SpeciesIdentifier.identify()`.
    """
    photos = read_labels(folder)
    registry = Registry.for_profile(profile)
    manifest = registry.manifest_for("species")
    names = read_class_names(manifest)
    async with ImageDecoder(threads=1) as decoder, LocalEngine() as engine:
        people = await load_people(registry, engine)
        identifier = SpeciesIdentifier(await engine.load(manifest), Pipeline(decoder), people)
        outcomes = [
            photo_outcome(photo, await identifier.identify(photo.path.read_bytes()), names)
            for photo in photos
        ]
        boxes = [box_outcome(one, await identifier.identify(one.content)) for one in composites(photos)]
    return Report(manifest.identity, folder, tuple(outcomes), tuple(boxes))


async def load_people(registry: Registry, engine: LocalEngine) -> PeopleFinder | None:
    """Load the detectors of people; None if the profile does not have both."""
    if not {FIGURES, FACES} <= set(registry.roles()):
        return None
    figures, faces = [await engine.load(registry.manifest_for(role)) for role in (FIGURES, FACES)]
    return PeopleFinder(figures=figures, faces=faces)


def photo_outcome(photo: LabelledPhoto, result: SpeciesResult, names: Mapping[str, ClassNames]) -> Outcome:
    """Compare an answer with the label of its photograph."""
    accepted = (
        place
        for place, one in enumerate(result.top_classes, start=1)
        if one.label_raw in names and names[one.label_raw].match(photo.targets)
    )
    return Outcome(
        photo=photo,
        predicted_kind=predicted_kind(result.prediction),
        animal_detected=any(detection.label == "animal" for detection in result.detections),
        names=tuple(one.display_name for one in result.top_classes),
        rank=next(accepted, None),
        score=result.best_class.score,
    )


def box_outcome(composite: Composite, result: SpeciesResult) -> BoxOutcome:
    """Compare the box of the most confident animal with the place where the animal was pasted."""
    animals = (detection.bbox for detection in result.detections if detection.label == "animal")
    found = next(animals, None)
    return BoxOutcome(composite.cutout, composite.scene, composite.box, found)


def predicted_kind(prediction: str) -> str:
    """Return the kind of a full label by its last name: "animal" unless it is one of the others."""
    return _OTHER_KINDS.get(prediction.rpartition(";")[2], "animal")


if __name__ == "__main__":
    main()
