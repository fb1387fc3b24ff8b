"""TensorFlow.js graph models that tests write, converted and held against numpy."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from menagerie_training.nsfw.graph_model import GraphModel, Weight, read_weights, rounded
from menagerie_training.onnx_graph import Graph

SIDE = 6
ELU = {"list": {"s": ["RWx1"]}}  # its name in base64


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def node(name: str, operator: str, *inputs: str, **attributes: object) -> dict[str, Any]:
    return {"name": name, "op": operator, "input": list(inputs), "attr": attributes}


def placeholder() -> dict[str, Any]:
    shape = {"shape": {"dim": [{"size": str(side)} for side in (-1, SIDE, SIDE, 3)]}}
    return node("input", "Placeholder", shape=shape)


def window(stride: int, padding: str) -> dict[str, Any]:
    return {
        "strides": {"list": {"i": ["1", str(stride), str(stride), "1"]}},
        "padding": {"s": text(padding)},
    }


def convert(
    nodes: list[dict[str, Any]], weights: dict[str, Weight], output: str, images: np.ndarray
) -> np.ndarray:
    constants = [node(name, "Const") for name in weights]
    graph = Graph()
    model = GraphModel({"node": [placeholder(), *constants, *nodes]}, weights)
    graph.name(model.append_to(graph, "images", output), "out")
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "test",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
            graph.constants,
        ),
        ir_version=10,
        opset_imports=[helper.make_opsetid("", 17)],
    )
    session = onnxruntime.InferenceSession(made.SerializeToString())
    made_of_them: np.ndarray = session.run(None, {"images": images.transpose(0, 3, 1, 2)})[0]
    return made_of_them


def convolved(images: np.ndarray, kernel: np.ndarray, stride: int, padding: str) -> np.ndarray:
    """TensorFlow's convolution, from its definition; kernel (height, width, in, out)."""
    side, size = images.shape[1], kernel.shape[0]
    made = -(-side // stride) if padding == "SAME" else (side - size) // stride + 1
    total = max((made - 1) * stride + size - side, 0) if padding == "SAME" else 0
    before = total // 2
    padded = np.pad(images, ((0, 0), (before, total - before), (before, total - before), (0, 0)))
    out = np.zeros((len(images), made, made, kernel.shape[3]))
    for row in range(made):
        for column in range(made):
            patch = padded[:, row * stride : row * stride + size, column * stride : column * stride + size]
            out[:, row, column] = np.einsum("nhwi,hwio->no", patch, kernel)
    return out


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, SIDE, SIDE, 3)).astype(np.float32)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_convolution_with_bias_and_activation(
    images: np.ndarray, padding: str, stride: int, size: int
) -> None:
    generator = np.random.default_rng(size)
    kernel = generator.normal(size=(size, size, 3, 4)).astype(np.float32)
    bias = generator.normal(size=4).astype(np.float32)
    fused = {"list": {"s": [text("BiasAdd"), text("Relu6")]}}
    nodes = [node("out", "_FusedConv2D", "input", "k", "b", **window(stride, padding), fused_ops=fused)]
    given_ = convert(nodes, {"k": Weight(kernel), "b": Weight(bias)}, "out", images)
    expected = np.clip(convolved(images, kernel, stride, padding) + bias, 0, 6)
    np.testing.assert_allclose(given_.transpose(0, 2, 3, 1), expected, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_convolution(images: np.ndarray, stride: int) -> None:
    kernel = np.random.default_rng(1).normal(size=(3, 3, 3, 1)).astype(np.float32)
    nodes = [node("out", "DepthwiseConv2dNative", "input", "k", **window(stride, "SAME"))]
    given_ = convert(nodes, {"k": Weight(kernel)}, "out", images)
    expected = np.concatenate(
        [convolved(images[..., [channel]], kernel[:, :, [channel]], stride, "SAME") for channel in range(3)],
        axis=-1,
    )
    np.testing.assert_allclose(given_.transpose(0, 2, 3, 1), expected, atol=1e-5)


def test_a_network_with_a_head(images: np.ndarray) -> None:
    """A scale and a bound for each channel, the mean over pixels, and a layer with softmax."""
    generator = np.random.default_rng(2)
    scale, matrix, bias = (generator.normal(size=size).astype(np.float32) for size in (3, (3, 5), 5))
    weights = {
        "scale": Weight(scale),
        "six": Weight(np.array([0.5], np.float32)),
        "axes": Weight(np.array([1, 2], np.int32)),
        "matrix": Weight(matrix),
        "bias": Weight(bias),
    }
    nodes = [
        node("scaled", "Mul", "input", "scale"),
        node("bounded", "Minimum", "scaled", "six"),
        node("mean", "Mean", "bounded", "axes"),
        node("layer", "_FusedMatMul", "mean", "matrix", "bias", fused_ops={"list": {"s": [text("BiasAdd")]}}),
        node("shares", "Softmax", "layer"),
        node("out", "Identity", "shares"),
    ]
    logits = np.minimum(images * scale, 0.5).mean(axis=(1, 2)) @ matrix + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(convert(nodes, weights, "out", images), expected, atol=1e-6)


def test_a_pool_that_is_squeezed(images: np.ndarray) -> None:
    pool = {"ksize": {"list": {"i": ["1", "6", "6", "1"]}}, **window(1, "VALID")}
    nodes = [node("pool", "AvgPool", "input", **pool), node("out", "Squeeze", "pool")]
    np.testing.assert_allclose(convert(nodes, {}, "out", images), images.mean(axis=(1, 2)), atol=1e-6)


def test_what_the_output_does_not_need_is_left_out(images: np.ndarray) -> None:
    nodes = [node("other", "Unheard", "input"), node("out", "Relu", "input")]
    given_ = convert(nodes, {}, "out", images)
    np.testing.assert_array_equal(given_.transpose(0, 2, 3, 1), np.maximum(images, 0))


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node("out", "Unheard", "input")], "operator Unheard, which is not known"),
        (
            [
                node(
                    "out",
                    "Conv2D",
                    "input",
                    "k",
                    **window(1, "SAME"),
                    fused_ops={"list": {"s": [text("Elu")]}},
                )
            ],
            "activation Elu, which is not known",
        ),
        ([node("out", "Mean", "input", "axes")], "out is no mean over the pixels"),
    ],
)
def test_what_is_not_known_is_refused(images: np.ndarray, nodes: list[dict[str, Any]], words: str) -> None:
    weights = {
        "k": Weight(np.ones((1, 1, 3, 3), np.float32)),
        "axes": Weight(np.array([3], np.int32)),
    }
    with pytest.raises(ValueError, match=words):
        convert(nodes, weights, "out", images)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, np.int8])
