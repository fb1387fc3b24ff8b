"""Makes a coral model: python -m menagerie_training.coral --photos CORALS --others OTHERS.

    pip install torch==2.13.0  # in the build that you want; the CPU's is enough
    pip install '.[server,onnx,training]'
    python -m menagerie_training.coral --photos CORALS --others tests/photos

CORALS holds labelled photographs, of which those that are held out are left alone; `read_corals()` says how.
OTHERS holds photographs that show no reef. Model and manifest are written into the package, or the folder
`--into`. What is printed was measured by cross-validation; `menagerie_training.evaluation.coral` measures
the model on the photographs that are held out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.image import InputSpec
from menagerie_training.coral.attach import STATISTICS, TUNED, attach
from menagerie_training.coral.blend import Blend
from menagerie_training.coral.calibration import calibrate
from menagerie_training.coral.cross_validation import cross_validated
from menagerie_training.coral.examples import BLEACHED, read_examples
from menagerie_training.coral.machine_branch import fit_examples, learnt_by_machine
from menagerie_training.coral.manifest import MODEL, Provenance, write_manifest
from menagerie_training.coral.network import SIZE, StatisticsNetwork
from menagerie_training.coral.statistics_model import StatisticsModel
from menagerie_training.coral.tuned_branch import FineTuning
from menagerie_training.coral.tuned_network import CoralNetwork
from menagerie_training.coral.views import views_of
from menagerie_training.evaluation.coral_labels import read_corals, read_others, to_learn_from
from menagerie_training.int8_export import export
from menagerie_training.species.classifier_weights import compress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from menagerie_training.coral.calibration import Calibration
    from menagerie_training.coral.examples import Examples
    from menagerie_training.coral.machine import Machine
    from menagerie_training.coral.tuned_network import TunedNetwork
    from menagerie_training.evaluation.coral_labels import Coral

MODELS: Final = Path(__file__).parents[2] / "models" / "coral"
SPEC: Final = InputSpec(SIZE, SIZE, "squash")

RANGES_FROM: Final = 100
"""How many photographs the int8 ranges are taken from."""

COMPRESSED: Final = 2
"""How many float tensors are stored as int8: the machine's matrix, and the first layer of the head."""


def main() -> None:
    """Train, report, and write model and manifest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="photographs of corals, labelled")
    parser.add_argument("--others", type=Path, required=True, help="photographs that show no reef")
    parser.add_argument("--data", default=Provenance.data, help="where CORALS are from, for the manifest")
    parser.add_argument("--imagery", default=Provenance.imagery, help="which images they stand for")
    parser.add_argument("--into", type=Path, default=MODELS, help="the folder to write")
    arguments = parser.parse_args()
    corals = to_learn_from(read_corals(arguments.photos))
    others = read_others(arguments.others)
    provenance = Provenance(arguments.data, arguments.imagery)
    sys.stdout.write(make(corals, others, arguments.into, provenance))


def make(corals: Sequence[Coral], others: Sequence[Path], folder: Path, provenance: Provenance) -> str:
    """Write a model that was trained on photographs, and return what cross-validation says of it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        statistics, network = Path(scratch, "statistics.onnx"), Path(scratch, "both.onnx")
        frozen = StatisticsNetwork()
        export(frozen, [STATISTICS], _sample(corals), SPEC, statistics)
        examples = read_examples(corals, others, StatisticsModel(statistics), SPEC)
        machine, tuned, calibration = _learnt(examples, FineTuning(corals, SPEC))
        export(CoralNetwork(frozen, tuned), [STATISTICS, TUNED], _sample(corals), SPEC, network)
        attach(machine, network, folder / MODEL)
    for _ in range(COMPRESSED):
        compress(folder / MODEL, folder / MODEL)
    write_manifest(folder, calibration, corals, others, provenance)
    return f"{calibration}\n"


def _learnt(examples: Examples, fine_tuning: FineTuning) -> tuple[Machine, TunedNetwork, Calibration]:
    """Fit both branches; their scores are divided as cross-validation says."""
    calibration, blend = _calibrated(examples, fine_tuning)
    divisors = np.array([blend.machine, calibration.reef_temperature])
    return (
        fit_examples(examples).divided(divisors),
        fine_tuning.fit(examples).divided(blend.tuned),
        calibration,
    )


def _calibrated(examples: Examples, fine_tuning: FineTuning) -> tuple[Calibration, Blend]:
    machine = cross_validated(examples, learnt_by_machine)
    tuned = cross_validated(examples, fine_tuning)
    blend = Blend.of(examples, machine, tuned)
    alone = {"machine": machine[:, BLEACHED], "fine-tuned": tuned}
    return calibrate(examples, blend(machine, tuned), alone), blend


def _sample(corals: Sequence[Coral]) -> Iterator[NDArray[np.uint8]]:
    step = max(1, len(corals) // RANGES_FROM)
    return (views_of(coral.path, SPEC).images[0] for coral in corals[::step])


if __name__ == "__main__":
    main()
