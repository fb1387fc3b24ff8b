"""Makes the three muzzle embedders.

    pip install '.[server,convert]'
    python -m menagerie_training.muzzle                                  # from drawn animals, as embedded
    python -m menagerie_training.muzzle --animals FOLDER --into PROFILE  # from real ones, a folder each

One in four of the real animals is held out for evaluation. Pictures and Keras files are kept in a working
folder, and are not made again.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.domains.muzzle import SLOTS
from menagerie_inference.domains.muzzle.verification import REFERENCES
from menagerie_inference.registry import Registry
from menagerie_training import EMBEDDED_MODELS
from menagerie_training.muzzle.evaluation import (
    ENSEMBLE,
    SCENES,
    Embedders,
    MuzzleReport,
    measure_animals,
    measure_drawn,
)
from menagerie_training.muzzle.export import Description, describe, keras_file, write_keras, write_onnx
from menagerie_training.muzzle.folders import photographs, read_animals, views
from menagerie_training.muzzle.network import open_embedder
from menagerie_training.muzzle.pictures import Pictures, draw_animals, draw_far, draw_others
from menagerie_training.muzzle.training import Plan, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from menagerie_training.evaluation.metrics import Share
    from menagerie_training.evaluation.verification import Trials
    from menagerie_training.muzzle.folders import RealAnimal
    from menagerie_training.muzzle.network import Embedder

    Photos = NDArray[np.uint8]

ANIMALS: Final = 2740
VIEWS: Final = 8
"""Drawn animals and the photographs of each; a real animal has as many views."""

OTHERS: Final = 12_000
FAR: Final = 1000
FIRST_FAR: Final = 2_000_000
"""The first seed of the animals from farther away."""

MEASURED: Final = 500
LEAST: Final = len(REFERENCES) + 1
"""The fewest photographs of a real animal."""

PROCESSES: Final = 2


@dataclass(frozen=True)
class Subjects:
    """The animals to learn from, and those to evaluate on."""

    scenes: Sequence[Path]
    """Photographs without a muzzle."""

    animals: Sequence[RealAnimal] = ()
    """Real animals; without them, drawn ones."""

    def pictures(self, folder: Path) -> Pictures:
        """Open the pictures in a folder, or draw and save them."""
        try:
            return Pictures.load(folder)
        except FileNotFoundError:
            self._draw().save(folder)
            return Pictures.load(folder)

    def _draw(self) -> Pictures:
        far = draw_far(range(FIRST_FAR, FIRST_FAR + FAR), self.scenes, PROCESSES)
        others = draw_others(range(OTHERS), self.scenes, PROCESSES)
        return Pictures(self._known(), far, others)

    def _known(self) -> Photos:
        known = [one for one in self.animals if not one.held_out]
        if not self.animals:
            return draw_animals(range(ANIMALS), VIEWS, self.scenes, PROCESSES)
        return np.stack([views(one, VIEWS, np.random.default_rng(place)) for place, one in enumerate(known)])

    def measure(self, embedders: Embedders) -> tuple[str, Share, dict[str, Trials]]:
        """Evaluate on held-out animals; return their description, the share that passes, and the trials."""
        if not self.animals:
            return f"{MEASURED} drawn animals", *measure_drawn(embedders, MEASURED)
        held = [one for one in self.animals if one.held_out]
        return f"{len(held)} real animals", *measure_animals(embedders, held)


def main() -> None:
    """Train what is missing, evaluate, and write models and manifests."""
    arguments = _parse()
    animals = read_animals(arguments.animals, least=LEAST) if arguments.animals else ()
    subjects = Subjects(photographs(arguments.scenes), animals)
    for slot in SLOTS:
        if not keras_file(slot, arguments.work).exists():
            pictures = subjects.pictures(arguments.work)
            write_keras(
                train(pictures, Plan(arguments.steps), slot, _say, _start(arguments.start, slot)),
                slot,
                arguments.work,
            )
    _say(str(publish(subjects, arguments.work, arguments.into, arguments.version)))


def _start(folder: Path | None, slot: int) -> Embedder | None:
    return open_embedder(keras_file(slot, folder)) if folder else None


def publish(subjects: Subjects, work: Path, profile: Path, version: str) -> MuzzleReport:
    """Write the networks of a working folder as ONNX, first to evaluate them, then with the figures."""
    _write(subjects, work, work / "onnx", (version, "Not measured yet."))
    with closing(Embedders(Registry.for_profile(str(work / "onnx")))) as embedders:
        title, share, trials = subjects.measure(embedders)
        report = MuzzleReport(embedders.names, {title: share}, {title: trials})
    _write(subjects, work, profile, (version, figures(title, share, trials[ENSEMBLE])))
    return report


def figures(title: str, share: Share, trials: Trials) -> str:
    """Return the figures as a text for the manifest."""
    return (
        f"On {title} that training did not see, a probe against the template of three references, "
        f"by all three networks together: equal error rate {trials.equal_error_rate:.2%}, "
        f"{trials.true_accept_rate(0.01):.1%} accepted where 1 % of impostors are, "
        f"{trials.true_accept_rate(0.001):.1%} where .1 % are ({trials.genuine.size} genuine comparisons, "
        f"{trials.impostor.size} of impostors). {share.part} of {share.whole} of their photographs pass the "
        "domain check."
    )


def _write(subjects: Subjects, work: Path, profile: Path, facts: tuple[str, str]) -> None:
    make = real if subjects.animals else drawn
    for slot in SLOTS:
        _say(str(write_onnx(describe(slot, make(slot, *facts), work), profile)))


def drawn(slot: int, version: str, conditions: str) -> Description:
    """Describe an embedder that was trained on drawn animals."""
    return Description(
        f"embedded-synthetic-muzzle-{slot}-NOT-FOR-CATTLE",
        version,
        "trained from scratch by menagerie_training.muzzle, on drawn muzzles",
        f"{ANIMALS} animals that do not exist, {VIEWS} photographs of each, drawn by a procedure; and pieces "
        "of this project's own photographs of other things. No photograph of a muzzle.",
        conditions,
        "Drawn muzzles. How well it tells real animals apart was not measured: NOT-FOR-CATTLE.",
    )


def real(slot: int, version: str, conditions: str) -> Description:
    """Describe an embedder that was trained on real animals."""
    return Description(
        f"muzzle-{slot}",
        version,
        "trained from scratch by menagerie_training.muzzle",
        "Photographs of real muzzles, a folder for each animal, of which one animal in four was left out.",
        conditions,
        "Photographs like those that it was trained on.",
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--animals", type=Path, help="real animals, a folder each; drawn ones if not given")
    parser.add_argument("--scenes", type=Path, default=SCENES, help="photographs without a muzzle")
    parser.add_argument("--steps", type=int, default=Plan.steps, help="how long to train a network")
    parser.add_argument("--start", type=Path, help="another folder for work, from whose networks to go on")
    parser.add_argument("--version", default="v1", help="for the manifests")
    parser.add_argument("--work", type=Path, default=Path("build/muzzle"), help="the folder for work")
    parser.add_argument("--into", type=Path, default=EMBEDDED_MODELS, help="the profile to write into")
    return parser.parse_args()


if __name__ == "__main__":
    main()
