"""The Dockerfile and compose.yaml: linted, and held against what they build from and what they publish."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.folders import open_folder
from tests.support.missing import miss
from tests.support.server import running_server

from menagerie_server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import RunningServer

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")


def ports() -> set[int]:
    """Return the default ports of the front door and of each API."""
    fields = Settings.model_fields
    apis = {field.default.port for field in fields.values() if hasattr(field.default, "port")}
    return {fields["front_door_port"].default, *apis}


def copied() -> list[str]:
    """Return what the first stage copies from the build context."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()]


def test_the_dockerfile_passes_its_linter() -> None:
    found = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if found is None:
        miss("hadolint is not installed")
    result = subprocess.run([found, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.timeout(180)
def test_the_compose_file_passes_its_linter() -> None:
    if shutil.which("npx") is None:
        miss("npx is not installed")
    installed = ["npx", "--yes", "dclint@3", "--version"]
    if (result := subprocess.run(installed, capture_output=True, text=True, check=False)).returncode:
        miss(f"npx cannot install dclint: {result.stderr}")
    linter = ["npx", "--yes", "dclint@3", "--quiet", str(ROOT / "compose.yaml")]
    result = subprocess.run(linter, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_what_the_image_is_built_from_is_in_the_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert allowed == set(copied())
    assert all((ROOT / source).exists() for source in copied())


def test_the_image_has_every_package_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = [*packages, *project["project"]["license-files"], project["project"]["readme"]]
    assert {path.split("/")[0] for path in needed} <= set(copied())


def test_the_default_ports_are_published_to_this_machine_alone() -> None:
    exposed = re.findall(r"^EXPOSE (.+)$", DOCKERFILE, re.MULTILINE)
    assert {int(port) for line in exposed for port in line.split()} == ports()
    published = re.findall(r'- "(\S+):(\d+):(\d+)"', COMPOSE)
    assert {(host, int(inside)) for host, _, inside in published} == {("127.0.0.1", port) for port in ports()}
    assert all(outside == inside for _, outside, inside in published)


def test_every_variable_is_a_setting() -> None:
    named = set(re.findall(r"\bMENAGERIE_(\w+)(?==|:)", DOCKERFILE + COMPOSE))
    assert {"HOST", "DATA_DIR"} <= named
    assert {name.lower() for name in named} <= Settings.model_fields.keys()


def test_a_stop_has_the_time_that_a_drain_takes() -> None:
    [grace] = re.findall(r"stop_grace_period: (\d+)s", COMPOSE)
    assert int(grace) > 2 * Settings.model_fields["drain_seconds"].default


def test_the_user_is_not_root() -> None:
    users = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert users
    assert "0" not in users


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with open_folder() as folder, running_server(folder / "data") as server:
        yield server


def healthy(port: int) -> bool:
    """Run the image's health check against a port of this machine."""
    [written] = re.findall(r"^HEALTHCHECK .*?CMD (\[.*?\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
    python, *arguments = json.loads(written)
    assert python == "python"
    command = [sys.executable, *(argument.replace(":8080/", f":{port}/") for argument in arguments)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_the_health_check_tells_a_server_that_answers(server: RunningServer) -> None:
    assert healthy(server.front_door_port)


def test_the_health_check_tells_a_server_that_does_not() -> None:
    assert not healthy(1)
