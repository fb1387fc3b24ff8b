"""Starts that fail say why, and leave nothing running; starts that were broken off can be repeated."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.database import running_database
from tests.support.disk import small_disk
from tests.support.processes import children, command_line, descendants, living, wait_until
from tests.support.server_process import ServerProcess, ending

from menagerie_server.supervisor.account import dedicated

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server(folder: Path) -> Iterator[ServerProcess]:
    with ending(ServerProcess(folder / "data")) as server:
        yield server


def refusal(server: ServerProcess) -> str:
    """Return what a server says that does not start, once everything has ended."""
    server.launch()
    seen: set[int] = set()
    wait_until(lambda: _ended(server, seen), "the end of the start")
    assert living(seen) == set()
    assert server.wait() == 1
    assert "Traceback" not in server.output()
    return server.output()


def _ended(server: ServerProcess, seen: set[int]) -> bool:
    seen |= descendants(server.pid)
    return server.process is not None and server.process.poll() is not None


def test_a_port_that_is_taken_is_named(server: ServerProcess) -> None:
    with socket.create_server(("127.0.0.1", server.species_port)):
        assert (
            f"The species API (MENAGERIE_SPECIES_PORT) cannot listen on 127.0.0.1, port {server.species_port}"
            in (refusal(server))
        )
    assert not (server.folder / "postgres").exists()


def test_a_folder_of_someone_else_is_not_touched(server: ServerProcess) -> None:
    server.folder.mkdir()
    (server.folder / "thesis.tex").write_text("chapter 1")

    assert "is not a data folder of Menagerie" in refusal(server)
    assert [entry.name for entry in server.folder.iterdir()] == ["thesis.tex"]


def test_another_versions_data_is_refused_with_the_way_to_upgrade_it(server: ServerProcess) -> None:
    data = server.folder / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    (server.folder / "menagerie.lock").touch()
    os.chown(data.parent, dedicated().user_id, dedicated().group_id)

    said = refusal(server)
    assert "was written by PostgreSQL 17; this server runs PostgreSQL 18" in said
    assert re.search(rf"/pg_upgrade --old-bindir=.* --old-datadir={data} --new-datadir=", said)
    assert [entry.name for entry in data.iterdir()] == ["PG_VERSION"]


def last_lines(server: ServerProcess) -> list[str]:
    """Return the paragraph with which a failed start ends."""
    lines = refusal(server).splitlines()
    first = max(place for place, line in enumerate(lines) if not line.startswith(" "))
    return lines[first:]


ENDED = "worker 0 ended with exit code 1 before the server was ready."


def test_a_profile_that_is_missing_is_the_last_word(server: ServerProcess) -> None:
    server.environment = {"MENAGERIE_PROFILE": "/nonexistent"}

    assert last_lines(server) == [ENDED, "  the profile '/nonexistent' is neither 'embedded' nor a folder"]


def test_a_profile_without_models_is_the_last_word(server: ServerProcess, folder: Path) -> None:
    server.environment = {"MENAGERIE_PROFILE": str(folder)}

    assert last_lines(server) == [
        ENDED,
        f"  No API can be served from the profile '{folder}'.",
        "    it has no <role>/manifest.toml for any role of an API",
    ]


def test_a_profile_whose_only_model_is_damaged_is_the_last_word(server: ServerProcess, folder: Path) -> None:
    manifest = folder / "profile" / "coral" / "manifest.toml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("role = ")
    server.environment = {"MENAGERIE_PROFILE": str(folder / "profile")}

    said = last_lines(server)
    assert said[:2] == [ENDED, f"  No API can be served from the profile '{folder / 'profile'}'."]
    assert said[2].startswith(f"    coral: {manifest}: ")


def test_a_settings_file_that_is_missing_is_named(server: ServerProcess) -> None:
    server.environment = {"MENAGERIE_SETTINGS_FILE": "/nonexistent.toml"}

    assert "MENAGERIE_SETTINGS_FILE: /nonexistent.toml: No such file or directory." in refusal(server)


def test_a_misspelt_variable_is_told_with_the_nearest_name_and_without_its_value(
    server: ServerProcess,
) -> None:
    server.environment = {"MENAGERIE_SPECIES_API_KEY": "s3cret"}

    said = refusal(server)
    assert "MENAGERIE_SPECIES_API_KEY: Extra inputs are not permitted" in said
    assert "MENAGERIE_SPECIES_API_KEY sets nothing. Did you mean MENAGERIE_SPECIES_API_KEYS?" in said
    assert "s3cret" not in said


def test_a_start_that_takes_too_long_is_given_up(server: ServerProcess) -> None:
    server.environment = {"MENAGERIE_READY_SECONDS": "0.001"}

    assert "Not ready after 0.001 seconds: PostgreSQL." in refusal(server)


def test_settings_that_make_no_sense(server: ServerProcess) -> None:
    server.environment = {"MENAGERIE_DRAIN_SECONDS": "none"}

    assert "MENAGERIE_DRAIN_SECONDS: Input should be a valid number" in refusal(server)


def test_a_start_that_is_killed_halfway_can_be_repeated(server: ServerProcess) -> None:
    server.launch()
    wait_until((server.folder / "postgres.partial" / "data" / "base").exists, "half a cluster")
    server.signal(signal.SIGKILL)
    server.wait()
    assert not (server.folder / "postgres").exists()

    server.start()
    assert server.is_ready()
    assert not (server.folder / "postgres.partial").exists()


def test_a_start_can_be_stopped(server: ServerProcess) -> None:
    server.launch()
    wait_until(lambda: server.child("postgres") != 0, "PostgreSQL")
    started = descendants(server.pid)

    assert server.stop() == 0
    assert living(started) == set()
    assert "Traceback" not in server.output()


def test_a_deep_folder(folder: Path) -> None:
    deep = folder / ("d" * 100)
    with ending(ServerProcess(deep / "data")) as server:
        deep.mkdir()
        server.start()

        assert server.is_ready()
        assert server.stop() == 0


@pytest.mark.root
def test_a_full_disk_leaves_no_half_cluster(folder: Path) -> None:
    with small_disk(folder, mebibytes=256) as disk, ending(ServerProcess(folder / "data")) as server:
        disk.fill(leave_mebibytes=20)
        assert re.search(r"it takes about 40 MiB, and its disk has (1[0-9]|20) MiB left", refusal(server))
        assert not list(server.folder.glob("postgres*"))

        disk.free()
        server.start()
        assert server.is_ready()


@pytest.mark.root
def test_a_full_disk_at_a_later_start(folder: Path) -> None:
    with small_disk(folder, mebibytes=256) as disk, ending(ServerProcess(folder / "data")) as server:
        server.start()
        assert server.stop() == 0

        disk.fill()
        assert "No space left on device" in refusal(server)

        disk.free()
        server.start()
        assert server.is_ready()


@pytest.mark.root
def test_models_answer_while_the_disk_is_full(folder: Path) -> None:
    with small_disk(folder, mebibytes=256) as disk, ending(ServerProcess(folder / "data")) as server:
        server.start()
        disk.fill()

        assert server.is_ready()
        assert server.identify() == 200


def test_an_external_database(server: ServerProcess, folder: Path) -> None:
    with running_database(folder / "database") as url:
        server.environment = {"MENAGERIE_DATABASE_URL": url}
        server.start()

        assert server.is_ready()
        assert server.child("postgres") == 0
        assert server.stop() == 0


@pytest.mark.parametrize(
    "url", ["mysql://user:s3cret@127.0.0.1:1/db", "postgresql://user:pass@s3cret@127.0.0.1:1/db"]
)
def test_a_database_url_that_cannot_be_read_is_refused_without_its_password(
    server: ServerProcess, url: str
) -> None:
    server.environment = {"MENAGERIE_DATABASE_URL": url}
    said = refusal(server)

    assert "MENAGERIE_DATABASE_URL is not a valid PostgreSQL URL" in said
    assert "s3cret" not in said


def test_models_answer_while_an_external_database_is_away(server: ServerProcess) -> None:
    server.environment = {"MENAGERIE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    server.start()

    assert "database unavailable" in server.output()
    assert server.identify() == 200
    assert server.stop() == 0


@pytest.mark.root
def test_without_root_and_then_as_root(folder: Path) -> None:
    own = folder / "own"
    own.mkdir()
    with ending(ServerProcess(own / "data", prefix=as_nobody(own))) as server:
        server.start()

        assert server.is_ready()
        assert {user(child) for child in {server.pid, *children(server.pid)}} == {own.stat().st_uid} != {0}
        assert server.stop() == 0

        server.prefix = ()
        server.start()
        assert user(server.child("postgres")) == own.stat().st_uid
        assert server.stop() == 0


def as_nobody(own: Path) -> tuple[str, ...]:
    """Give this folder to a user without any rights, and return what runs a command as that user."""
    nobody = 65534
    os.chown(own, nobody, nobody)
    # The interpreter may lie in root's own folder: it may be read, and nothing else is added.
    capability = "+dac_read_search"
    return (
        *("setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"),
        *(f"--inh-caps={capability}", f"--ambient-caps={capability}"),
    )


def user(process: int) -> int:
    assert command_line(process)
    return Path(f"/proc/{process}").stat().st_uid
