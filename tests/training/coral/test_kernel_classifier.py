from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from menagerie_training.coral.kernel_classifier import (
    GAMMA,
    KernelClassifier,
    Projection,
    fit,
    gaussian_kernel,
)

if TYPE_CHECKING:
    from menagerie_training.coral.examples import Floats

ONE_BLOCK = np.zeros(6, np.int64)
RANDOM = np.random.default_rng(3)
POINTS = RANDOM.normal(size=(400, 6))
INSIDE = (POINTS[:, :2] ** 2).sum(axis=1) < 1.4
"""What no line separates: whether a point is near the middle, by two of its six features."""


def fitted(targets: Floats, sample_weights: Floats) -> KernelClassifier:
    return fit(
        POINTS[:300], targets[:300], sample_weights[:300], centres=np.arange(300) < 200, blocks=ONE_BLOCK
    )


def signs(truth: object) -> Floats:
    return np.where(np.asarray(truth), 1.0, -1.0)


def test_it_learns_what_is_not_linear() -> None:
    classifier = fitted(signs(INSIDE)[:, None], np.ones((400, 1)))
    right = (classifier(POINTS[300:])[:, 0] > 0) == INSIDE[300:]
    assert right.mean() > 0.85


def test_each_question_is_fitted_on_its_own() -> None:
    right_half = POINTS[:, 5] > 0
    both = fitted(np.stack([signs(INSIDE), signs(right_half)], axis=1), np.ones((400, 2)))
    alone = fitted(signs(right_half)[:, None], np.ones((400, 1)))
    assert both(POINTS[300:])[:, 1] == pytest.approx(alone(POINTS[300:])[:, 0])


def test_samples_of_weight_zero_are_ignored() -> None:
    ignored = np.arange(400) >= 200
    nonsense = np.where(ignored, -signs(INSIDE), signs(INSIDE))
    sample_weights = np.where(ignored, 0.0, 1.0)[:, None]
    with_nonsense, without = (
        fitted(targets[:, None], sample_weights)(POINTS[300:]) for targets in (nonsense, signs(INSIDE))
    )
    assert with_nonsense == pytest.approx(without)


def test_features_of_any_scale_count_alike() -> None:
    scales = np.array([1e-3, 1, 1e3, 1, 1, 1])
    plain, scaled = (
        fit(
            points,
            signs(INSIDE)[:, None],
            np.ones((400, 1)),
            centres=np.arange(400) < 200,
            blocks=ONE_BLOCK,
        )(points)
        for points in (POINTS, POINTS * scales)
    )
    assert scaled == pytest.approx(plain, abs=1e-2)


def test_a_feature_that_never_changes_does_no_harm() -> None:
    constant = np.hstack([POINTS, np.full((400, 1), 7.0)])
    classifier = fit(
        constant,
        signs(INSIDE)[:, None],
        np.ones((400, 1)),
        centres=np.arange(400) < 200,
        blocks=np.zeros(7, np.int64),
    )
    assert np.isfinite(classifier(constant)).all()


def test_divided_scores_are_the_scores_divided() -> None:
    classifier = fitted(np.stack([signs(INSIDE)] * 2, axis=1), np.ones((400, 2)))
    divided = classifier.divided(np.array([2.0, 0.5]))
    assert divided(POINTS) == pytest.approx(classifier(POINTS) / [2.0, 0.5])


def test_the_kernel_is_one_for_the_same_and_falls_with_the_distance() -> None:
    centres = np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0]])
    assert gaussian_kernel(centres[:1], centres)[0] == pytest.approx(
        [1, np.exp(-GAMMA), np.exp(-GAMMA * 162)]
    )


def test_each_block_counts_alike_however_many_features_it_has() -> None:
    projection = Projection.of(POINTS, np.array([0, 0, 0, 0, 0, 2]))
    squares = (projection.matrix**2).sum(axis=1) * POINTS.var(axis=0)
    assert squares[:5].sum() == pytest.approx(0.5, rel=1e-3)
    assert squares[5] == pytest.approx(0.5, rel=1e-3)
