"""Coral's answers where a profile has a second model: what they hold beside the documented fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from tests.support.folders import open_folder
from tests.support.photos import FOLDER
from tests.support.redness import write_model, write_profile
from tests.support.server import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

PHOTO = FOLDER / "swallowtail_seaperch.jpg"
"""320 by 214 pixels: two chunks side by side."""


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with open_folder() as folder:
        second = write_profile(folder / "models") / "coral_secondary"
        second.mkdir()
        manifest = write_model(second, (16, 16))
        manifest.write_text(manifest.read_text().replace('role = "coral"', 'role = "coral_secondary"'))
        with (
            running_server(folder / "data", MENAGERIE_PROFILE=str(second.parent)) as server,
            httpx.Client(base_url=server.api("coral"), timeout=30) as client,
        ):
            yield client


def test_a_result_tells_of_both_models(client: httpx.Client) -> None:
    job = client.post("/V1/api/classify", files={"image": ("reef.jpg", PHOTO.read_bytes())}).json()["job_id"]
    client.get(f"/V1/api/status/{job}/events")  # which end when the job does
    status = client.get(f"/V1/api/status/{job}").json()
    assert status["status"] == "completed"
    summary = status["summary"]
    assert summary.items() >= {"primary_model": "redness-1.0", "secondary_model": "redness-1.0"}.items()
    assert summary["model_version"] == "redness-1.0+redness-1.0"
    labels = [chunk["predicted_label"] for chunk in status["chunks"]]
    assert summary["unsure_chunks"] == labels.count("Unsure")
    assert summary["unsure_chunks"] + summary["bleached_chunks"] + summary["healthy_chunks"] == 2
    for chunk in status["chunks"]:
        added = chunk["primary_probability"] + chunk["secondary_bonus"]
        assert chunk["probability"] == pytest.approx(added)
        assert chunk["decision_reason"]
