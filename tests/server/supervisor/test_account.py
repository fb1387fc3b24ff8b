from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from menagerie_server.supervisor.account import current, dedicated, owner
from menagerie_server.supervisor.errors import AccountError

if TYPE_CHECKING:
    from pathlib import Path


def test_postgres_never_runs_as_root() -> None:
    account = dedicated()

    assert account.user_id != 0
    assert pwd.getpwuid(account.user_id).pw_name == account.name
    assert account == dedicated()


def test_who_made_a_folder_runs_postgres_on_it(folder: Path) -> None:
    assert owner(folder / "postgres") == dedicated()

    (folder / "postgres").mkdir()
    assert owner(folder / "postgres") == dedicated()


@pytest.mark.root
def test_whoever_else_made_a_folder_runs_postgres_on_it(folder: Path) -> None:
    (folder / "postgres").mkdir()
    os.chown(folder / "postgres", 12345, 54321)
    assert (owner(folder / "postgres").user_id, owner(folder / "postgres").group_id) == (12345, 54321)


def test_a_command_runs_as_the_account() -> None:
    account = dedicated()

    assert account.can_run(["sh", "-c", f"test $(id -u) = {account.user_id}"])
    assert not account.can_run(["false"])
    assert not account.can_run(["/nonexistent"])


def test_nothing_changes_for_ourselves() -> None:
    assert current().credentials == {}
    assert current().can_run(["sh", "-c", f"test $(id -u) = {os.geteuid()}"])


def test_a_folder_that_the_account_cannot_enter_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000 if os.geteuid() else 0o700)

    with pytest.raises(AccountError, match=f"who cannot enter {closed}"):
        dedicated().require_entry(closed)


def test_a_folder_that_the_account_can_enter(folder: Path) -> None:
    dedicated().require_entry(folder)
