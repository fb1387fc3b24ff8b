"""Animals that do not exist: procedural muzzle skin from a seed.

The skin between a cow's nostrils is a lifelong individual pattern of beads and ridges (Petersen 1922, "The
identification of the bovine by means of nose-prints"). Here beads are the cells of a Worley noise (Worley
1996, "A cellular texture basis function"), stretched along a flow that turns from the middle to the sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.float32]
    Colour = NDArray[np.float32]

SIDE: Final = 160
"""The side of a skin's maps in px."""

_NEIGHBOURS: Final = tuple(product((-1, 0, 1), repeat=2))


@dataclass(frozen=True, eq=False)
class Animal:
    """The traits of an animal. Maps are (SIDE, SIDE), from -1 to 1 on both axes."""

    height: Field
    """The height of the skin, from 0 in the grooves to 1 on the beads."""

    pigment: Field
    """The log absorbance of the skin relative to the animal's mean."""

    skin: Colour
    """The colour of the muzzle in linear RGB, 0 to 1."""

    coat: Colour
    """The colour of the hair around it, alike."""

    nostril: tuple[float, float, float, float]
    """The distance of the nostrils, how high they are, and half their width and height."""

    waist: float
    """The half width of the bare skin between the nostrils."""

    groove: float
    """How deep the philtrum is, 0 to 1."""


def grow(seed: int) -> Animal:
    """Return the animal of a seed; deterministic."""
    random = np.random.default_rng((seed, 0xC0))
    skin = _skin_colour(random)
    return Animal(
        height=_beads(random),
        pigment=_pigment(random),
        skin=skin,
        coat=_coat_colour(random),
        nostril=(
            random.uniform(0.45, 0.85),
            random.uniform(-0.3, 0.15),
            random.uniform(0.12, 0.24),
            random.uniform(0.2, 0.42),
        ),
        waist=random.uniform(0.34, 0.5),
        groove=random.uniform(0.0, 0.8),
    )


def smooth_noise(random: np.random.Generator, side: int, cells: int) -> Field:
    """Return smooth noise (side, side) of about `cells` waves, about -1 to 1."""
    knots = random.normal(0, 0.5, (cells + 3, cells + 3)).astype(np.float32)
    places = np.linspace(0, cells, side, dtype=np.float32)
    weights = _cubic(places, cells + 3)
    return np.asarray(weights @ knots @ weights.T * 1.5, np.float32)


def _cubic(places: Field, knots: int) -> Field:
    """Return the weights (places, knots) of the uniform cubic B-spline."""
    distance = np.abs(places[:, np.newaxis] + 1 - np.arange(knots, dtype=np.float32))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def _pigment(random: np.random.Generator) -> Field:
    """Return clouds of pigment, on some animals patches with an edge, and freckles."""
    clouds = smooth_noise(random, SIDE, int(random.integers(3, 7)))
    patches = np.tanh(clouds * random.uniform(1, 5))
    freckles = np.clip(smooth_noise(random, SIDE, int(random.integers(12, 22))) - 0.5, 0, 1)
    strength, spotted = random.uniform(0.2, 0.8), random.choice((0.0, 1.0, 2.0))
    return np.asarray(strength * patches + spotted * freckles, np.float32)


def _beads(random: np.random.Generator) -> Field:
    """Return the height of beads with grooves between them."""
    cells = random.uniform(10, 21)
    axis = np.linspace(-1, 1, SIDE, dtype=np.float32)
    across, down = np.meshgrid(axis, axis)
    bend = random.uniform(-0.5, 0.5)
    fan = random.uniform(0.0, 0.9)
    stretch = random.uniform(0.75, 1.3)
    column = (across * (1 + fan * 0.4 * down) + 0.12 * smooth_noise(random, SIDE, 4)) * cells / 2
    row = (down + bend * across**2 + 0.12 * smooth_noise(random, SIDE, 4)) * cells / 2 * stretch
    nearest, second = _worley(random, column, row)
    groove = np.clip((second - nearest) / random.uniform(0.3, 0.55), 0, 1)
    return np.asarray(groove * (1 - 0.35 * nearest), np.float32)


def _worley(random: np.random.Generator, column: Field, row: Field) -> tuple[Field, Field]:
    """Return the distances to the nearest and the second nearest of points, one in each cell of a grid."""
    home_column, home_row = np.floor(column).astype(int), np.floor(row).astype(int)
    size = 2 * int(max(np.abs(home_column).max(), np.abs(home_row).max())) + 5
    jitter = random.uniform(0.1, 0.9, (size, size, 2)).astype(np.float32)
    distances = []
    for over, below in _NEIGHBOURS:
        cell_column, cell_row = home_column + over, home_row + below
        point = jitter[cell_row % size, cell_column % size]
        distances.append(np.hypot(cell_column + point[..., 0] - column, cell_row + point[..., 1] - row))
    nearest, second = np.partition(np.stack(distances), 1, axis=0)[:2]
    return nearest.astype(np.float32), second.astype(np.float32)


def _skin_colour(random: np.random.Generator) -> Colour:
    """Return black, slate, brown or pink skin."""
    kinds = np.array(
        [[0.05, 0.05, 0.055], [0.13, 0.12, 0.12], [0.2, 0.14, 0.11], [0.55, 0.36, 0.28]], np.float32
    )
    kind = kinds[random.choice(4, p=[0.35, 0.3, 0.2, 0.15])]
    lit = kind * random.uniform(0.6, 1.6) * random.normal(1, 0.06, 3)
    return np.asarray(np.clip(lit, 0.01, 0.9), np.float32)


def _coat_colour(random: np.random.Generator) -> Colour:
    """Return black, brown, tan, grey or white hair."""
    kinds = np.array(
        [[0.03, 0.03, 0.03], [0.2, 0.1, 0.05], [0.45, 0.28, 0.15], [0.4, 0.38, 0.36], [0.75, 0.7, 0.65]],
        np.float32,
    )
    kind = kinds[random.integers(5)]
    lit = kind * random.uniform(0.7, 1.3) * random.normal(1, 0.06, 3)
    return np.asarray(np.clip(lit, 0.01, 0.95), np.float32)
