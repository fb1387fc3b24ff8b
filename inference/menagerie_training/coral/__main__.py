"""Makes a coral model: python -m menagerie_training.coral --photos CORALS --others OTHERS.

    pip install torch==2.13.0  # in the build that you want; the CPU's is enough
    pip install '.[server,onnx,training]'
    python -m menagerie_training.coral --photos CORALS --others tests/photos

CORALS holds labelled photographs; `read_corals()` says how. The test split is left alone. OTHERS holds
photographs that show no reef. Model and manifest are written into the package, or into the folder `--into`.
The printed figures are cross-validated; `menagerie_training.evaluation.coral` measures the model on the test
split.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from menagerie_inference.image import InputSpec
from menagerie_training import EMBEDDED_MODELS
from menagerie_training.coral.calibration import Blend, calibrate, cross_validate
from menagerie_training.coral.examples import BLEACHED, read_examples
from menagerie_training.coral.export import (
    MODEL,
    STATISTICS,
    TUNED,
    ExportedStatistics,
    Provenance,
    attach,
    write_manifest,
)
from menagerie_training.coral.fine_tuning import FineTuning
from menagerie_training.coral.kernel_classifier import fit_to_examples, train_kernel_classifier
from menagerie_training.coral.networks import FEATURE_BLOCKS, SIZE, CoralNetwork, StatisticsNetwork
from menagerie_training.coral.views import views_of
from menagerie_training.evaluation.coral_labels import read_corals, read_others, training_corals
from menagerie_training.int8_export import compress, export

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from menagerie_training.coral.calibration import Calibration
    from menagerie_training.coral.examples import Examples
    from menagerie_training.coral.kernel_classifier import KernelClassifier
    from menagerie_training.coral.networks import FineTunedNetwork
    from menagerie_training.evaluation.coral_labels import Coral

SPEC: Final = InputSpec(SIZE, SIZE, "squash")

CALIBRATION_IMAGES: Final = 100
"""The number of photographs that the int8 ranges are taken from."""

COMPRESSED: Final = 2
"""The number of float tensors stored as int8: the classifier's projection, and the head's first layer."""


def main() -> None:
    """Train, report, and write model and manifest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="photographs of corals, labelled")
    parser.add_argument("--others", type=Path, required=True, help="photographs that show no reef")
    parser.add_argument("--data", default=Provenance.data, help="where CORALS are from, for the manifest")
    parser.add_argument("--imagery", default=Provenance.imagery, help="the imagery that they represent")
    parser.add_argument("--into", type=Path, default=EMBEDDED_MODELS / "coral", help="the folder to write")
    arguments = parser.parse_args()
    corals = training_corals(read_corals(arguments.photos))
    others = read_others(arguments.others)
    provenance = Provenance(arguments.data, arguments.imagery)
    sys.stdout.write(make(corals, others, arguments.into, provenance))


def make(corals: Sequence[Coral], others: Sequence[Path], folder: Path, provenance: Provenance) -> str:
    """Train a model, write it, and return the cross-validated figures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        statistics, network = Path(scratch, "statistics.onnx"), Path(scratch, "both.onnx")
        frozen = StatisticsNetwork()
        export(frozen, [STATISTICS], _calibration_images(corals), SPEC, statistics)
        examples = read_examples(corals, others, ExportedStatistics(statistics, FEATURE_BLOCKS), SPEC)
        classifier, tuned, calibration = _trained(examples, FineTuning(corals, SPEC))
        export(CoralNetwork(frozen, tuned), [STATISTICS, TUNED], _calibration_images(corals), SPEC, network)
        attach(classifier, network, folder / MODEL)
    for _ in range(COMPRESSED):
        compress(folder / MODEL, folder / MODEL)
    write_manifest(folder, calibration, corals, others, provenance)
    return f"{calibration}\n"


def _trained(
    examples: Examples, fine_tuning: FineTuning
) -> tuple[KernelClassifier, FineTunedNetwork, Calibration]:
    """Train both branches, and divide their scores as cross-validation found."""
    calibration, blend = _calibrated(examples, fine_tuning)
    divisors = np.array([blend.kernel, calibration.reef_temperature])
    return (
        fit_to_examples(examples).divided(divisors),
        fine_tuning.fit(examples).divided(blend.fine_tuned),
        calibration,
    )


def _calibrated(examples: Examples, fine_tuning: FineTuning) -> tuple[Calibration, Blend]:
    kernel = cross_validate(examples, train_kernel_classifier)
    tuned = cross_validate(examples, fine_tuning)
    blend = Blend.of(examples, kernel, tuned)
    branches = {"kernel classifier": kernel[:, BLEACHED], "fine-tuned": tuned}
    return calibrate(examples, blend(kernel, tuned), branches), blend


def _calibration_images(corals: Sequence[Coral]) -> Iterator[NDArray[np.uint8]]:
    step = max(1, len(corals) // CALIBRATION_IMAGES)
    return (views_of(coral.path, SPEC).images[0] for coral in corals[::step])


if __name__ == "__main__":
    main()
