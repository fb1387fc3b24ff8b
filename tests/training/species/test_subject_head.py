from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from menagerie_inference.backends import load_backend
from menagerie_inference.domains.species.activation_box import locate
from menagerie_inference.image import decode
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.boxes import overlap
from menagerie_training.evaluation.labels import read_labels
from menagerie_training.species.subject_head import (
    FEATURES,
    Head,
    fit,
    interpolation,
    read_boxes,
    with_head,
)

PHOTOS = Path(__file__).parents[2] / "photos"
RANDOM = np.random.default_rng(5)


def small_model() -> onnx.ModelProto:
    """Make a graph that has the two tensors which the head works on, and nothing else."""
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["features"], [FEATURES]),
            helper.make_node("Relu", ["map"], ["activation"]),
        ],
        "small",
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3, 17, 17]),
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ["n", 9, 9]),
        ],
        [helper.make_tensor_value_info("activation", TensorProto.FLOAT, ["n", 9, 9])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_learns_what_is_inside() -> None:
    cells = RANDOM.normal(5, [1, 10, 0.1], (4000, 3))
    inside = (cells[:, 1] - 5 + 20 * (cells[:, 2] - 5) > 2).astype(np.float64)
    head = fit(cells, inside)
    assert ((cells @ head.weights + head.bias > 0) == (inside > 0.5)).mean() > 0.95


def test_the_activation_is_the_product_of_both_maps() -> None:
    head = Head(np.array([0.5, -1.0, 2.0]), bias=0.25)
    features = RANDOM.normal(0, 1, (2, 3, 17, 17)).astype(np.float32)
    map_ = RANDOM.normal(0, 1, (2, 9, 9)).astype(np.float32)
    session = onnxruntime.InferenceSession(with_head(small_model(), head).SerializeToString())
    (activation,) = session.run(["activation"], {"features": features, "map": map_})
    logits = np.einsum("nchw,c->nhw", features, head.weights) + head.bias
    enlarged = interpolation(9, 17) @ np.maximum(map_, 0) @ interpolation(9, 17).T
    np.testing.assert_allclose(activation, enlarged / (1 + np.exp(-logits)), rtol=1e-4, atol=1e-5)


def test_interpolation_keeps_what_is_even_and_what_is_mirrored() -> None:
    matrix = interpolation(9, 17)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1])


def test_boxes_are_of_the_projects_animals_and_lie_in_them() -> None:
    animals = {photo.path.name for photo in read_labels(PHOTOS) if photo.kind == "animal"}
    boxes = read_boxes(PHOTOS / "boxes.csv")
    assert boxes.keys() <= animals
    for box in boxes.values():
        assert 0 <= box.left < box.left + box.width <= 1
        assert 0 <= box.top < box.top + box.height <= 1


@pytest.fixture(scope="module")
def overlaps() -> list[float]:
    """How well the embedded model's boxes agree with those that were drawn by hand."""
    manifest = Registry.for_profile(EMBEDDED).manifest_for("species")
    backend = load_backend(manifest, threads=1)
    boxes = read_boxes(PHOTOS / "boxes.csv")
    photos = {name: decode((PHOTOS / name).read_bytes(), manifest.input).pixels for name in boxes}
    maps = {name: backend.run(pixels[None])["activation"][0] for name, pixels in photos.items()}
    backend.close()
    return [overlap(locate(maps[name]), boxes[name]) for name in boxes]


def test_the_embedded_model_finds_where_animals_end(overlaps: list[float]) -> None:
    assert sum(overlaps) / len(overlaps) > 0.65
    assert sum(one >= 0.5 for one in overlaps) >= len(overlaps) - 2
