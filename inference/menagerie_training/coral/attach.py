"""Writes a machine into the graph of the network whose statistics it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from menagerie_training.coral.machine import WIDTH

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_training.coral.machine import Machine

STATISTICS: Final = "statistics"
TUNED: Final = "tuned"
"""What the network gives: what its frozen branch sees, and the logit of its fine-tuned one."""

QUESTIONS: Final = ("bleached", "reef")
"""What it gives when the machine is in it."""


def attach(machine: Machine, source: Path, target: Path) -> None:
    """Write the network with one output for each question, float32 (batch,).

    Bleached is what the machine says of it and the fine-tuned branch's logit, added.
    """
    model = onnx.load(source)
    graph = model.graph
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(values, dtype), f"machine.{name}")
        for name, values, dtype in _constants(machine)
    )
    graph.node.extend(_nodes())
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]) for name in QUESTIONS
    )
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _constants(machine: Machine) -> list[tuple[str, object, type]]:
    return [
        ("shift", machine.projection.shift, np.float32),
        ("matrix", machine.projection.matrix, np.float32),
        ("centres.half", 2 * WIDTH * machine.centres.T, np.float16),
        ("width", -WIDTH, np.float32),
        ("offsets", -WIDTH * (machine.centres**2).sum(axis=1), np.float32),
        ("weights", machine.weights, np.float32),
        ("bias", machine.bias, np.float32),
        ("features", [1], np.int64),
        *((f"{question}.column", column, np.int64) for column, question in enumerate(QUESTIONS)),
    ]


def _nodes() -> list[onnx.NodeProto]:
    """Compute -WIDTH * |p - c|^2 as 2 WIDTH p.c - WIDTH |p|^2 - WIDTH |c|^2, and so on.

    The centres are stored in half precision, which moves no score by a hundredth; int8 would by a tenth.
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
