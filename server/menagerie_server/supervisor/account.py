"""The system user that PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from menagerie_server.supervisor.errors import AccountError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAME = "menagerie"


class Credentials(TypedDict, total=False):
    """The arguments that make `subprocess` and `asyncio` start a child as another user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A user that child processes run as."""

    name: str
    user_id: int
    group_id: int

    @property
    def credentials(self) -> Credentials:
        """What starts a child as this user; nothing to change where we are this user."""
        if self.user_id == os.geteuid():
            return {}
        return {"user": self.user_id, "group": self.group_id, "extra_groups": []}

    def can_run(self, command: Sequence[str]) -> bool:
        """Whether this user can start the command, and it succeeds."""
        try:
            result = subprocess.run(  # noqa: S603 (a command of ours)
                command, check=False, capture_output=True, cwd="/", **self.credentials
            )
        except OSError:
            return False
        return result.returncode == 0

    def require_entry(self, folder: Path) -> None:
        """Raise AccountError where this user may not enter the folder."""
        if not self.can_run(["test", "-x", str(folder)]):
            raise AccountError(
                f"PostgreSQL runs as the user {self.name}, who cannot enter {folder}. Let others pass "
                "through each folder above it (chmod o+x), or choose another one with MENAGERIE_DATA_DIR."
            )


def current() -> Account:
    """Return the user that this process runs as."""
    return Account(_name(os.geteuid()), os.geteuid(), os.getegid())


def dedicated() -> Account:
    """Return who runs PostgreSQL: ourselves, or where we are root a system user, made if missing.

    Raises:
        AccountError: the system user is missing and cannot be made.
    """
    if os.geteuid() != 0:
        return current()
    return _find() or _create()


def owner(folder: Path) -> Account:
    """Return the user that PostgreSQL runs as on this folder: who made it, or will.

    Where we are root that is its owner, and not by name: another machine may number its users differently.

    Raises:
        AccountError: see `dedicated`.
    """
    if os.geteuid() != 0 or not folder.exists():
        return dedicated()
    status = folder.stat()
    if status.st_uid == 0:
        return dedicated()
    return Account(_name(status.st_uid), status.st_uid, status.st_gid)


def _name(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def _find() -> Account | None:
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    return Account(NAME, entry.pw_uid, entry.pw_gid)


def _create() -> Account:
    useradd = shutil.which("useradd", path=os.defpath + ":/usr/sbin:/sbin")
    if useradd is None:
        raise AccountError(
            f"PostgreSQL does not run as root, and useradd is not installed: make a system user named "
            f"{NAME}, start as another user than root, or set MENAGERIE_DATABASE_URL."
        )
    flags = ["--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", "/bin/false"]
    result = subprocess.run(  # noqa: S603 (a command of ours)
        [useradd, *flags, NAME], check=False, capture_output=True, text=True
    )
    # Another server may have made the same user meanwhile: what counts is that it is there.
    account = _find()
    if account is None:
        raise AccountError(f"The system user {NAME} could not be made: {result.stderr.strip()}")
    return account
