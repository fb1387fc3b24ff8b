"""The Makefile says what is wrong with a machine's Python, and leaves nothing half made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parent.parent / "Makefile"

OLD = f"""#!/bin/sh
exec {sys.executable} -c 'import sys
sys.version_info, sys.version = (3, 9, 2, "final", 0), "3.9.2 (main)"
exec(sys.argv[1])' "$2"
"""

WITHOUT_VENV = f"""#!/bin/sh
[ "$2" = venv ] || exec {sys.executable} "$@"
mkdir -p .venv/bin && ln -s {sys.executable} .venv/bin/python && exit 1
"""
"""Debian's, without python3-venv: an environment without pip is left behind."""

WHOLE = f"""#!/bin/sh
[ "$2" = venv ] || exec {sys.executable} "$@"
[ "$3" = --clear ] && rm -rf .venv
mkdir -p .venv/bin && cp installer .venv/bin/python
"""
INSTALLER = """#!/bin/sh
echo "$@" >> installed
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "Makefile").write_text(MAKEFILE.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "pyproject.toml").touch()
    script(tmp_path / "installer", INSTALLER)
    return tmp_path


def script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def make(clone: Path, python: str) -> subprocess.CompletedProcess[str]:
    script(clone / "python", python)
    command = ["make", ".venv/server.stamp", f"PYTHON={clone / 'python'}"]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)


def test_a_python_that_is_too_old(clone: Path) -> None:
    result = make(clone, OLD)
    assert result.returncode != 0
    assert "Menagerie needs Python 3.11 or later, and this is 3.9.2." in result.stderr
    assert "Name a newer one: make .venv/server.stamp PYTHON=python3.12" in result.stderr
    assert not (clone / ".venv").exists()


def test_a_python_without_venv(clone: Path) -> None:
    result = make(clone, WITHOUT_VENV)
    assert result.returncode != 0
    assert "On Debian and Ubuntu: apt install python3-venv" in result.stderr
    assert not (clone / ".venv").exists()


def test_an_environment_that_is_half_made_is_made_again(clone: Path) -> None:
    script(clone / "without_pip", "#!/bin/sh\nexit 1\n")
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(clone / "without_pip")

    result = make(clone, WHOLE)
    assert result.returncode == 0, result.stderr
    assert "about 550 MB" in result.stdout
    assert "-m pip install" in (clone / "installed").read_text()
    assert (clone / ".venv" / "server.stamp").exists()
