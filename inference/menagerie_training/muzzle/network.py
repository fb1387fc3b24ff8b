"""The embedders: small convolutional networks whose code is short if there is no muzzle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import keras
from keras import layers, ops

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    Tensor = Any

from menagerie_training.muzzle.rendering import SIZE

DIMENSIONS: Final = 128

LENGTH: Final = 2.0
"""The length of the code of a certain muzzle: the variance is then 4 / 128, the .031 of the API's example."""

COLLAPSED: Final = 0.25
"""The length of the code of what is certainly none; it is the same in every network, so that they agree."""

_BLOCKS: Final = ((24, 2), (48, 2), (64, 1), (96, 2), (96, 1), (112, 2))
_SQUEEZED: Final = 24
_NEIGHBOURHOOD: Final = 11


@dataclass(frozen=True)
class Embedder:
    """A network as several Keras models that share their weights."""

    model: Any
    """The served model: from uint8 (n, SIZE, SIZE, 3) to "code" (n, DIMENSIONS)."""

    learner: Any
    """For training: from the same to unit codes (n, DIMENSIONS), and the logit of a muzzle (n, 1)."""


def build(seed: int, *, precision: str = "float32") -> Embedder:
    """Return an untrained embedder; the same seed gives the same weights.

    Short codes for unknown inputs are from Dhamija et al. 2018, "Reducing Network Agnostophobia".

    Args:
        precision: one of Keras, such as "mixed_bfloat16"; weights are always float32.
    """
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    photos = keras.Input((SIZE, SIZE, 3), dtype="uint8", name="photos")
    features = _contrast(ops.cast(photos, "float32") / 255.0)
    for filters, stride in _BLOCKS:
        features = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(features)
        features = layers.ReLU()(layers.BatchNormalization()(features))
    where = layers.Conv2D(_SQUEEZED, 1, use_bias=False)(features)
    where = layers.Flatten()(layers.ReLU()(layers.BatchNormalization()(where)))
    code = layers.BatchNormalization(center=False, scale=False)(
        layers.Dense(DIMENSIONS, use_bias=False)(where)
    )
    direction = layers.UnitNormalization(name="direction", dtype="float32")(code)
    seen = layers.Concatenate()([layers.GlobalAveragePooling2D()(features), where])
    logit = layers.Dense(1, name="muzzle", dtype="float32")(layers.Dropout(0.3)(seen))
    return Embedder(
        keras.Model(photos, {"code": _gated(direction, logit)}), keras.Model(photos, [direction, logit])
    )


def open_embedder(file: Path) -> Embedder:
    """Open the Keras file of an embedder.

    Raises:
        ValueError: it is not one, or that of another network.
    """
    embedder = build(0)
    embedder.model.set_weights(keras.saving.load_model(file, compile=False, safe_mode=True).get_weights())
    return embedder


def _contrast(colours: Tensor) -> Tensor:
    """Return the colours relative to the photograph's mean, and the local contrast of the brightness."""
    mean = ops.mean(colours, axis=(1, 2, 3), keepdims=True)
    spread = ops.sqrt(ops.mean(ops.square(colours - mean), axis=(1, 2, 3), keepdims=True))
    relative = (colours - mean) / (spread + 0.03)
    brightness = ops.mean(relative, axis=-1, keepdims=True)
    detail = brightness - _around(brightness)
    local = detail / ops.sqrt(_around(ops.square(detail)) + 0.01)
    return ops.concatenate([relative, local], axis=-1)


def _around(values: Tensor) -> Tensor:
    """Return the box filter of each pixel, separated into rows and columns, which is five times as fast."""
    for shape in ((1, _NEIGHBOURHOOD), (_NEIGHBOURHOOD, 1)):
        values = layers.AveragePooling2D(shape, strides=1, padding="same", dtype="float32")(values)
    return values


def _gated(direction: Tensor, logit: Tensor) -> Tensor:
    """Return the raw code: the direction if there is a muzzle, else the code that all networks share."""
    share = ops.sigmoid(logit)
    collapsed = COLLAPSED / DIMENSIONS**0.5  # the shared code: equal numbers, without variance
    return share * LENGTH * direction + (1 - share) * collapsed
