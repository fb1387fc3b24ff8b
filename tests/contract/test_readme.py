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
from tests.contract.cases.case import data_lines

if TYPE_CHECKING:
    from tests.support.server import RunningServer

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

LINK = re.compile(r"\]\(([^)]+)\)")
PAGES = sorted(path for folder in (".", "docs", "clients/examples") for path in (ROOT / folder).glob("*.md"))

FIGURE = re.compile(r"0\.\d+")
"""The last digits of a score depend on the processor's instructions for int8."""

ELISION = re.compile(r",?\s*…")
"""Stands for fields that are not shown."""


def blocks() -> list[tuple[str, str]]:
    """Return the README's blocks: their languages and their texts."""
    return BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def shown_after(start: str) -> tuple[str, str]:
    """Return the block that starts so, and the one after it."""
    texts = [text for _, text in blocks()]
    place = next(place for place, text in enumerate(texts) if text.startswith(start))
    return texts[place], texts[place + 1]


def links() -> list[tuple[Path, str]]:
    """Return each link of a page into the repository, and the page."""
    found = ((page, target) for page in PAGES for target in LINK.findall(page.read_text(encoding="utf-8")))
    return [(page, target) for page, target in found if not target.startswith("http")]


def anchors(page: Path) -> set[str]:
    """Return the names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def here(text: str, server: RunningServer) -> str:
    """Put the ports of the server at hand in place of the default ones."""
    text = text.replace("localhost:8080", f"localhost:{server.front_door_port}")
    text = text.replace("localhost:8003", f"localhost:{server.ports['nsfw']}")
    text = text.replace("localhost:8004", f"localhost:{server.ports['muzzle']}")
    return text.replace("localhost:7860", f"localhost:{server.ports['species']}")


def rounded(value: object) -> object:
    """Round every figure, however deep."""
    return json.loads(json.dumps(value), parse_float=lambda figure: round(float(figure), 1))


def test_the_curl_line_gives_what_is_shown(server: RunningServer) -> None:
    command, shown = shown_after("curl -X POST")
    result = subprocess.run(shlex.split(here(command, server)), capture_output=True, check=True, cwd=ROOT)
    assert rounded(json.loads(result.stdout)) == rounded(json.loads(shown))


def test_the_stream_gives_the_lines_that_are_shown(server: RunningServer) -> None:
    command, shown = shown_after("curl -N http://localhost:8003")
    result = subprocess.run(shlex.split(here(command, server)), capture_output=True, check=True, cwd=ROOT)
    answered = data_lines(result.stdout.decode())
    expected = data_lines(ELISION.sub("", f"{shown}\n"))
    assert rounded(shown_part(answered, expected)) == rounded(expected)


def test_the_python_code_prints_what_is_shown(server: RunningServer) -> None:
    code, shown = shown_after("import grpc")
    program = [sys.executable, "-c", here(code, server)]
    result = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT)
    assert FIGURE.sub("", result.stdout) == FIGURE.sub("", shown)


@pytest.mark.parametrize(("page", "target"), links())
def test_every_link_into_the_repository_leads_somewhere(page: Path, target: str) -> None:
    path, _, heading = target.partition("#")
    linked = page.parent / path if path else page
    assert linked.exists()
    assert not heading or heading in anchors(linked)


@pytest.mark.parametrize("start", ["curl http://localhost:8004/predict/file", "b64()"])
def test_a_muzzle_is_verified_and_identified_as_shown(server: RunningServer, start: str) -> None:
    commands, shown = shown_after(start)
    quiet = here(commands, server).replace("curl ", "curl --silent --fail ")
    result = subprocess.run(["bash", "-ec", quiet], capture_output=True, text=True, check=True, cwd=ROOT)
    answer = json.loads(result.stdout[result.stdout.rindex('{"decision"') :])
    expected = json.loads(ELISION.sub("", shown))
    assert without_figures(shown_part(answer, expected)) == without_figures(expected)


def shown_part(answer: object, shown: object) -> object:
    """Return what an answer has in place of what is shown."""
    if isinstance(answer, dict) and isinstance(shown, dict):
        return {name: shown_part(answer[name], value) for name, value in shown.items()}
    if isinstance(answer, list) and isinstance(shown, list) and shown:
        return [shown_part(*pair) for pair in zip(answer, shown, strict=True)]
    return [] if isinstance(shown, list) else answer


def without_figures(answer: object) -> str:
    """Leave out what retrained models change."""
    return FIGURE.sub("", json.dumps(answer))


def test_every_make_target_that_is_named_exists() -> None:
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"serve", "test"} <= named
    assert named <= targets
