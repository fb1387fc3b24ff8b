from __future__ import annotations

import pytest

from menagerie_inference.batching import BatchPolicy


def test_the_defaults_hold() -> None:
    assert BatchPolicy().max_batch <= BatchPolicy().max_queue


@pytest.mark.parametrize(
    ("max_batch", "delay", "max_queue", "instances"),
    [(0, 0, 8, 1), (8, -0.1, 8, 1), (9, 0, 8, 1), (1, 0, 0, 1), (1, 0, 1, 0)],
)
def test_what_cannot_work_is_refused(max_batch: int, delay: float, max_queue: int, instances: int) -> None:
    with pytest.raises(ValueError, match="must hold"):
        BatchPolicy(max_batch, delay, max_queue, instances)


def test_a_cpu_runs_one_image_on_each_core_and_a_gpu_runs_batches() -> None:
    assert BatchPolicy.for_device("cpu", cores=6) == BatchPolicy(max_batch=1, instances=7)
    assert BatchPolicy.for_device("cuda", cores=6).max_batch > 1
