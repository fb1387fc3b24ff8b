"""Trains an embedder to distinguish animals, and muzzles from everything else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import keras
import numpy as np
import tensorflow as tf

from menagerie_training.muzzle.network import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from menagerie_training.muzzle.network import Embedder
    from menagerie_training.muzzle.pictures import Photos, Pictures

_SHARPNESS: Final = 16.0
"""The scale of cosines before the softmax."""

_MARGIN: Final = 0.1
"""The margin by which the cosine to an animal must exceed that to others."""

_NEVER: Final = 1e9
"""Excludes a photograph as its own partner."""

_GATE_WEIGHT: Final = 2.0
_DECAY: Final = 5e-4
_muzzle_or_not: Final = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.02)


@dataclass(frozen=True)
class Plan:
    """The length of the training and the composition of batches."""

    steps: int = 600
    animals: int = 48
    """Animals in a batch, with two photographs each."""

    far: int = 12
    """Animals from farther away in a batch."""

    others: int = 28
    """Pictures without a muzzle in a batch."""

    rate: float = 2e-3


def train(
    pictures: Pictures,
    plan: Plan,
    seed: int,
    report: Callable[[str], None],
    start: Embedder | None = None,
) -> Embedder:
    """Train an embedder.

    Animals are separated by the N-pair loss (Sohn 2016, "Improved Deep Metric Learning with Multi-class
    N-pair Loss Objective") with a margin on the cosine (Wang et al. 2018, "CosFace"). Computes in bfloat16,
    which takes two thirds of the time. Reproducible on the same machine, up to rounding.

    Args:
        start: an embedder whose weights to start from; random ones by default.

    Returns:
        An embedder with float32 weights.
    """
    plan = replace(plan, animals=min(plan.animals, len(pictures.animals)))
    embedder = build(seed, precision="mixed_bfloat16")
    if start is not None:
        embedder.model.set_weights(start.model.get_weights())
    step = _step(embedder, plan)
    losses = []
    for number, batch in enumerate(_batches(pictures, plan, seed), 1):
        losses.append([float(loss) for loss in step(batch)])
        if number % 50 == 0:
            animals, gate = np.mean(losses[-50:], axis=0)
            report(f"step {number} of {plan.steps}: animals {animals:.3f}, muzzle or not {gate:.3f}")
    trained = build(seed)
    trained.model.set_weights(embedder.model.get_weights())
    return trained


def _step(embedder: Embedder, plan: Plan) -> Callable[..., tuple[Any, Any]]:
    schedule = keras.optimizers.schedules.CosineDecay(
        plan.rate * 0.05, max(plan.steps * 9 // 10, 1), warmup_target=plan.rate, warmup_steps=plan.steps // 10
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=_DECAY, global_clipnorm=5.0)
    learner, variables = embedder.learner, embedder.learner.trainable_variables
    known, muzzles = 2 * plan.animals, 2 * plan.animals + plan.far

    @tf.function  # type: ignore[untyped-decorator]
    def step(photos: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            codes, logits = learner(photos, training=True)
            of_animals = _pair_loss(codes[:known])
            truth = tf.cast(tf.range(tf.shape(photos)[0]) < muzzles, tf.float32)[:, tf.newaxis]
            of_gate = _muzzle_or_not(truth, logits)
            loss = of_animals + _GATE_WEIGHT * of_gate
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return of_animals, of_gate

    return step  # type: ignore[no-any-return]


def _pair_loss(codes: tf.Tensor) -> tf.Tensor:
    """Return the loss of unit codes (2n, d), in which the partner of each is n places away."""
    count = tf.shape(codes)[0]
    partner = (tf.range(count) + count // 2) % count
    cosines = codes @ tf.transpose(codes) - _MARGIN * tf.one_hot(partner, count)
    logits = _SHARPNESS * cosines - _NEVER * tf.eye(count)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(partner, logits))


def _batches(pictures: Pictures, plan: Plan, seed: int) -> Iterator[Photos]:
    """Yield batches: two photographs of each animal, some animals from far away, then no muzzles."""
    random = np.random.default_rng((seed, 0xBA))
    animals, views = pictures.animals.shape[:2]
    for _ in range(plan.steps):
        who = random.choice(animals, plan.animals, replace=False)
        first = random.integers(views, size=plan.animals)
        second = (first + random.integers(1, views, size=plan.animals)) % views
        far = pictures.far[random.choice(len(pictures.far), plan.far, replace=False)]
        others = pictures.others[random.choice(len(pictures.others), plan.others, replace=False)]
        yield np.concatenate([pictures.animals[who, first], pictures.animals[who, second], far, others])
