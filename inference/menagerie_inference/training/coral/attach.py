"""Writes a machine into the graph of the network whose statistics it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from menagerie_inference.training.coral.machine import WIDTH

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_inference.training.coral.machine import Machine

STATISTICS: Final = "statistics"
QUESTIONS: Final = ("bleached", "reef")
"""The graph's outputs: what it gives before, and instead of that when the machine is in it."""


def attach(machine: Machine, source: Path, target: Path) -> None:
    """Write the network with one output for each question, float32 (batch,)."""
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
        ("centres", 2 * WIDTH * machine.centres.T, np.float32),
        ("width", -WIDTH, np.float32),
        ("offsets", -WIDTH * (machine.centres**2).sum(axis=1), np.float32),
        ("weights", machine.weights, np.float32),
        ("bias", machine.bias, np.float32),
        ("features", [1], np.int64),
        *((question, column, np.int64) for column, question in enumerate(QUESTIONS)),
    ]


def _nodes() -> list[onnx.NodeProto]:
    """Compute -WIDTH * |p - c|^2 as 2 WIDTH p.c - WIDTH |p|^2 - WIDTH |c|^2, and so on."""
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
        helper.make_node("Gather", ["machine.scores", f"machine.{question}"], [question], axis=1)
        for question in QUESTIONS
    ]
    return [helper.make_node(kind, inputs, [output]) for kind, inputs, output in steps] + columns
