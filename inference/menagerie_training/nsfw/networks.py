"""The three embedded networks, with their preprocessing and one output each.

All take `images`, uint8 (batch, height, width, 3) in RGB, and return a probability for each, float32
(batch,): `adult`, or `female` for a crop of a face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from menagerie_training.nsfw.graph_model import LARGE, GraphModel, read_weights, rounded
from menagerie_training.onnx_graph import Graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_training.nsfw.packages import GraphModelFiles

OPSET: Final = 17
IR_VERSION: Final = 10

OPEN_NSFW_SIDE: Final = 256
_OPEN_NSFW_CUT: Final = 16
"""The input of open_nsfw is the central 224 px of a photograph squashed to 256 px; this is the border."""
_OPEN_NSFW_MEAN: Final = (104.0, 117.0, 123.0)
"""Blue, green, red. Source of both: classify_nsfw.py of yahoo/open_nsfw."""

NSFWJS_SIDE: Final = 224
NSFWJS_CLASSES: Final = ("Drawing", "Hentai", "Neutral", "Porn", "Sexy")
NSFWJS_ADULT: Final = ("Hentai", "Porn")
"""Its classes of explicit images; "Sexy" is for merely suggestive ones (nsfwjs, README)."""

FACERES_SIDE: Final = 224
FACERES_OUTPUT: Final = "gender_pred/Sigmoid"
"""P(male): the package's own faceres.ts says "female" up to .5."""
NSFWJS_OUTPUT: Final = "Identity"


def open_nsfw_network(content: bytes) -> ModelProto:
    """Return open_nsfw with the output `adult`; its kernels are float16."""
    original = onnx.version_converter.convert_version(onnx.load_from_string(content), OPSET)
    graph = Graph()
    cut = graph.add(
        "Slice",
        "images",
        *(
            graph.constant(np.array(bounds, dtype=np.int64))
            for bounds in ([_OPEN_NSFW_CUT] * 2, [OPEN_NSFW_SIDE - _OPEN_NSFW_CUT] * 2, [1, 2])
        ),
    )
    backwards = graph.add("Gather", cut, graph.constant(np.array([2, 1, 0], dtype=np.int64)), axis=3)
    mean = graph.constant(np.array(_OPEN_NSFW_MEAN, dtype=np.float32))
    given = graph.add("Sub", graph.add("Cast", backwards, to=TensorProto.FLOAT), mean)
    graph.nodes.append(helper.make_node("Identity", [given], [original.graph.input[0].name]))
    _append_halved(graph, original.graph)
    _answer(graph, original.graph.output[0].name, [1], "adult")
    return _model(graph, OPEN_NSFW_SIDE, "adult")


def nsfwjs_network(files: GraphModelFiles) -> ModelProto:
    """Return nsfwjs' network with the output `adult`: the sum of its classes of explicit images."""
    graph = Graph()
    pixels = graph.add("Transpose", graph.add("Cast", "images", to=TensorProto.FLOAT), perm=(0, 3, 1, 2))
    scaled = graph.add("Div", pixels, graph.constant(np.array(255, dtype=np.float32)))
    network = GraphModel(
        files.model["modelTopology"], read_weights(files.model["weightsManifest"], files.weights)
    )
    shares = network.append_to(graph, scaled, NSFWJS_OUTPUT)
    _answer(graph, shares, [NSFWJS_CLASSES.index(name) for name in NSFWJS_ADULT], "adult")
    return _model(graph, NSFWJS_SIDE, "adult")


def faceres_network(files: GraphModelFiles) -> ModelProto:
    """Return HSE-FaceRes with the output `female`; its large kernels are int8.

    Its input is BGR, as in its training (HSE_FaceRec_tf): on 100 portraits it was right for 99 of 99 faces,
    and for 97 in the RGB order of the npm package.
    """
    graph = Graph()
    order = graph.constant(np.array([2, 1, 0], dtype=np.int64))
    backwards = graph.add("Gather", "images", order, axis=3)
    pixels = graph.add("Transpose", graph.add("Cast", backwards, to=TensorProto.FLOAT), perm=(0, 3, 1, 2))
    weights = read_weights(files.model["weightsManifest"], files.weights)
    network = GraphModel(files.model["modelTopology"], {name: rounded(one) for name, one in weights.items()})
    male = network.append_to(graph, pixels, FACERES_OUTPUT)
    female = graph.add("Sub", graph.constant(np.array(1, dtype=np.float32)), male)
    _answer(graph, female, [0], "female")
    return _model(graph, FACERES_SIDE, "female")


def _append_halved(graph: Graph, original: onnx.GraphProto) -> None:
    """Append a graph's nodes and constants, large ones in float16."""
    for tensor in original.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > LARGE:
            half = graph.constant(values.astype(np.float16))
            graph.nodes.append(helper.make_node("Identity", [half], [tensor.name]))
        else:
            graph.constants.append(tensor)
    graph.nodes.extend(original.node)


def _answer(graph: Graph, shares: str, columns: Sequence[int], output: str) -> None:
    """Append the sum of some columns of (batch, n) as the graph's output."""
    chosen = graph.add("Gather", shares, graph.constant(np.array(columns, dtype=np.int64)), axis=1)
    total = graph.add("ReduceSum", chosen, graph.constant(np.array([1], dtype=np.int64)), keepdims=0)
    graph.name(total, output)


def _model(graph: Graph, side: int, output: str) -> ModelProto:
    made = helper.make_graph(
        graph.nodes,
        "moderation",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", side, side, 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch"])],
        graph.constants,
    )
    return helper.make_model(
        made,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="menagerie_training.nsfw",
    )