def test_a_large_constant_stays_as_small_as_it_is_stored(dtype: type[np.generic]) -> None:
    stored = np.random.default_rng(0).integers(0, 100, (8, 1024)).astype(dtype)
    graph = Graph()
    name = Weight(stored, np.array(0.5, np.float32), 0.25).append_to(graph, (1, 0))
    assert graph.constants[0].data_type == helper.np_dtype_to_tensor_dtype(stored.dtype)
    assert name


def test_weights_are_read_in_their_order_and_as_they_are_stored() -> None:
    manifest = [
        {
            "weights": [
                {"name": "plain", "shape": [2], "dtype": "float32"},
                {
                    "name": "bytes",
                    "shape": [3],
                    "dtype": "float32",
                    "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0},
                },
            ]
        },
        {
            "weights": [
                {"name": "halves", "shape": [1, 1], "dtype": "float32", "quantization": {"dtype": "float16"}},
                {"name": "whole", "shape": [], "dtype": "int32"},
            ]
        },
    ]
    content = (
        np.array([1.5, -2], "<f4").tobytes()
        + bytes([0, 2, 255])
        + np.array([0.25], "<f2").tobytes()
        + np.array([7], "<i4").tobytes()
    )
    weights = read_weights(manifest, content)
    assert weights["plain"].values.tolist() == [1.5, -2]
    assert weights["bytes"].values.tolist() == [-1, 0, 126.5]
    assert weights["halves"].values.tolist() == [[0.25]]
    assert weights["whole"].values.tolist() == 7
    with pytest.raises(ValueError, match="take 17 bytes, and there are 18"):
        read_weights(manifest, content + b"\0")


@given(seed=st.integers(0, 1000), factor=st.floats(1e-3, 1e3))
def test_rounding_is_off_by_half_a_step_of_its_channel(seed: int, factor: float) -> None:
    values = (np.random.default_rng(seed).normal(size=(8, 8, 80, 3)) * factor).astype(np.float32)
    values[..., 1] = 0
    made = rounded(Weight(values))
    assert made.stored.dtype == np.int8
    steps = np.abs(values).max(axis=(0, 1, 2)) / 127
    assert (np.abs(made.values - values) <= steps / 2 * 1.001).all()


@pytest.mark.parametrize("shape", [(5000,), (10, 10), (80, 80, 1, 1)])
def test_vectors_and_small_kernels_are_not_rounded(shape: tuple[int, ...]) -> None:
    weight = Weight(np.ones(shape, np.float32))
    assert rounded(weight) is weight
