"""PostgreSQL's data on disk: made whole or not at all, and refused where it is another version's."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from menagerie_server.supervisor import child
from menagerie_server.supervisor.binaries import MAJOR_VERSION, Binaries
from menagerie_server.supervisor.child import Program
from menagerie_server.supervisor.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_server.supervisor.account import Account

SUPERUSER = "menagerie"
DATABASE = "postgres"
PASSWORD_BYTES = 32

MEBIBYTE = 1024 * 1024
NEW_MEBIBYTES = 40
"""What `initdb` writes: 39 MiB, measured with PostgreSQL 18.4."""


@dataclass(frozen=True)
class Cluster:
    """PostgreSQL's data folder and its superuser's password."""

    folder: Path

    @property
    def data(self) -> Path:
        """What PostgreSQL calls its data directory."""
        return self.folder / "data"

    @property
    def password_file(self) -> Path:
        """The superuser's password, for the owner's eyes only."""
        return self.folder / "password"

    def password(self) -> str:
        """Return the superuser's password."""
        return self.password_file.read_text(encoding="ascii")


async def open_cluster(folder: Path, binaries: Binaries, account: Account, lock: int) -> Cluster:
    """Return the cluster in this folder, made where it is missing.

    Raises:
        ClusterError: it cannot be made, or is another user's, or another major version's.
    """
    cluster = Cluster(folder)
    if folder.exists():  # noqa: ASYNC240 - nothing else runs yet
        _require_owner(cluster, account)
        _require_version(cluster, binaries)
    else:
        await _create(cluster, binaries, account, lock)
    return cluster


def _require_owner(cluster: Cluster, account: Account) -> None:
    owner = cluster.folder.stat().st_uid
    if owner != account.user_id:
        raise ClusterError(
            f"{cluster.folder} belongs to the user with id {owner}, not to {account.name}: "
            "start the server as the user who made it."
        )


def _require_version(cluster: Cluster, binaries: Binaries) -> None:
    try:
        version = (cluster.data / "PG_VERSION").read_text(encoding="ascii").strip()
    except OSError as error:
        raise ClusterError(f"{cluster.data} is not a data folder of PostgreSQL: {error.strerror}.") from error
    if version != str(MAJOR_VERSION):
        raise ClusterError(_upgrade_text(cluster, binaries, version))


def _upgrade_text(cluster: Cluster, binaries: Binaries, version: str) -> str:
    new = cluster.folder / f"data-{MAJOR_VERSION}"
    return (
        f"{cluster.data} was written by PostgreSQL {version}; this server runs PostgreSQL {MAJOR_VERSION}. "
        f"Nothing was touched. Upgrade it, as the user that owns it, in a folder that this user may write:\n"
        f"  {binaries.program('initdb')} -D {new} {' '.join(_initdb_flags(cluster.password_file))}\n"
        f"  {binaries.program('pg_upgrade')} --old-bindir=<the bin folder of PostgreSQL {version}> "
        f"--new-bindir={binaries.folder} --old-datadir={cluster.data} --new-datadir={new} "
        f"--username={SUPERUSER}\n"
        f"  mv {cluster.data} {cluster.folder / f'data-{version}'} && mv {new} {cluster.data}"
    )


async def _create(cluster: Cluster, binaries: Binaries, account: Account, lock: int) -> None:
    # Under another name until it is whole: a kill or a full disk on the way leaves nothing to start from.
    partial = Cluster(cluster.folder.with_name(f"{cluster.folder.name}.partial"))
    shutil.rmtree(partial.folder, ignore_errors=True)
    try:
        _write_password(partial, account)
        await _initdb(partial, binaries, account, lock)
        partial.folder.rename(cluster.folder)
    except OSError as error:
        raise ClusterError(f"PostgreSQL's data folder {cluster.folder} cannot be made: {error}.") from error
    finally:
        shutil.rmtree(partial.folder, ignore_errors=True)


def _write_password(cluster: Cluster, account: Account) -> None:
    cluster.folder.mkdir(mode=0o700)
    with os.fdopen(os.open(cluster.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(PASSWORD_BYTES))
        file.flush()
        os.fsync(file.fileno())
    for path in (cluster.folder, cluster.password_file):
        os.chown(path, account.user_id, account.group_id)


async def _initdb(cluster: Cluster, binaries: Binaries, account: Account, lock: int) -> None:
    flags = _initdb_flags(cluster.password_file)
    code, output = await child.run(
        Program(
            name="initdb",
            command=(binaries.program("initdb"), "-D", str(cluster.data), *flags),
            environment={},
            account=account,
            lock=lock,
        )
    )
    if code != 0:
        free = shutil.disk_usage(cluster.folder).free // MEBIBYTE
        raise ClusterError(
            f"PostgreSQL's data cannot be made in {cluster.folder.parent}; it takes about "
            f"{NEW_MEBIBYTES} MiB, and its disk has {free} MiB left.\n{output.strip()}"
        )


def _initdb_flags(password_file: Path) -> tuple[str, ...]:
    # PostgreSQL's own C.UTF-8: an upgrade of the system's C library never changes the order of an index.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    return (f"--username={SUPERUSER}", "--auth=scram-sha-256", f"--pwfile={password_file}", *locale)
