"""Makes the whales model's graph from the species model's: the same network with other outputs.

ImageNet has two classes of cetaceans, and an image of any other whale or dolphin is classified as one of
them, more than as any other class. So no weight is fitted here: the gate's logit is the log-odds of the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CETACEANS: Final = ("grey whale", "killer whale")
"""The first names of ImageNet's classes of cetaceans."""


def cetacean_classes(labels: Sequence[str]) -> list[int]:
    """Return the indices of the classes of cetaceans among lines of names, split by commas.

    Raises:
        ValueError: one of `CETACEANS` is missing.
    """
    first = [label.split(",")[0] for label in labels]
    return [first.index(name) for name in CETACEANS]


def whales_graph(species: onnx.ModelProto, classes: Sequence[int]) -> onnx.ModelProto:
    """Return the whales model.

    Args:
        species: the species model.
        classes: the indices of its classes of cetaceans.

    Returns:
        A graph with the outputs `cetacean` (batch,), the log-odds of those classes against all others;
        `embedding`, unchanged; and `activation`, the class activation map of those classes.
    """
    model = onnx.ModelProto()
    model.CopyFrom(species)
    graph = model.graph
    total = next(output for output in graph.output if output.name == "logits").type.tensor_type.shape
    count = total.dim[1].dim_value
    one_hot = np.zeros(count, np.float32)
    one_hot[list(classes)] = 1.0
    _replace(graph, "is_subject", one_hot)
    _add_log_odds(graph, np.flatnonzero(one_hot == 1.0), np.flatnonzero(one_hot == 0.0))
    graph.output.remove(next(output for output in graph.output if output.name == "logits"))
    graph.output.insert(0, helper.make_tensor_value_info("cetacean", TensorProto.FLOAT, ["batch"]))
    onnx.checker.check_model(model)
    return model


def _replace(graph: onnx.GraphProto, name: str, values: NDArray[np.float32]) -> None:
    place = [tensor.name for tensor in graph.initializer].index(name)
    graph.initializer[place].CopyFrom(numpy_helper.from_array(values, name))


def _add_log_odds(graph: onnx.GraphProto, cetaceans: NDArray[np.intp], others: NDArray[np.intp]) -> None:
    for name, places in (("cetaceans", cetaceans), ("others", others)):
        graph.initializer.append(numpy_helper.from_array(places.astype(np.int64), f"{name}.classes"))
        graph.node.extend(
            [
                helper.make_node("Gather", ["logits", f"{name}.classes"], [f"{name}.logits"], axis=1),
                helper.make_node(
                    "ReduceLogSumExp", [f"{name}.logits"], [f"{name}.total"], axes=[1], keepdims=0
                ),
            ]
        )
    graph.node.append(helper.make_node("Sub", ["cetaceans.total", "others.total"], ["cetacean"]))
