"""Evaluates the muzzle embedders: python -m menagerie_training.muzzle.evaluation.

Always on drawn animals that training did not see. With --animals FOLDER also on the held-out ones of real
animals, a folder each. With --muzzles FOLDER and --others FOLDER, counts how many photographs of each kind
pass the domain check at its default thresholds.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.backends import load_backend
from menagerie_inference.domains.muzzle import SLOTS, Codes, Thresholds, check_domain
from menagerie_inference.domains.muzzle.verification import REFERENCES
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.det_diagram import det_diagram
from menagerie_training.evaluation.metrics import Share
from menagerie_training.evaluation.report import aligned
from menagerie_training.evaluation.verification import Trials, template_trials
from menagerie_training.muzzle.folders import (
    WHOLE,
    photographs,
    read_animals,
    read_boxes,
    show,
    unseen,
)
from menagerie_training.muzzle.pictures import draw_animals
from menagerie_training.whales.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from menagerie_inference.backends import Backend
    from menagerie_training.muzzle.folders import Box, RealAnimal

    Photos = NDArray[np.uint8]
    Outputs = Mapping[int, NDArray[np.float32]]

UNSEEN: Final = 1_000_000
"""The first seed of the animals for evaluation; training uses lower ones."""

SCENES: Final = Path("tests/photos")
"""The photographs without a muzzle that training used, and the backgrounds of drawn animals."""

ENSEMBLE: Final = "ensemble"
_AT_ONCE: Final = 32
_THRESHOLDS: Final = Thresholds()


class Embedders:
    """The networks of a profile's slots, as they are served."""

    def __init__(self, registry: Registry) -> None:
        manifests = {slot: registry.manifest_for(f"muzzle-{slot}") for slot in SLOTS}
        self.names = tuple(manifest.identity for manifest in manifests.values())
        self._backends: dict[int, Backend] = {
            slot: load_backend(manifest, threads=2) for slot, manifest in manifests.items()
        }

    def outputs(self, photos: Photos) -> Outputs:
        """Return the raw codes (n, dimensions) of photographs (n, height, width, 3), by slot."""
        starts = range(0, len(photos), _AT_ONCE)
        return {
            slot: np.concatenate([backend.run(photos[start : start + _AT_ONCE])["code"] for start in starts])
            for slot, backend in self._backends.items()
        }

    def close(self) -> None:
        """Release the networks."""
        for backend in self._backends.values():
            backend.close()


@dataclass(frozen=True)
class MuzzleReport:
    """The embedders' results; `str()` of it is for people."""

    models: tuple[str, ...]
    accepted: Mapping[str, Share]
    """The share that passes the domain check, by set of photographs."""

    trials: Mapping[str, Mapping[str, Trials]]
    """By set of animals, then by network."""

    def __str__(self) -> str:
        head = [["models", ", ".join(self.models)]]
        tables = [aligned(head), aligned(self._domain_rows())]
        tables += [f"{name}\n{aligned(_rows(trials))}" for name, trials in self.trials.items()]
        return "\n\n".join(tables)

    def _domain_rows(self) -> list[list[str]]:
        rows = [
            [name, str(share), str(share.part), str(share.whole), str(Interval.of(share.part, share.whole))]
            for name, share in self.accepted.items()
        ]
        return [["domain check: set", "accepted", "photographs", "of", "95 % interval"], *rows]


def _rows(trials: Mapping[str, Trials]) -> list[list[str]]:
    cosine = _THRESHOLDS.cosine_min
    rows = [
        [
            name,
            f"{one.equal_error_rate:.2%}",
            f"{one.true_accept_rate(0.01):.3f}",
            f"{one.true_accept_rate(0.001):.3f}",
            f"{one.false_accept_rate(cosine):.3%}",
            f"{one.false_reject_rate(cosine):.2%}",
            f"{one.genuine.size}, {one.impostor.size}",
        ]
        for name, one in trials.items()
    ]
    head = ["network", "EER", "TAR at FAR 1 %", "at .1 %", f"FAR at cosine {cosine}", "FRR", "comparisons"]
    return [head, *rows]


def accepted(outputs: Outputs) -> Share:
    """Count the photographs that pass the domain check at the default thresholds."""
    checks = check_domain(outputs, _THRESHOLDS)
    return Share(sum(check.passed for check in checks), len(checks))


def compare(references: Outputs, probes: Outputs, owners: NDArray[np.intp]) -> dict[str, Trials]:
    """Compare probes with the template of every animal, by each network and by the ensemble.

    Args:
        references: the codes of three photographs of each animal, one animal after another.
        owners: the animal of each probe, (n,).
    """
    known, asked = Codes.of(references), Codes.of(probes)
    spaces = {str(slot): place for place, slot in enumerate(known.slots)}
    found = {
        name: template_trials(_by_animal(known.by_model[place]), asked.by_model[place], owners)
        for name, place in spaces.items()
    }
    return {**found, ENSEMBLE: template_trials(_by_animal(known.ensemble), asked.ensemble, owners)}


