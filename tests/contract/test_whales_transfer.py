"""A catalogue from a folder to a server and back, by the command line, also where it is broken off."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.support.folders import open_folder
from tests.support.photos import FOLDER
from tests.support.server import free_ports, running_server

from menagerie_inference.domains.whales.catalogue_folder import read_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.server import RunningServer

WHALE = (FOLDER / "cetaceans" / "narwhals.jpg").read_bytes()
SUMMARY = "individuals: {}, of them new: {}; photographs: {}, of them new: {}; failed: {}\n"
KEY = "a-key-of-the-whales"


@pytest.fixture(scope="module")
def empty_server() -> Iterator[RunningServer]:
    """A server of this module's own: an export takes all that is there."""
    with open_folder() as folder, running_server(folder / "data", MENAGERIE_WHALES_API_KEYS=KEY) as server:
        yield server


@pytest.fixture
def client(empty_server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=empty_server.api("whales"), timeout=30, headers={"X-API-Key": KEY}) as client:
        yield client
        for one in individuals(client):
            client.delete(f"/v1/individuals/{one['individual_id']}")


def individuals(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/individuals", params={"page_size": 1000}).json()[
        "individuals"
    ]
    return found


def command(
    server: RunningServer, verb: str, folder: Path, key: str = KEY
) -> tuple[list[str], dict[str, str]]:
    arguments = [sys.executable, "-P", "-m", "menagerie_server.cli", "whales", verb, str(folder)]
    variables = {"MENAGERIE_GRPC_PORT": str(server.grpc_port), "MENAGERIE_WHALES_API_KEYS": key}
    return arguments, os.environ | variables


def run(server: RunningServer, verb: str, folder: Path, key: str = KEY) -> tuple[int, str, list[str]]:
    arguments, environment = command(server, verb, folder, key)
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=50)
    return done.returncode, done.stdout, done.stderr.splitlines()


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_exported_is_what_was_imported_and_comes_in_again(
    empty_server: RunningServer, client: httpx.Client, tmp_path: Path
) -> None:
    source, first, second = tmp_path / "catalogue", tmp_path / "first", tmp_path / "second"
    put(
        source,
        {
            "individuals.csv": "folder,name,species,sex\nfw2,Зоя,narwhal,f\nfw1,,narwhal,\n".encode(),
            "fw2/a.jpg": WHALE,
            "fw2/b.png": picture(1),
            "fw1/a.png": picture(2),
            "Old Tom/a.png": picture(3),
        },
    )
    assert run(empty_server, "import", source) == (0, SUMMARY.format(3, 3, 4, 4, 0), [])
    named = client.post("/v1/predict-single", files={"file": ("a.jpg", WHALE, "image/jpeg")}).json()
    assert named["class_animal"] == individuals(client)[0]["individual_id"]

    assert run(empty_server, "export", first) == (0, SUMMARY.format(3, 0, 4, 4, 0), [])
    exported = read_catalogue(first)
    assert [(one.name, one.species) for one in exported] == [
        ("Зоя", "narwhal"),
        ("fw1", "narwhal"),
        ("Old Tom", ""),
    ]
    assert [[path.read_bytes() for path in one.photographs] for one in exported] == [
        [WHALE, picture(1)],
        [picture(2)],
        [picture(3)],
    ]

    for one in individuals(client):
        client.delete(f"/v1/individuals/{one['individual_id']}")
    assert run(empty_server, "import", first) == (0, SUMMARY.format(3, 3, 4, 4, 0), [])
    assert run(empty_server, "export", second)[0] == 0
    assert contents(second) == contents(first)


def test_a_second_run_changes_nothing(
    empty_server: RunningServer, client: httpx.Client, tmp_path: Path
) -> None:
    source, target = tmp_path / "catalogue", tmp_path / "export"
    put(source, {"Zoe/1.png": picture(1), "Zoe/1 copy.png": picture(1), "Ann/1.png": picture(2)})
    assert run(empty_server, "import", source) == (0, SUMMARY.format(2, 2, 3, 2, 0), [])
    assert run(empty_server, "import", source) == (0, SUMMARY.format(2, 0, 3, 0, 0), [])
    assert [one["photo_count"] for one in individuals(client)] == [1, 1]
    run(empty_server, "export", target)
    before = contents(target)
    put(source, {"Ann/2.png": picture(3)})
    assert run(empty_server, "import", source) == (0, SUMMARY.format(2, 0, 4, 1, 0), [])
    assert run(empty_server, "export", target) == (0, SUMMARY.format(2, 0, 3, 1, 0), [])
    after = contents(target)
    assert len(after) == len(before) + 1
    assert before.items() <= after.items()


