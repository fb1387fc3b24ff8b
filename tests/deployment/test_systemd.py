"""The systemd unit, checked by systemd itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.support.missing import miss

from menagerie_server.settings import Settings

UNIT = Path(__file__).parents[2] / "deploy" / "menagerie.service"
PROGRAM = "/opt/menagerie/bin/menagerie"


def verified(text: str, folder: Path) -> tuple[int, str]:
    """Return what `systemd-analyze verify` says of a unit, whose program exists on this machine."""
    if shutil.which("systemd-analyze") is None:
        miss("systemd-analyze is not installed")
    path = folder / UNIT.name
    path.write_text(text.replace(PROGRAM, "/bin/true"), encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    assert verified(UNIT.read_text(encoding="utf-8"), tmp_path) == (0, "")


def test_systemd_finds_a_misspelt_line(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8").replace("KillMode=", "KillMod=")
    assert "'KillMod'" in verified(text, tmp_path)[1]


def test_the_unit_runs_the_program_that_the_guide_installs() -> None:
    guide = (UNIT.parents[1] / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert f"ExecStart={PROGRAM} serve" in UNIT.read_text(encoding="utf-8")
    assert "-m venv /opt/menagerie" in guide


def test_a_stop_has_the_time_that_a_drain_takes() -> None:
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert int(seconds) > 2 * Settings.model_fields["drain_seconds"].default
