"""Adds a head to the species model that segments the subject.

The class activation map has 9 x 9 cells, and is strongest on the parts that distinguish the class. Features
of an earlier block have 17 x 17 cells: a linear classifier on them, fitted on photographs with known boxes,
gives the probability that a cell is part of an animal. The product of both is the model's `activation`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from menagerie_inference.domains.box import Box
from menagerie_training.evaluation.labels import read_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FEATURES: Final = "/_blocks.14/Add_output_0_DequantizeLinear_Output"
"""The last features (batch, 120, 17, 17) before the network halves their resolution again."""
CELLS: Final = 17
COARSE_CELLS: Final = 9

CROPS: Final = 24
"""How many crops of each photograph are used for training; the first is all of it."""
SMALLEST_CROP: Final = 0.45
"""Of the photograph's width and height."""
SEED: Final = 3

PENALTY: Final = 300.0
"""The L2 penalty, against some 200000 cells that are much alike."""
STEPS: Final = 7
"""Of Newton's method; the weights no longer change after five."""


@dataclass(frozen=True)
class Head:
    """A linear classifier of features: a cell's logit is `weights` (channels,) times it, plus `bias`."""

    weights: NDArray[np.float64]
    bias: float


def attach_subject_head(model: Path, photos: Path) -> None:
    """Fit the head on the labelled photographs of a folder, and write the model with it.

    The folder has labels.csv and boxes.csv.

    Raises:
        FileNotFoundError, ValueError: as `read_labels()`.
    """
    graph = onnx.load(model)
    cells, inside = _learnt_from(graph, photos)
    onnx.save(with_head(graph, fit(cells, inside)), model)


def fit(cells: NDArray[np.float64], inside: NDArray[np.float64]) -> Head:
    """Fit a logistic regression by Newton's method to cells (n, channels), and the part of each in a box."""
    mean, spread = cells.mean(axis=0), cells.std(axis=0) + 1e-6
    inputs = np.column_stack([(cells - mean) / spread, np.ones(len(cells))])
    weights = np.zeros(inputs.shape[1])
    penalty = PENALTY * np.eye(len(weights))
    for _ in range(STEPS):
        likely = _sigmoid(inputs @ weights)
        curvature = (inputs * (likely * (1 - likely))[:, None]).T @ inputs + penalty
        weights += np.linalg.solve(curvature, inputs.T @ (inside - likely) - penalty @ weights)
    scaled = weights[:-1] / spread
    return Head(scaled, float(weights[-1] - scaled @ mean))


def with_head(model: onnx.ModelProto, head: Head) -> onnx.ModelProto:
    """Add the head to the model: its activation becomes (batch, 17, 17), the head's times the class map's."""
    graph = model.graph
    _rename_output(graph, "activation", "class_map")
    enlarge = interpolation(COARSE_CELLS, CELLS)
    tensors = {
        "subject.weights": head.weights.reshape(1, -1, 1, 1),
        "subject.bias": np.array([head.bias]),
        "subject.rows": enlarge,
        "subject.columns": enlarge.T,
    }
    graph.initializer.extend(
        numpy_helper.from_array(values.astype(np.float32), name) for name, values in tensors.items()
    )
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "subject.axis"))
    graph.node.extend(
        [
            helper.make_node("Conv", [FEATURES, "subject.weights", "subject.bias"], ["subject.logits"]),
            helper.make_node("Sigmoid", ["subject.logits"], ["subject.probabilities"]),
            helper.make_node("Squeeze", ["subject.probabilities", "subject.axis"], ["subject.map"]),
            helper.make_node("MatMul", ["subject.rows", "class_map"], ["class_map.rows"]),
            helper.make_node("MatMul", ["class_map.rows", "subject.columns"], ["class_map.enlarged"]),
            helper.make_node("Mul", ["subject.map", "class_map.enlarged"], ["activation"]),
        ]
    )
    onnx.checker.check_model(model)
    return model


def interpolation(cells: int, finer: int) -> NDArray[np.float64]:
    """Return the matrix (finer, cells) that interpolates linearly between the centres of cells."""
    centres = (np.arange(finer) + 0.5) * cells / finer - 0.5
    return np.array([np.interp(centres, np.arange(cells), unit) for unit in np.eye(cells)]).T


def _rename_output(graph: onnx.GraphProto, name: str, new: str) -> None:
    for node in graph.node:
        node.output[:] = [new if output == name else output for output in node.output]
    place = [output.name for output in graph.output].index(name)
    graph.output[place].CopyFrom(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", CELLS, CELLS])
    )


def _learnt_from(model: onnx.ModelProto, photos: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the features (n, channels) of all crops' cells, and the part of each that lies in a box (n,)."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    exposed.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(exposed.SerializeToString())
    cells: list[NDArray[np.float32]] = []
    inside: list[NDArray[np.float64]] = []
    for pixels, mask in _crops(photos, session.get_inputs()[0].shape[1]):
        (features,) = session.run([FEATURES], {"images": pixels[None]})
        cells.append(features[0].reshape(features.shape[1], -1).T)
        inside.append(mask.ravel())
    return np.concatenate(cells).astype(np.float64), np.concatenate(inside)


def _crops(photos: Path, side: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """Crop, and mirror every other time, the photographs with a box, and the scenes without a subject."""
    random = np.random.default_rng(SEED)
    boxes = read_boxes(photos / "boxes.csv")
    for photo in read_labels(photos):
        if photo.path.name not in boxes and photo.kind != "blank":
            continue
        with Image.open(photo.path) as file:
            image = file.convert("RGB")
        mask = _mask(image.size, boxes.get(photo.path.name))
        for place in range(CROPS):
            frame = _frame(image.size, random, SMALLEST_CROP if place else 1.0)
            yield _crop(image, mask, frame, side, mirror=place % 2 == 1)


def read_boxes(path: Path) -> Mapping[str, Box]:
    """Read the box of each photograph's one animal: file, left, top, width and height, as in `Box`."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return {row["file"]: Box(*(float(row[name]) for name in Box._fields)) for row in rows}


def _mask(size: tuple[int, int], box: Box | None) -> Image.Image:
    mask = Image.new("L", size)
    if box:
        width, height = size
        left, top = round(box.left * width), round(box.top * height)
        mask.paste(255, (left, top, left + round(box.width * width), top + round(box.height * height)))
    return mask


def _frame(size: tuple[int, int], random: np.random.Generator, least: float) -> tuple[int, int, int, int]:
    part = random.uniform(least, 1.0)
    width, height = (round(side * part) for side in size)
    left, top = random.integers(size[0] - width + 1), random.integers(size[1] - height + 1)
    return int(left), int(top), int(left) + width, int(top) + height


def _crop(
    image: Image.Image, mask: Image.Image, frame: tuple[int, int, int, int], side: int, *, mirror: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    image, mask = image.crop(frame), mask.crop(frame)
    if mirror:
        image, mask = (one.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for one in (image, mask))
    pixels = image.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=3.0)
    inside = mask.resize((CELLS, CELLS), Image.Resampling.BOX)
    return np.asarray(pixels), np.asarray(inside) / 255.0


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))
