"""The command `menagerie`, where only the messages are installed."""

from __future__ import annotations

import subprocess
import sys

WITHOUT = """
import sys
sys.modules[{module!r}] = None
from menagerie_server.__main__ import main
main()
"""
"""Python's own way of having a module be missing."""


def test_an_installation_for_clients_says_what_the_server_needs() -> None:
    program = [sys.executable, "-P", "-c", WITHOUT.format(module="typer")]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "typer is not installed: this is an installation for clients. In a clone of",
        "Menagerie, these install the server: make serve, or pip install '.[server,onnx]'",
    ]


def test_a_module_of_ours_that_is_missing_is_no_missing_package() -> None:
    program = [sys.executable, "-P", "-c", WITHOUT.format(module="menagerie_server.logs")]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    assert "Traceback" in result.stderr


def test_the_command_line_runs() -> None:
    program = [sys.executable, "-P", "-m", "menagerie_server", "--help"]
    result = subprocess.run(program, capture_output=True, text=True, check=True)
    assert "serve" in result.stdout
