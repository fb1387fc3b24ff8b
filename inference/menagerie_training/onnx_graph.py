"""Builds an ONNX graph node by node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Graph:
    """The nodes and constants of an ONNX graph under construction."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - as onnx.helper takes
        """Append a node of one output and return the output's name."""
        output = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, value: NDArray[Any]) -> str:
        """Append a constant; a float16 one is stored as such, and used as float32."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return self.add("Cast", name, to=TensorProto.FLOAT) if value.dtype == np.float16 else name

    def name(self, tensor: str, output: str) -> None:
        """Rename a tensor to an output of the graph."""
        self.nodes.append(helper.make_node("Identity", [tensor], [output], name=output))