def _by_animal(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    return codes.reshape(-1, len(REFERENCES), codes.shape[-1])


def measure_drawn(embedders: Embedders, count: int) -> tuple[Share, dict[str, Trials]]:
    """Draw four photographs of each animal, check them, and compare the fourth with the templates."""
    seeds = range(UNSEEN, UNSEEN + count)
    photos = draw_animals(seeds, len(REFERENCES) + 1, photographs(SCENES), 2)
    outputs = embedders.outputs(photos.reshape(-1, *photos.shape[2:]))
    by_view = {slot: codes.reshape(count, len(REFERENCES) + 1, -1) for slot, codes in outputs.items()}
    references = {slot: _flat(codes[:, :-1]) for slot, codes in by_view.items()}
    probes = {slot: codes[:, -1] for slot, codes in by_view.items()}
    return accepted(outputs), compare(references, probes, np.arange(count))


def measure_animals(embedders: Embedders, animals: Sequence[RealAnimal]) -> tuple[Share, dict[str, Trials]]:
    """Compare the photographs of real animals, except the first three, with the templates of those."""
    kept = len(REFERENCES)
    references = embedders.outputs(np.stack([show(file) for one in animals for file in one.files[:kept]]))
    probes = embedders.outputs(np.stack([show(file) for one in animals for file in one.files[kept:]]))
    owners = np.repeat(np.arange(len(animals)), [len(one.files) - kept for one in animals])
    every = {slot: np.concatenate([references[slot], probes[slot]]) for slot in references}
    return accepted(every), compare(references, probes, owners)


def _flat(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    return codes.reshape(-1, codes.shape[-1])


def check_photographs(embedders: Embedders, files: Sequence[Path], boxes: Mapping[str, Box]) -> Share:
    """Count the photographs that pass the domain check, cropped to their boxes if they have some."""
    photos = np.stack([show(file, boxes.get(file.name, WHOLE)) for file in files])
    return accepted(embedders.outputs(photos))


def main() -> None:
    """Evaluate, print the report, and draw the DET curves if asked to."""
    arguments = _parse()
    with closing(Embedders(Registry.for_profile(arguments.profile))) as embedders:
        report = measure(embedders, arguments)
    sys.stdout.write(f"{report}\n")
    if arguments.diagram:
        arguments.diagram.parent.mkdir(parents=True, exist_ok=True)
        name, trials = list(report.trials.items())[-1]
        arguments.diagram.write_text(det_diagram(trials, name), encoding="utf-8")


def measure(embedders: Embedders, arguments: argparse.Namespace) -> MuzzleReport:
    """Evaluate on drawn animals, and on all folders that are named.

    Raises:
        ValueError: training has seen all photographs of a folder, or there are fewer than two animals.
    """
    title = f"{arguments.identities} drawn animals"
    shares, trials = {}, {}
    shares[title], trials[title] = measure_drawn(embedders, arguments.identities)
    for folder in arguments.muzzles:
        boxes = read_boxes(arguments.boxes) if arguments.boxes else {}
        shares[f"muzzles, {folder.name}"] = check_photographs(embedders, photographs(folder), boxes)
    seen = photographs(SCENES)
    for folder in arguments.others:
        files = unseen(photographs(folder), seen)
        if not files:
            raise ValueError(f"{folder} holds no photograph that training did not see")
        shares[f"no muzzle, {folder.name}"] = check_photographs(embedders, files, {})
    if arguments.animals:
        held = [one for one in read_animals(arguments.animals, least=len(REFERENCES) + 1) if one.held_out]
        title = f"{len(held)} real animals, {arguments.animals.name}"
        shares[title], trials[title] = measure_animals(embedders, held)
    return MuzzleReport(embedders.names, shares, trials)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default=EMBEDDED, help="whose models; the embedded ones if not given")
    parser.add_argument("--identities", type=int, default=500, help="how many animals are drawn")
    parser.add_argument("--animals", type=Path, help="real animals, a folder each")
    parser.add_argument("--muzzles", type=Path, nargs="*", default=[], help="folders of muzzles")
    parser.add_argument("--boxes", type=Path, help="where the muzzles are: file,left,top,right,bottom")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="folders of anything else")
    parser.add_argument("--diagram", type=Path, help="where to draw the tradeoff of the last animals, as SVG")
    return parser.parse_args()


if __name__ == "__main__":
    main()
