"""The example clients: the protos, generated, compiled and used in TypeScript and in C++."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.support.missing import miss
from tests.support.photos import FOLDER, PHOTOS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.server import RunningServer

pytestmark = pytest.mark.timeout(300)  # compilers take their time on a busy machine

EXAMPLES = Path(__file__).parent.parent.parent / "clients" / "examples"
HERE = str(Path(sys.executable).parent)
TOOLS = {
    **os.environ,
    "PATH": os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if one != HERE),
}
"""The environment of a user's build: without the tools of this project's own, such as buf."""


@dataclass(frozen=True)
class Example:
    """A client: what makes its compiler ready, what builds it, and what runs it."""

    folder: Path
    needs: Sequence[Sequence[str]]
    """Commands that fail only where something is not installed, or cannot be."""
    builds: Sequence[Sequence[str]]
    program: Sequence[str]
    scheme: str = ""
    """What stands before the server's host and port."""

    def build(self) -> None:
        """Compile the program, or skip the test where this machine has no compiler for it."""
        for command in self.needs:
            if shutil.which(command[0], path=TOOLS["PATH"]) is None:
                miss(f"{command[0]} is not installed")
            if (result := self._tool(command)).returncode:
                miss(f"{' '.join(command)!r} fails: {result.stdout}")
        for command in self.builds:
            result = self._tool(command)
            assert result.returncode == 0, result.stdout

    def run(self, server: RunningServer, photo: Path) -> subprocess.CompletedProcess[str]:
        """Run the program against the front door."""
        address = f"{self.scheme}127.0.0.1:{server.front_door_port}"
        command = [*self.program, address, str(photo)]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )

    def _tool(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=TOOLS, stdout=-1, stderr=subprocess.STDOUT, text=True, check=False
        )


TYPESCRIPT = Example(
    folder=EXAMPLES / "typescript",
    needs=[
        ["node", "--eval", "process.exit(Number(process.versions.node.split('.')[0] < 20))"],
        ["npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=1"],
    ],
    builds=[["npm", "run", "generate"], ["npm", "run", "build"]],
    program=["node", "build/identify.js"],
    scheme="http://",
)
CPP = Example(
    folder=EXAMPLES / "cpp",
    needs=[
        ["make", "--version"],
        ["g++", "--version"],
        ["protoc", "--version"],
        ["which", "grpc_cpp_plugin"],
        ["pkg-config", "--exists", "--print-errors", "grpc++", "protobuf"],
    ],
    builds=[["make", "-j2"]],
    program=["build/identify"],
)


@pytest.fixture(scope="module", params=[TYPESCRIPT, CPP], ids=["typescript", "cpp"])
def example(request: pytest.FixtureRequest) -> Example:
    built: Example = request.param
    built.build()
    return built


def test_a_client_is_told_what_rest_is_told(example: Example, server: RunningServer) -> None:
    photo = PHOTOS.an_animal()
    files = {"file": (photo.name, photo.content, "image/jpeg")}
    over_rest = httpx.post(f"{server.species}/uploadfile/", files=files, timeout=30).json()
    name = over_rest["speciesnet"]["prediction_display_name"]
    result = example.run(server, FOLDER / photo.name)
    assert (result.returncode, result.stderr) == (0, "")
    one, *rows = (line for line in result.stdout.splitlines() if not line.startswith("WatchStatus"))
    assert one == f"UploadFile: {name}"
    assert sorted(rows) == [f"PredictStream: first: {name}", f"PredictStream: second: {name}"]


def test_an_error_reaches_a_client(example: Example, server: RunningServer) -> None:
    result = example.run(server, Path(__file__))
    assert result.returncode == 1
    assert "Invalid image file signature." in result.stderr


@pytest.mark.parametrize("example", [TYPESCRIPT], ids=["typescript"], indirect=True)
def test_a_stream_ends_in_its_error_over_grpc_web(example: Example, server: RunningServer) -> None:
    served = httpx.get(f"{server.front_door}/readyz").json()["apis"]
    result = example.run(server, FOLDER / PHOTOS.an_animal().name)
    code = "NotFound" if "coral" in served else "Unimplemented"
    assert result.stdout.splitlines()[-1] == f"WatchStatus: {code}"
