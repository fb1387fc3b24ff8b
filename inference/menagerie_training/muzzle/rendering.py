"""Renders photographs of animals that do not exist."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from PIL import Image

from menagerie_training.muzzle.animals import SIDE, smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_training.muzzle.animals import Animal, Field

    Picture = NDArray[np.float32]

SIZE: Final = 96
"""The side of a photograph in px, as the embedders take it."""

_DRAWN: Final = 128
"""The side at which it is drawn before it is scaled down, like a crop of a photograph."""

GAMMA: Final = 2.2
"""The exponent from pixel values, 0 to 1, to linear light."""
_AXIS: Final = np.linspace(-1, 1, _DRAWN, dtype=np.float32)


class View(NamedTuple):
    """The point on the muzzle of each px of a photograph, (drawn, drawn); (0, 0) is its centre."""

    across: Field
    down: Field


class Light(NamedTuple):
    """The direction of the light, as the slopes that face it, and the gloss of wet skin."""

    across: float
    down: float
    gloss: float

    sky: tuple[float, float, float]
    """The colour that wet skin reflects."""


def photograph(
    animal: Animal, random: np.random.Generator, scene: NDArray[np.uint8], *, distance: float = 1.0
) -> NDArray[np.uint8]:
    """Render a photograph of a muzzle, (SIZE, SIZE, 3).

    Args:
        scene: the background, (height, width, 3).
        distance: at 1 the muzzle fills the photograph.
    """
    view = _look(random, distance)
    light = _light(random)
    picture = _skin(animal, view, light, random)
    picture = _hair(animal, view, random, picture)
    picture = _nostrils(animal, view, random, picture)
    picture = _mouth(animal, view, random, picture)
    picture = _background(view, random, scene, picture)
    return develop(_shade(view, light, random, picture), random)


def develop(picture: Picture, random: np.random.Generator) -> NDArray[np.uint8]:
    """Simulate a phone's camera: from a linear picture (height, width, 3) to uint8 (SIZE, SIZE, 3)."""
    exposed = picture * np.exp(random.normal(0.1, 0.35)) * np.exp(random.normal(0, 0.06, 3))
    exposed = exposed + abs(random.normal(0, 0.03))  # haze
    values = np.clip(exposed, 0, 1) ** (random.uniform(0.8, 1.25) / GAMMA)
    sigma = abs(random.normal(0, 0.02))
    values = values + random.normal(0, 1, values.shape).astype(np.float32) * sigma
    image = Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))
    coarse = SIZE if random.random() < 0.6 else int(random.integers(48, SIZE))  # far away, or out of focus
    image = image.resize((coarse, coarse), Image.Resampling.BOX).resize(
        (SIZE, SIZE), Image.Resampling.BILINEAR
    )
    if random.random() < 0.7:
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=int(random.integers(45, 97)))
        image = Image.open(packed)
    return np.asarray(image.convert("RGB"))


def _look(random: np.random.Generator, distance: float) -> View:
    """Rotate, shift, scale and bend, as crops are never exact and animals seldom look straight ahead."""
    column, row = np.meshgrid(_AXIS, _AXIS)
    angle, scale = random.normal(0, 0.11), distance * np.exp(random.normal(0.03, 0.1))
    wide, high = scale * np.exp(random.normal(0, 0.06)), scale * np.exp(random.normal(0, 0.06))
    depth = 1 + random.normal(0, 0.1) * column + random.normal(0, 0.08) * row
    x = (column * np.cos(angle) - row * np.sin(angle)) / depth * wide
    y = (column * np.sin(angle) + row * np.cos(angle)) / depth * high
    turn = random.normal(0, 0.1)
    x = x + turn * x**2 + random.normal(0, 0.06)
    y = y + random.normal(0, 0.06)
    bent = 0.025
    return View(
        (x + bent * smooth_noise(random, _DRAWN, 3)).astype(np.float32),
        (y + bent * smooth_noise(random, _DRAWN, 3)).astype(np.float32),
    )


def _light(random: np.random.Generator) -> Light:
    blue = max(0.0, random.normal(0, 0.35))
    sky = (1 - 0.5 * blue, 1 - 0.1 * blue, 1 + 0.3 * blue)
    return Light(random.normal(0, 0.7), random.normal(-0.6, 0.6), random.gamma(1.2, 0.6), sky)


def _sample(field: Field, view: View) -> Field:
    """Sample a map of the skin bilinearly; it is mirrored beyond its edge."""
    places = [np.abs((axis + 1) * (SIDE - 1) / 2) for axis in (view.across, view.down)]
    column, row = (np.where(place > SIDE - 1, 2 * (SIDE - 1) - place, place) for place in places)
    column, row = np.clip(column, 0, SIDE - 1.001), np.clip(row, 0, SIDE - 1.001)
    left, top = column.astype(int), row.astype(int)
    right, bottom = column - left, row - top
    upper = field[top, left] * (1 - right) + field[top, left + 1] * right
    lower = field[top + 1, left] * (1 - right) + field[top + 1, left + 1] * right
    return np.asarray(upper * (1 - bottom) + lower * bottom, np.float32)