def test_what_cannot_be_used_is_named_and_the_others_go_in(
    empty_server: RunningServer, client: httpx.Client, tmp_path: Path
) -> None:
    put(
        tmp_path / "catalogue",
        {
            "Zoe/1.png": picture(1),
            "Zoe/2.jpg": b"no image",
            "Zoe/3.jpg": b"",
            "Zoe/4.jpg": WHALE[: len(WHALE) // 4],
            "Zoe/5.jpg": WHALE + bytes(25 * 1024**2),
            "Ann/1.jpg": b"no image",
            "notes/notes.txt": b"x",
        },
    )
    status, out, failures = run(empty_server, "import", tmp_path / "catalogue")
    assert (status, out) == (1, SUMMARY.format(3, 3, 6, 1, 7))
    assert sorted(failures) == [
        "Ann/1.jpg: Не удалось распознать изображение.",
        "Ann: no photograph that can be used: nothing is recognised as it",
        "Zoe/2.jpg: Не удалось распознать изображение.",
        "Zoe/3.jpg: Пустой файл.",
        "Zoe/4.jpg: Не удалось распознать изображение.",
        "Zoe/5.jpg: larger than 25 MB",
        "notes: no photograph that can be used: nothing is recognised as it",
    ]
    assert [one["photo_count"] for one in individuals(client) if one["name"] == "Zoe"] == [1]


def test_an_id_that_another_individual_has(
    empty_server: RunningServer, client: httpx.Client, tmp_path: Path
) -> None:
    made = client.post("/v1/individuals", json={"name": "Ada", "species": "narwhal"}).json()["individual_id"]
    put(
        tmp_path,
        {
            "individuals.csv": f"individual_id,name,species\n{made},Zoe,narwhal\n".encode(),
            f"{made}/1.png": picture(1),
        },
    )
    status, _, failures = run(empty_server, "import", tmp_path)
    assert status == 1
    assert failures == [f"{made}: the server's {made} is called 'Ada', of the species 'narwhal'; it stays so"]
    assert client.get(f"/v1/individuals/{made}").json()["photo_count"] == 0


def test_a_list_that_cannot_be_read_adds_nothing(
    empty_server: RunningServer, client: httpx.Client, tmp_path: Path
) -> None:
    put(tmp_path, {"individuals.csv": b"folder\nZoe\nZoe\n", "Zoe/1.png": picture(1)})
    status, out, failures = run(empty_server, "import", tmp_path)
    assert (status, out, failures) == (1, "", [f"{tmp_path}/individuals.csv, line 3: Zoe is there twice"])
    assert individuals(client) == []


def test_an_import_that_was_killed_goes_on_where_it_was(
    empty_server: RunningServer, client: httpx.Client, tmp_path: Path
) -> None:
    put(
        tmp_path / "catalogue",
        {f"{number % 6}/{number}.png": picture(number) for number in range(60)},
    )
    arguments, environment = command(empty_server, "import", tmp_path / "catalogue")
    with subprocess.Popen(arguments, env=environment) as process:
        end = time.monotonic() + 30
        while not any(one["photo_count"] for one in individuals(client)):
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert sum(one["photo_count"] for one in individuals(client)) < 60
    assert run(empty_server, "import", tmp_path / "catalogue")[0] == 0
    assert [one["photo_count"] for one in individuals(client)] == [10] * 6


def test_nothing_of_somebody_elses_is_overwritten(
    empty_server: RunningServer, client: httpx.Client, tmp_path: Path
) -> None:
    put(tmp_path, {"mine.txt": b"x"})
    client.post("/v1/individuals", json={"name": "Ada"})
    status, _, failures = run(empty_server, "export", tmp_path)
    assert (status, failures) == (1, [f"{tmp_path} holds something else than an export"])
    assert contents(tmp_path) == {"mine.txt": b"x"}


def test_another_key(empty_server: RunningServer, tmp_path: Path) -> None:
    status, out, failures = run(empty_server, "export", tmp_path / "new", key="wrong")
    assert (status, out) == (1, "")
    assert failures == ["The server does not go on: API Key invalid or missing (UNAUTHENTICATED)"]


def test_no_server(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    arguments = [sys.executable, "-P", "-m", "menagerie_server.cli", "whales", "export", str(tmp_path)]
    address = f"127.0.0.1:{port}"
    done = subprocess.run([*arguments, "--server", address], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"No server answers at {address}.\n")
