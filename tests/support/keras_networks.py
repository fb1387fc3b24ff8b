"""Small Keras networks, converted for real into each form that the TensorFlow backend serves."""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING, Any, Final

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

KERAS: Final = "model.keras"
SAVED_MODEL: Final = "saved_model/saved_model.pb"
TFLITE: Final = "model.tflite"
FORMS: Final = (KERAS, SAVED_MODEL, TFLITE)

WIDTH, HEIGHT = 32, 24

MANIFEST = """
name = "small"
version = "1.0"
role = "{role}"
backend = "tensorflow"
licence = "Apache-2.0"
source = "made by the tests"

[input]
width = {width}
height = {height}
"""


def network(output: keras.Layer, *, size: tuple[int, int] = (WIDTH, HEIGHT)) -> keras.Model:
    """Make a small convolutional network of floats, with weights that are the same each time."""
    images = keras.Input((size[1], size[0], 3))
    features = keras.layers.Conv2D(8, 3, activation="relu")(images)
    features = keras.layers.BatchNormalization(momentum=0.0)(features)
    model = keras.Model(images, output(keras.layers.GlobalAveragePooling2D()(features)))
    rng = np.random.default_rng(1)
    for weights in model.trainable_weights:
        weights.assign(rng.normal(0.0, 0.5, weights.shape))
    # Whoever runs it as if it was being trained gets other answers.
    model(rng.normal(0.4, 0.3, (16, size[1], size[0], 3)), training=True)
    return model


def answers(model: keras.Model, images: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Give Keras's own answers."""
    return np.asarray(model(images.astype(np.float32), training=False))


def write(model: keras.Model, folder: Path, form: str) -> Path:
    """Write a model into a folder in one of the `FORMS`; return its first file."""
    file = folder / form
    match form:
        case "model.keras":
            with warnings.catch_warnings():
                # Keras's own: TensorFlow's variables take none of NumPy 2's arguments.
                warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
                model.save(file)
        case "saved_model/saved_model.pb":
            model.export(file.parent, verbose=False)
        case "model.tflite":
            file.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return file


def write_quantised(model: keras.Model, folder: Path, images: NDArray[np.float32]) -> Path:
    """Write a model as TFLite in which all is int8, input and output, too, fitted on these images."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    file = folder / TFLITE
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")  # they are the fitted ones
        file.write_bytes(converter.convert())
    return file


def write_manifest(
    first: Path,
    folder: Path,
    outputs: Mapping[str, Sequence[str | int]],
    *,
    role: str = "small",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    more: str = "",
) -> Path:
    """Write the manifest of all that is in a folder, of which one file is the first; return its path."""
    others = sorted(file for file in folder.rglob("*") if file.is_file() and file != first)
    parts = [MANIFEST.format(role=role, width=size[0], height=size[1]), more]
    parts += [
        f'[outputs.{name}]\nshape = {list(shape)}\ndtype = "float32"' for name, shape in outputs.items()
    ]
    parts += [_file(file, folder) for file in (first, *others)]
    path = folder / "manifest.toml"
    path.write_text("\n".join(parts))
    return path


def _file(file: Path, folder: Path) -> str:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return f'[[files]]\npath = "{file.relative_to(folder)}"\nsha256 = "{sha256}"\nlicence = "Apache-2.0"'
