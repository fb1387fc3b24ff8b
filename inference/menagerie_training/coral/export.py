"""Writes the coral model: the ONNX graph of both branches with the kernel classifier, and the manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from menagerie_training.coral.kernel_classifier import GAMMA
from menagerie_training.evaluation.calibration import binary_reliability, expected_calibration_error
from menagerie_training.int8_export import INPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from menagerie_training.coral.calibration import Calibration
    from menagerie_training.coral.examples import Floats
    from menagerie_training.coral.kernel_classifier import KernelClassifier
    from menagerie_training.evaluation.coral_labels import Coral

STATISTICS: Final = "statistics"
TUNED: Final = "tuned"
"""The outputs of `CoralNetwork`: the statistics of the frozen branch, and the logit of the fine-tuned one."""

OUTPUTS: Final = ("bleached", "reef")
"""The outputs of the finished graph, in the order of the questions' columns."""

TEMPLATE: Final = Path(__file__).parent / "manifest.toml.template"
MODEL: Final = "coral.onnx"
"""The file of the model, beside its manifest."""

BATCH: Final = 8


class ExportedStatistics:
    """The exported `StatisticsNetwork`: what the classifier learns from has the rounding of int8 in it."""

    def __init__(self, path: Path, blocks: NDArray[np.int64]) -> None:
        self.blocks = blocks
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def __call__(self, images: NDArray[np.uint8]) -> Floats:
        """Compute the statistics (images, features) of images (images, height, width, 3)."""
        batches = (images[first : first + BATCH] for first in range(0, len(images), BATCH))
        rows = [self._session.run([STATISTICS], {INPUT: batch})[0] for batch in batches]
        return np.concatenate(rows).astype(np.float64)


def attach(classifier: KernelClassifier, source: Path, target: Path) -> None:
    """Add a classifier to the graph of a `CoralNetwork`; its outputs become `OUTPUTS`, float32 (batch,).

    Bleached is the sum of the classifier's score and the fine-tuned branch's logit.
    """
    model = onnx.load(source)
    graph = model.graph
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(values, dtype), f"machine.{name}")
        for name, values, dtype in _constants(classifier)
    )
    graph.node.extend(_nodes())
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]) for name in OUTPUTS)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _constants(classifier: KernelClassifier) -> list[tuple[str, object, type]]:
    return [
        ("shift", classifier.projection.shift, np.float32),
        ("matrix", classifier.projection.matrix, np.float32),
        ("centres.half", 2 * GAMMA * classifier.centres.T, np.float16),
        ("width", -GAMMA, np.float32),
        ("offsets", -GAMMA * (classifier.centres**2).sum(axis=1), np.float32),
        ("weights", classifier.weights, np.float32),
        ("bias", classifier.bias, np.float32),
        ("features", [1], np.int64),
        *((f"{question}.column", column, np.int64) for column, question in enumerate(OUTPUTS)),
    ]


def _nodes() -> list[onnx.NodeProto]:
    """Compute -GAMMA * |p - c|^2 as 2 GAMMA p.c - GAMMA |p|^2 - GAMMA |c|^2, and the scores from that.

    The centres are stored in half precision, which changes scores by less than .01; int8 would by up to .1.
    """
    steps = [
        ("Sub", (STATISTICS, "machine.shift"), "machine.shifted"),
        ("MatMul", ("machine.shifted", "machine.matrix"), "machine.point"),
        ("Mul", ("machine.point", "machine.point"), "machine.squares"),
        ("ReduceSum", ("machine.squares", "machine.features"), "machine.length"),
        ("Mul", ("machine.length", "machine.width"), "machine.own"),
        ("MatMul", ("machine.point", "machine.centres"), "machine.products"),
        ("Add", ("machine.products", "machine.offsets"), "machine.likeness"),
        ("Add", ("machine.likeness", "machine.own"), "machine.exponents"),
        ("Exp", ("machine.exponents",), "machine.kernel"),
        ("MatMul", ("machine.kernel", "machine.weights"), "machine.sums"),
        ("Add", ("machine.sums", "machine.bias"), "machine.scores"),
    ]
    columns = [
        ("Gather", ("machine.scores", "machine.bleached.column"), "machine.bleached"),
        ("Gather", ("machine.scores", "machine.reef.column"), "reef"),
    ]
    return [
        helper.make_node("Cast", ["machine.centres.half"], ["machine.centres"], to=TensorProto.FLOAT),
        *(helper.make_node(kind, inputs, [output]) for kind, inputs, output in steps),
        *(helper.make_node(kind, inputs, [output], axis=1) for kind, inputs, output in columns),
        helper.make_node("Add", ["machine.bleached", TUNED], ["bleached"]),
    ]


@dataclass(frozen=True)
class Provenance:
    """Where the photographs come from: parts of the manifest's sentences."""

    data: str = 'of the train split of the set "Healthy and Bleached Corals" (from Flickr; labels are noisy)'
    """Where the photographs of corals are from."""

    imagery: str = (
        "Colour photographs of reefs by divers and snorkellers, most some 300 px wide, and tiles of them"
    )
    """The imagery that they represent."""


def write_manifest(
    folder: Path,
    calibration: Calibration,
    corals: Sequence[Coral],
    others: Sequence[Path],
    provenance: Provenance,
) -> None:
    """Write the manifest of the model in a folder, with the hash of the model's file."""
    bleached = sum(coral.bleached for coral in corals)
    photographs = calibration.bleached.photographs
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        model=hashlib.sha256((folder / MODEL).read_bytes()).hexdigest(),
        temperature=calibration.bleached.temperature,
        reef_threshold=calibration.reef_threshold,
        accuracy=photographs.accuracy,
        error=f"{expected_calibration_error(binary_reliability(photographs)):.3f}",
        tiles_accuracy=calibration.bleached.tiles.accuracy,
        bleached=bleached,
        healthy=len(corals) - bleached,
        others=len(others),
        data=_escaped(provenance.data),
        imagery=_escaped(provenance.imagery),
    )
    (folder / "manifest.toml").write_text(text, encoding="utf-8")


def _escaped(text: str) -> str:
    """Escape text for a string of TOML, whose escapes are JSON's."""
    return json.dumps(text)[1:-1]
