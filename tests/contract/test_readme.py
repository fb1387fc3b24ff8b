"""The README's commands and code, run as they stand, give what the README shows."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.server import RunningServer

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

FIGURE = re.compile(r"0\.\d+")
"""The last digits of a score depend on the processor's instructions for int8."""


def blocks() -> list[tuple[str, str]]:
    """Return the README's blocks: their languages and their texts."""
    return BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def shown_after(start: str) -> tuple[str, str]:
    """Return the block that starts so, and the one after it."""
    texts = [text for _, text in blocks()]
    place = next(place for place, text in enumerate(texts) if text.startswith(start))
    return texts[place], texts[place + 1]


def here(text: str, server: RunningServer) -> str:
    """Put the ports of the server at hand in place of the default ones."""
    text = text.replace("localhost:8080", f"localhost:{server.front_door_port}")
    text = text.replace("localhost:8004", f"localhost:{server.ports['muzzle']}")
    return text.replace("localhost:7860", f"localhost:{server.ports['species']}")


def rounded(value: object) -> object:
    """Round every figure, however deep."""
    return json.loads(json.dumps(value), parse_float=lambda figure: round(float(figure), 1))


def test_the_curl_line_gives_what_is_shown(server: RunningServer) -> None:
    command, shown = shown_after("curl -X POST")
    result = subprocess.run(shlex.split(here(command, server)), capture_output=True, check=True, cwd=ROOT)
    assert rounded(json.loads(result.stdout)) == rounded(json.loads(shown))


def test_the_python_code_prints_what_is_shown(server: RunningServer) -> None:
    code, shown = shown_after("import grpc")
    program = [sys.executable, "-c", here(code, server)]
    result = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT)
    assert FIGURE.sub("", result.stdout) == FIGURE.sub("", shown)


@pytest.mark.parametrize("start", ["curl http://localhost:8004/predict/file", "b64()"])
def test_a_muzzle_is_verified_and_identified_as_shown(server: RunningServer, start: str) -> None:
    commands, shown = shown_after(start)
    quiet = here(commands, server).replace("curl ", "curl --silent --fail ")
    result = subprocess.run(["bash", "-ec", quiet], capture_output=True, text=True, check=True, cwd=ROOT)
    answer = json.loads(result.stdout[result.stdout.rindex('{"decision"') :])
    beginning = json.loads(shown.replace(",\n  …", ""))
    assert without_figures(answer["decision"]) == without_figures(beginning["decision"])


def without_figures(decision: dict[str, object]) -> dict[str, object]:
    """Leave out what retrained models change."""
    return {name: value for name, value in decision.items() if not isinstance(value, float)}


@pytest.mark.parametrize(
    "target", re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
)
def test_every_link_into_the_repository_leads_somewhere(target: str) -> None:
    if not target.startswith("http"):
        assert (ROOT / target).exists()


def test_every_make_target_that_is_named_exists() -> None:
    named = {
        target
        for page in ("README.md", "CONTRIBUTING.md")
        for target in re.findall(r"`?make ([a-z-]+)", (ROOT / page).read_text(encoding="utf-8"))
    }
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"serve", "test"} <= named <= targets
