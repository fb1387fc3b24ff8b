"""The thresholds, by the names of the document and by ours, and what no threshold can be."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from pydantic import ValidationError

from menagerie_inference.domains.muzzle import ReviewBand, Thresholds
from menagerie_server.apis.muzzle.api import thresholds
from menagerie_server.settings import Settings


def test_the_defaults_are_the_documents() -> None:
    assert thresholds(Settings().muzzle) == Thresholds()


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("PREDICT_COSINE_THRESHOLD", "cosine_min"),
        ("PREDICT_EUCLIDEAN_MAX", "euclidean_max"),
        ("PREDICT_MUTUAL_MIN", "mutual_min"),
        ("MENAGERIE_MUZZLE_PREDICT_COSINE_THRESHOLD", "cosine_min"),
        ("MENAGERIE_MUZZLE_PREDICT_EUCLIDEAN_MAX", "euclidean_max"),
        ("MENAGERIE_MUZZLE_PREDICT_MUTUAL_MIN", "mutual_min"),
        ("MENAGERIE_MUZZLE_EMBEDDING_VARIANCE_MIN", "variance_min"),
        ("MENAGERIE_MUZZLE_CROSS_MODEL_MAX", "cross_model_max"),
    ],
)
def test_a_variable_sets_its_threshold(name: str, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "0.75")
    assert asdict(thresholds(Settings().muzzle)) == asdict(Thresholds()) | {field: 0.75}


def test_ours_wins_over_the_documents_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICT_COSINE_THRESHOLD", "0.7")
    monkeypatch.setenv("MENAGERIE_MUZZLE_PREDICT_COSINE_THRESHOLD", "0.8")
    assert Settings().muzzle.predict_cosine_threshold == 0.8


def test_the_review_band(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENAGERIE_MUZZLE_REVIEW_FROM", "0.55")
    monkeypatch.setenv("MENAGERIE_MUZZLE_REVIEW_BELOW", "0.7")
    assert thresholds(Settings().muzzle).review == ReviewBand(0.55, 0.7)


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"REVIEW_FROM": "0.5"}, "set together"),
        ({"REVIEW_BELOW": "0.5"}, "set together"),
        ({"REVIEW_FROM": "0.7", "REVIEW_BELOW": "0.5"}, "review_from is below review_below"),
        ({"REVIEW_FROM": "0.5", "REVIEW_BELOW": "0.5"}, "review_from is below review_below"),
        ({"REVIEW_FROM": "0.5", "REVIEW_BELOW": "1.5"}, "review_below"),
        ({"PREDICT_COSINE_THRESHOLD": "1.5"}, "predict_cosine_threshold"),
        ({"PREDICT_EUCLIDEAN_MAX": "0"}, "predict_euclidean_max"),
        ({"PREDICT_MUTUAL_MIN": "-2"}, "predict_mutual_min"),
        ({"EMBEDDING_VARIANCE_MIN": "-0.1"}, "embedding_variance_min"),
        ({"CROSS_MODEL_MAX": "x"}, "cross_model_max"),
    ],
)
def test_what_no_threshold_can_be(
    variables: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"MENAGERIE_MUZZLE_{name}", value)
    with pytest.raises(ValidationError, match=text):
        Settings()
