from __future__ import annotations

from menagerie_inference.domains.coral import BLEACHED, HEALTHY, UNSURE, ChunkResult, Summary


def test_a_summary_counts_by_the_labels() -> None:
    chunks = [ChunkResult(0, 0, 244, 244, 0.9, label) for label in (BLEACHED, HEALTHY, HEALTHY)]
    assert Summary.of(iter(chunks), "redness-1.0") == Summary(1, 2, 3, "redness-1.0")


def test_a_label_decides_whatever_the_probability() -> None:
    assert not ChunkResult(0, 0, 1, 1, 0.99, HEALTHY).bleached


def test_a_summary_of_two_models_counts_the_unsure() -> None:
    chunks = [ChunkResult(0, 0, 244, 244, 0.4, label) for label in (BLEACHED, UNSURE, HEALTHY, UNSURE)]
    assert Summary.of(iter(chunks), "a-1", "b-2") == Summary(1, 1, 4, "a-1+b-2", 2, "a-1", "b-2")
