from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from menagerie_inference.batching.batch import Outputs, join, run_together
from menagerie_inference.errors import ModelFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGES = np.arange(6 * 2 * 2 * 3, dtype=np.uint8).reshape(6, 2, 2, 3)


def _sum(images: NDArray[np.uint8]) -> Outputs:
    return {"sum": images.reshape(len(images), -1).sum(axis=1)}


def test_each_request_gets_its_own_rows() -> None:
    parts = run_together(_sum, [IMAGES[:1], IMAGES[1:4], IMAGES[4:]])
    assert [len(part["sum"]) for part in parts] == [1, 3, 2]
    assert (join(parts)["sum"] == _sum(IMAGES)["sum"]).all()


def test_a_single_requests_images_and_outputs_are_not_copied() -> None:
    parts = run_together(lambda images: {"same": images}, [IMAGES])
    assert parts[0]["same"] is IMAGES
    assert join(parts) is parts[0]


@pytest.mark.parametrize(
    "rows", [np.zeros(5), np.zeros((1, 6)), np.float32(1), np.zeros((7, 2)), np.zeros((0, 6))]
)
def test_outputs_that_are_not_one_per_image_are_refused(
    rows: NDArray[Any],
) -> None:
    with pytest.raises(ModelFailed, match="'wrong'"):
        run_together(lambda _: {"wrong": rows}, [IMAGES])


def test_a_stop_iteration_becomes_an_error_that_a_future_can_hold() -> None:
    with pytest.raises(ModelFailed):
        run_together(lambda _: next(iter(())), [IMAGES])