def _skin(animal: Animal, view: View, light: Light, random: np.random.Generator) -> Picture:
    height = _sample(animal.height, view) * random.uniform(0.35, 1.2)
    height = height - animal.groove * 1.2 * np.exp(-((view.across / 0.035) ** 2)) * (view.down > -0.1)
    slope_down, slope_across = np.gradient(height)
    facing = np.clip(1 + 2.2 * (light.across * slope_across + light.down * slope_down), 0.2, 2.2)
    albedo = animal.skin * np.exp(-_sample(animal.pigment, view))[..., np.newaxis]
    ambient = 0.6 + 0.4 * height
    shine = light.gloss * 0.5 * np.clip(facing - 1.15, 0, 1) ** 1.5
    wet = _blob(view, random.uniform(-0.3, 0.3), random.uniform(-0.7, 0.1), random.uniform(0.25, 0.6))
    glow = light.gloss * random.uniform(0.02, 0.25) * wet * (0.5 + height)
    lit = albedo * (facing * ambient)[..., np.newaxis] + 0.02
    mirrored = (shine * (0.3 + wet) + glow)[..., np.newaxis] * np.array(light.sky, np.float32)
    return np.asarray(lit + mirrored, np.float32)


def _hair(animal: Animal, view: View, random: np.random.Generator, skin: Picture) -> Picture:
    """Draw hair outside the bare skin, which is narrow between the nostrils."""
    low = np.clip(view.down + 0.15, -1, 1)
    half = animal.waist + 0.42 * np.abs(low) ** 1.3 + 0.22
    edge = 0.05 * smooth_noise(random, _DRAWN, 9)
    top = random.uniform(-0.95, -0.6)
    outside = np.maximum(np.abs(view.across) - half, np.maximum(top - view.down, view.down - 0.72)) + edge
    cover = _step(outside, random.uniform(0.06, 0.6))[..., np.newaxis]
    strands = 1 + 0.35 * smooth_noise(random, _DRAWN, int(random.integers(18, 40)))
    pink = random.uniform(0, 0.5) * animal.skin
    hair = (animal.coat * 0.9 + pink * 0.3) * np.clip(strands, 0.2, 2)[..., np.newaxis]
    return np.asarray(skin * (1 - cover) + hair * cover, np.float32)


def _nostrils(animal: Animal, view: View, random: np.random.Generator, picture: Picture) -> Picture:
    """Draw two dark commas, whose rims catch the light."""
    apart, high, wide, tall = animal.nostril
    depth, rim = random.uniform(0.02, 0.2), random.uniform(-0.4, 0.7)
    hollow, reach = random.uniform(0.0, 0.7), random.normal(0, 0.8)
    for side in (-1, 1):
        lean = random.normal(0.35, 0.12) * side
        x, y = view.across - side * apart, view.down - high
        x, y = x * np.cos(lean) - y * np.sin(lean), x * np.sin(lean) + y * np.cos(lean)
        x = x + side * 0.6 * y**2  # bent to a comma
        distance = np.hypot(x / wide, y / tall) * np.exp(random.normal(0, 0.08))
        inside = 1 - _step(distance - 1, random.uniform(0.15, 0.5))
        ring = np.exp(-(((distance - 1.3) / 0.25) ** 2)) * np.clip(1 + reach * x / wide, 0, 2)
        picture = picture * (1 - hollow * np.exp(-((distance / 1.7) ** 2)))[..., np.newaxis]
        picture = picture * (1 + rim * ring)[..., np.newaxis]
        hole = picture * depth * np.array([1.0, 0.9, 0.85], np.float32)
        picture = picture * (1 - inside[..., np.newaxis]) + hole * inside[..., np.newaxis]
    return np.asarray(picture, np.float32)


def _mouth(animal: Animal, view: View, random: np.random.Generator, picture: Picture) -> Picture:
    """Draw the mouth, often outside the photograph, and the chin below."""
    line = view.down - random.uniform(0.7, 1.15) + random.uniform(0, 0.25) * view.across**2
    gap = np.exp(-((line / random.uniform(0.02, 0.06)) ** 2)) * random.uniform(0.3, 0.9)
    chin = _step(line, 0.05)[..., np.newaxis] * 0.6
    picture = picture * (1 - chin) + animal.coat * 0.8 * chin
    return np.asarray(picture * (1 - gap[..., np.newaxis]), np.float32)


def _background(
    view: View, random: np.random.Generator, scene: NDArray[np.uint8], picture: Picture
) -> Picture:
    width, height = random.uniform(0.85, 1.25), random.uniform(0.95, 1.5)
    distance = (np.abs(view.across) / width) ** 3 + (np.abs(view.down - 0.2) / height) ** 3
    beyond = _step(distance - 1, random.uniform(0.05, 0.3))[..., np.newaxis]
    behind = np.asarray(Image.fromarray(scene).resize((_DRAWN, _DRAWN), Image.Resampling.BOX), np.float32)
    return np.asarray(picture * (1 - beyond) + (behind / 255) ** GAMMA * beyond, np.float32)


def _shade(view: View, light: Light, random: np.random.Generator, picture: Picture) -> Picture:
    """Shade the muzzle as a rounded surface."""
    folds = np.exp(random.uniform(0.1, 0.5) * smooth_noise(random, _DRAWN, int(random.integers(2, 6))))
    fall = 1 + 0.25 * (light.across * view.across + light.down * view.down) - 0.12 * view.across**2
    return np.asarray(picture * (np.clip(fall, 0.25, 1.8) * folds)[..., np.newaxis], np.float32)


def _blob(view: View, across: float, down: float, size: float) -> Field:
    squared = (view.across - across) ** 2 + ((view.down - down) * 1.3) ** 2
    return np.asarray(np.exp(-squared / size**2), np.float32)


def _step(values: Field, width: float) -> Field:
    """Rise from 0 to 1 where values cross 0."""
    return np.asarray(1 / (1 + np.exp(np.clip(-values * 4 / width, -30, 30))), np.float32)
