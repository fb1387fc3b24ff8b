"""docs/deployment.md: its commands and its code, run as they stand but for the folders."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.support.folders import open_folder
from tests.support.photos import FOLDER, PHOTOS
from tests.support.server import RunningServer, running_server

from menagerie_server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text(encoding="utf-8")
DATA = "/var/lib/menagerie"
REQUESTS = 3
WINDOW_SECONDS = 4


def line(start: str) -> str:
    """Return the one command that starts so."""
    [found] = re.findall(rf"^ *({re.escape(start)}.*)$", GUIDE, re.MULTILINE)
    return str(found)


def run(command: str, folder: Path) -> None:
    subprocess.run(["bash", "-ec", command], cwd=folder, check=True)


def code() -> dict[str, Any]:
    """Run the guide's Python code, and return its names."""
    [text] = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(text, "deployment.md", "exec"), names)  # noqa: S102 - a page of ours
    return names


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def key(folder: Path) -> str:
    """Make a key as the guide does."""
    run(line("python3 -c 'import secrets").replace("/etc/menagerie", str(folder)), folder)
    return (folder / "species-keys").read_text(encoding="ascii").strip()


@pytest.fixture(scope="module")
def server(folder: Path, key: str) -> Iterator[RunningServer]:
    assert len(key) > 40
    [variable] = re.findall(r"^ *echo (MENAGERIE_\w+)=/etc/menagerie/species-keys", GUIDE, re.MULTILINE)
    limits = {
        "MENAGERIE_SPECIES_RATE_LIMIT_REQUESTS": str(REQUESTS),
        "MENAGERIE_SPECIES_RATE_LIMIT_WINDOW_SECONDS": str(WINDOW_SECONDS),
        variable: str(folder / "species-keys"),
    }
    with running_server(folder / "data", workers=1, **limits) as server:
        yield server


def test_only_callers_with_a_key_are_served(server: RunningServer, key: str) -> None:
    post = code()["post"]
    with httpx.Client(base_url=server.species, timeout=30) as client:
        assert post(client, "/uploadfile/", PHOTOS.an_animal().content).status_code == 401
        client.headers["X-API-Key"] = key
        assert post(client, "/uploadfile/", PHOTOS.an_animal().content).status_code == 200


def test_a_client_that_waits_as_it_is_told_is_served_after_the_rate_limit(
    server: RunningServer, key: str
) -> None:
    post, content = code()["post"], PHOTOS.an_animal().content
    with httpx.Client(base_url=server.species, timeout=30, headers={"X-API-Key": key}) as client:
        begun = time.monotonic()
        statuses = [post(client, "/uploadfile/", content).status_code for _ in range(REQUESTS + 1)]
    assert statuses == [200] * (REQUESTS + 1)
    assert time.monotonic() - begun < 2 * WINDOW_SECONDS


def test_metrics_need_no_key_and_are_at_the_front_door_alone(server: RunningServer) -> None:
    assert httpx.get(f"{server.front_door}/metrics").status_code == 200
    assert httpx.get(f"{server.api('coral')}/metrics").status_code == 404


@pytest.mark.timeout(180)  # it starts two servers
def test_what_a_backup_holds_is_there_when_it_is_restored(tmp_path: Path) -> None:
    with open_folder() as folder:
        data, restored = folder / "data", folder / "restored"
        with (
            running_server(data) as server,
            httpx.Client(base_url=server.api("whales"), timeout=30) as client,
        ):
            made = client.post("/v1/individuals", json={"name": "Luna"}).json()["individual_id"]
            whale = (FOLDER / "cetaceans" / "narwhals.jpg").read_bytes()
            files = {"files": ("a.jpg", whale, "image/jpeg")}
            assert client.post(f"/v1/individuals/{made}/photos", files=files).status_code == 200
        run(line("tar --create").replace(DATA, str(data)), tmp_path)
        restored.mkdir(mode=0o711)
        run(line("tar --extract").replace(DATA, str(restored)), tmp_path)
        with running_server(restored) as server:
            found = httpx.get(f"{server.api('whales')}/v1/individuals/{made}").json()
        assert (found["name"], found["photo_count"]) == ("Luna", 1)
        assert {path.relative_to(data) for path in (data / "objects").rglob("*")} == {
            path.relative_to(restored) for path in (restored / "objects").rglob("*")
        }


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"\b((?:deploy|clients|tests)/[\w/.]+)", GUIDE)
    assert "deploy/menagerie.service" in named
    assert all((Path(__file__).parents[2] / name).exists() for name in named)


def test_every_variable_that_is_named_is_a_setting() -> None:
    fields = Settings.model_fields
    apis = {name for name, field in fields.items() if hasattr(field.default, "port")}
    for name in re.findall(r"MENAGERIE_([A-Z_<>]+)", GUIDE):
        api, _, field = name.lower().partition("_")
        if api in apis | {"<api>"}:
            assert field in type(fields["species"].default).model_fields
        else:
            assert name.lower() in fields
