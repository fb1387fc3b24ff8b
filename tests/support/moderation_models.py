"""Models of an NSFW ensemble that tests draw: real ones, which answer by how red or how green an image is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from menagerie_inference.manifest import load_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import NodeProto

    from menagerie_inference.manifest import Manifest

SIDE = 8

MANIFEST = """
name = "{name}"
version = "1.0"
role = "nsfw-{name}"
backend = "onnx"
licence = "Apache-2.0"
source = "drawn by the tests"
{files}
[input]
width = {side}
height = {side}
{outputs}
{labels}
[calibration]
{calibration}
"""


def colour_model(folder: Path, name: str, questions: Mapping[str, str], **calibration: float) -> Manifest:
    """Write a model that answers each question by the mean of "red", "green" or "blue", over 255."""
    nodes = [*_mean_colour()]
    for question, colour in questions.items():
        nodes.append(helper.make_node("Gather", ["mean", colour], [question], axis=1))
    columns = [numpy_helper.from_array(np.array(place), colour) for place, colour in enumerate(_COLOURS)]
    content = _graph(nodes, columns, dict.fromkeys(questions, ()))
    return write_manifest(folder, name, content, dict.fromkeys(questions, ()), calibration)


def failing_model(folder: Path, name: str, question: str, **calibration: float) -> Manifest:
    """Write a model that answers 0 for a black image, and cannot run for any other."""
    nodes = [
        *_mean_colour(),
        helper.make_node("ReduceMax", ["mean"], ["most"], axes=[0, 1], keepdims=0),
        helper.make_node("Ceil", ["most"], ["index"]),
        helper.make_node("Cast", ["index"], ["place"], to=TensorProto.INT64),
        helper.make_node("Gather", ["single", "place"], ["none"], axis=0),
        helper.make_node("Gather", ["mean", "red"], ["reds"], axis=1),
        helper.make_node("Mul", ["reds", "none"], [question]),
    ]
    constants = [
        numpy_helper.from_array(np.zeros(1, np.float32), "single"),
        numpy_helper.from_array(np.array(0), "red"),
    ]
    return write_manifest(folder, name, _graph(nodes, constants, {question: ()}), {question: ()}, calibration)


def improbable_model(folder: Path, name: str, question: str, **calibration: float) -> Manifest:
    """Write a model whose answer is the mean red over 0: no number for black, infinite for others."""
    nodes = [
        *_mean_colour(),
        helper.make_node("Gather", ["mean", "red"], ["reds"], axis=1),
        helper.make_node("Div", ["reds", "nothing"], [question]),
    ]
    constants = [
        numpy_helper.from_array(np.array(0), "red"),
        numpy_helper.from_array(np.array(0, np.float32), "nothing"),
    ]
    return write_manifest(folder, name, _graph(nodes, constants, {question: ()}), {question: ()}, calibration)


def clip_tower(folder: Path, name: str, sentences: Sequence[str], **calibration: float) -> Manifest:
    """Write a small image tower of CLIP's shape, with random weights, and embeddings of the sentences."""
    generator = np.random.default_rng(0)
    patches = generator.normal(size=(16, 3, 4, 4)).astype(np.float32)
    projection = generator.normal(size=(16, 12)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=(0, 3, 1, 2)),
        helper.make_node("Conv", ["planes", "patches"], ["tokens"], strides=(4, 4)),
        helper.make_node("Tanh", ["tokens"], ["active"]),
        helper.make_node("ReduceMean", ["active"], ["pooled"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["pooled", "projection"], ["embedding"]),
    ]
    constants = [
        numpy_helper.from_array(patches, "patches"),
        numpy_helper.from_array(projection, "projection"),
    ]
    texts = generator.normal(size=(len(sentences), 12)).astype(np.float32)
    return write_manifest(
        folder,
        name,
        _graph(nodes, constants, {"embedding": (12,)}),
        {"embedding": (12,)},
        calibration,
        sentences=sentences,
        texts=texts,
    )


def write_manifest(  # noqa: PLR0913 - what a manifest has
    folder: Path,
    name: str,
    content: bytes,
    outputs: Mapping[str, tuple[int, ...]],
    calibration: Mapping[str, float],
    *,
    sentences: Sequence[str] = (),
    texts: NDArray[Any] | None = None,
) -> Manifest:
    """Write a model's files and its manifest into a folder of its own, and read that."""
    own = folder / f"nsfw-{name}"
    own.mkdir()
    (own / "model.onnx").write_bytes(content)
    files = ["model.onnx"]
    if texts is not None:
        np.save(own / "texts.npy", texts)
        files.append("texts.npy")
    if sentences:
        (own / "labels.txt").write_text("".join(f"{line}\n" for line in sentences), encoding="utf-8")
        files.append("labels.txt")
    text = MANIFEST.format(
        name=name,
        side=SIDE,
        files="".join(_file(own / file) for file in files),
        outputs="".join(
            f'\n[outputs.{output}]\nshape = {["batch", *shape]}\ndtype = "float32"\n'.replace("'", '"')
            for output, shape in outputs.items()
        ),
        labels=f'[labels]\nfile = "labels.txt"\ncount = {len(sentences)}\n' if sentences else "",
        calibration="".join(f"{key} = {float(value)}\n" for key, value in calibration.items()),
    )
    (own / "manifest.toml").write_text(text, encoding="utf-8")
    return load_manifest(own / "manifest.toml")


_COLOURS = ("red", "green", "blue")


def _mean_colour() -> list[NodeProto]:
    return [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["sum"], axes=[1, 2], keepdims=0),
        helper.make_node("Constant", [], ["white"], value_float=255.0),
        helper.make_node("Div", ["sum", "white"], ["mean"]),
    ]


def _graph(
    nodes: Sequence[NodeProto], constants: Sequence[Any], outputs: Mapping[str, tuple[int, ...]]
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "drawn",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [
            helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", *shape])
            for output, shape in outputs.items()
        ],
        [one for one in constants if any(one.name in node.input for node in nodes)],
    )
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])
    content: bytes = model.SerializeToString()
    return content


def _file(path: Path) -> str:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return f'\n[[files]]\npath = "{path.name}"\nsha256 = "{sha256}"\nlicence = "Apache-2.0"\n'
