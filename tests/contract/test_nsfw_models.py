"""An ensemble of which a model fails: to load, or to run."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.contract.cases.case import data_lines
from tests.contract.cases.nsfw import PERSON
from tests.support import images
from tests.support.folders import open_folder
from tests.support.moderation_models import clip_tower, colour_model, failing_model
from tests.support.server import running_server

from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL import Image
    from tests.support.server import RunningServer

# With another API's: a server of which nothing answers would never be ready.
EMBEDDED_ROLES = ("nsfw-opennsfw", "nsfw-nsfwjs", "nsfw-gender", "faces", "whales")
INITIALIZATION_FAILED = {"detail": "Error processing image: Model initialization failed"}
SENTENCES = ("male_only: a man", "female_present: a woman", "adult_object: a toy")


@contextmanager
def embedded_without(role: str) -> Iterator[RunningServer]:
    """Run a server of the embedded models, one of whose files is not what its manifest says."""
    packaged = Registry.for_profile(EMBEDDED)
    with open_folder() as folder:
        for one in EMBEDDED_ROLES:
            shutil.copytree(packaged.manifest_for(one).files[0].path.parent, folder / "models" / one)
        (broken,) = (folder / "models" / role).glob("*.onnx")
        broken.write_bytes(b"no model")
        with running_server(folder / "data", MENAGERIE_PROFILE=str(folder / "models")) as server:
            yield server


@contextmanager
def drawn(write: Any) -> Iterator[RunningServer]:  # noqa: ANN401 - a function of the profile's folder
    """Run a server of models that the test draws."""
    with open_folder() as folder:
        (folder / "models").mkdir()
        write(folder / "models")
        with running_server(folder / "data", MENAGERIE_PROFILE=str(folder / "models")) as server:
            yield server


def judge(server: RunningServer, content: bytes) -> httpx.Response:
    files = {"file": ("a.png", content, "image/png")}
    return httpx.post(f"{server.api('nsfw')}/predict/single", files=files, timeout=30)


def get(server: RunningServer, path: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.api('nsfw')}{path}").json()
    return found


def filled(colour: tuple[int, int, int]) -> bytes:
    image: Image.Image = images.drawing().copy()
    image.paste(colour, (0, 0, *image.size))
    return images.encode(image, "PNG")


def test_the_models_that_are_left_take_over() -> None:
    with embedded_without("nsfw-nsfwjs") as server:
        health = get(server, "/health")
        assert health["status"] == "degraded"
        assert health["models"]["status"] == {"triple_ensemble": False, "openclip_fallback": True}
        assert health["models"]["total_enabled"] == 1
        assert health["models"]["details"]["triple_ensemble"]["loaded"] is False
        assert health["models"]["details"]["openclip_fallback"]["loaded"] is True
        info = get(server, "/")
        assert (info["status"], info["models_available"]) == ("operational", ["openclip_fallback"])
        assert get(server, "/config")["triple_model_ensemble"]["enabled"] is False
        answer = judge(server, PERSON.content).json()
        assert list(answer["results"]) == ["openclip_fallback"]
        assert answer["models_used"] == ["opennsfw", "hse-faceres-gender"]
        assert answer["ensemble_category"] == "female_present"
        assert get(server, "/stats")["models_usage"] == {"triple_ensemble": 0, "openclip_fallback": 1}


def test_nothing_is_called_safe_when_nobody_can_say() -> None:
    with embedded_without("nsfw-gender") as server:
        response = judge(server, PERSON.content)
        assert (response.status_code, response.json()) == (500, INITIALIZATION_FAILED)
        form = [("files", ("a.png", PERSON.content, "image/png"))]
        for path in ("/predict/multi", "/predict/streaming"):
            response = httpx.post(f"{server.api('nsfw')}{path}", files=form)
            assert (response.status_code, response.json()) == (500, INITIALIZATION_FAILED)
        urls = {"urls": ["https://images.invalid/a.jpg"]}
        response = httpx.post(f"{server.api('nsfw')}/predict/urls", json=urls)
        assert (response.status_code, response.json()) == (500, INITIALIZATION_FAILED)
        info, health = get(server, "/"), get(server, "/health")
        assert (info["status"], info["models_available"]) == ("unavailable", [])
        assert (health["status"], health["models"]["total_enabled"]) == ("degraded", 0)
        assert "model_info" not in health["models"]["details"]["openclip_fallback"]
        ready = httpx.get(f"{server.front_door}/readyz").json()
        assert ready["failed_models"] == ["nsfw-gender"]


def with_a_fallback(folder: Path) -> None:
    colour_model(folder, "reds", {"adult": "red"}, weight=0.5)
    failing_model(folder, "greens", "female", weight=0.5)
    clip_tower(folder, "tower", SENTENCES, weight=0, fallback=1, logit_scale=1)


def test_the_fallback_takes_over_for_an_image_on_which_a_model_fails() -> None:
    with drawn(with_a_fallback) as server:
        black, white = filled((0, 0, 0)), filled((255, 255, 255))
        assert get(server, "/health")["status"] == "healthy"
        answer = judge(server, black).json()
        assert sorted(answer["models_used"]) == ["greens", "reds"]
        assert list(answer["results"]) == ["triple_ensemble"]
        answer = judge(server, white).json()
        assert answer["models_used"] == ["tower"]
        assert list(answer["results"]) == ["openclip_fallback"]
        assert "person_detected" not in answer
        health = get(server, "/health")
        assert health["status"] == "degraded"
        assert health["models"]["details"]["openclip_fallback"]["model_info"]["model_name"] == "tower"
        assert get(server, "/config")["fallback_model"]["openclip_model_name"] == "tower"
        judge(server, black)
        assert get(server, "/health")["status"] == "healthy"
        usage = get(server, "/stats")["models_usage"]
        assert usage == {"triple_ensemble": 2, "openclip_fallback": 1}


def without_a_fallback(folder: Path) -> None:
    colour_model(folder, "reds", {"adult": "red"}, weight=0.5)
    failing_model(folder, "greens", "female", weight=0.5)


@pytest.mark.parametrize("path", ["/predict/single", "/predict/multi"])
def test_an_image_that_nobody_can_judge_is_an_error(path: str) -> None:
    field = "file" if path == "/predict/single" else "files"
    failed = {"detail": "Error processing image: The models failed"}
    with drawn(without_a_fallback) as server:
        white = {field: ("a.png", filled((255, 255, 255)), "image/png")}
        response = httpx.post(f"{server.api('nsfw')}{path}", files=white, timeout=30)
        assert (response.status_code, response.json()) == (500, failed)
        form = [("files", (f"{place}.png", filled((place, place, place)), "image/png")) for place in (0, 1)]
        lines = data_lines(httpx.post(f"{server.api('nsfw')}/predict/streaming", files=form).text)
        assert [line.get("error") for line in lines] == [None, "The models failed", None]
        assert lines[-1]["errors"] == ["Error processing 1.png: The models failed"]
