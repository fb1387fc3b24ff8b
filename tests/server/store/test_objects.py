from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.disk import small_disk

from menagerie_server.store.errors import ObjectNotFound, StoreUnavailable
from menagerie_server.store.objects import Objects, default_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

MEBIBYTE = 1024 * 1024


@pytest.fixture(params=["local", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    return Objects(default_url(tmp_path) if request.param == "local" else "memory:///")


async def names(objects: Objects, prefix: str) -> set[str]:
    return {name async for name in objects.list(prefix)}


async def chunks(count: int, *, then: Exception | None = None) -> AsyncIterator[bytes]:
    for index in range(count):
        yield bytes([index % 256]) * MEBIBYTE
    if then is not None:
        raise then


@given(data=st.binary(max_size=4096))
async def test_what_is_put_can_be_read(data: bytes) -> None:
    objects = Objects("memory:///")
    await objects.put("jobs/1/image", data)

    assert await objects.get("jobs/1/image") == data
    assert b"".join([chunk async for chunk in objects.stream("jobs/1/image")]) == data


async def test_a_stream_is_kept_in_order(objects: Objects) -> None:
    await objects.put("large", chunks(24))

    expected = b"".join([chunk async for chunk in chunks(24)])
    assert b"".join([chunk async for chunk in objects.stream("large")]) == expected


async def test_put_replaces(objects: Objects) -> None:
    await objects.put("name", b"old")
    await objects.put("name", b"new")

    assert await objects.get("name") == b"new"


async def test_a_list_may_leave_out_what_is_young(objects: Objects) -> None:
    await objects.put("whales/a", b"x")
    now = datetime.now(UTC)
    assert [name async for name in objects.list("whales", before=now - timedelta(hours=1))] == []
    assert [name async for name in objects.list("whales", before=now + timedelta(hours=1))] == ["whales/a"]


async def test_list_is_by_whole_segments(objects: Objects) -> None:
    for name in ("jobs/1/image", "jobs/1/mask", "jobs/10/image", "photos/1"):
        await objects.put(name, b"x")

    assert await names(objects, "jobs/1") == {"jobs/1/image", "jobs/1/mask"}


async def test_delete(objects: Objects) -> None:
    await objects.put("name", b"x")
    await objects.delete("name")
    await objects.delete("name")

    assert await names(objects, "") == set()


async def test_delete_of_a_folder_leaves_its_neighbours(objects: Objects) -> None:
    for name in ("jobs/1/image", "jobs/1/mask", "jobs/10/image"):
        await objects.put(name, b"x")

    await objects.delete_folder("jobs/1")
    await objects.delete_folder("jobs/1")

    assert await names(objects, "") == {"jobs/10/image"}


async def test_delete_of_a_folder_leaves_none_on_the_disk(tmp_path: Path) -> None:
    objects = Objects(default_url(tmp_path))
    await objects.put("jobs/1/image", b"x")

    await objects.delete_folder("jobs/1")

    assert list((tmp_path / "objects" / "jobs").iterdir()) == []


async def test_nothing_under_a_name(objects: Objects) -> None:
    with pytest.raises(ObjectNotFound, match="missing"):
        await objects.get("missing")
    with pytest.raises(ObjectNotFound, match="missing"):
        [chunk async for chunk in objects.stream("missing")]


async def test_a_stream_that_breaks_off_leaves_nothing(objects: Objects) -> None:
    with pytest.raises((StoreUnavailable, ConnectionResetError)):
        await objects.put("half", chunks(24, then=ConnectionResetError("the client went away")))

    assert await names(objects, "") == set()
    with pytest.raises(ObjectNotFound):
        await objects.get("half")


@pytest.fixture
def open_umask() -> Iterator[None]:
    """The most permissive umask: what is private then is private by itself."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
async def test_other_users_can_read_nothing_of_a_local_store(tmp_path: Path) -> None:
    objects = Objects(default_url(tmp_path))
    await objects.put("jobs/1/input", b"x")
    await objects.put("jobs/1/result", chunks(2))
    await objects.put("photo", b"x")

    folders = dict.fromkeys(["objects", "jobs", "1"], 0o700)
    assert modes(tmp_path) == folders | dict.fromkeys(["input", "result", "photo"], 0o600)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


@pytest.mark.usefixtures("open_umask")
async def test_other_users_cannot_read_an_upload_in_progress(tmp_path: Path) -> None:
    root = tmp_path / "objects"
    root.mkdir()
    during: list[dict[str, int]] = []

    async def photo() -> AsyncIterator[bytes]:
        for chunk in (b"re", b"ef"):
            yield chunk * MEBIBYTE
            during.append(modes(root))

    await Objects(root.as_uri()).put("jobs/1/input", photo())

    assert during
    assert all((folders["jobs"], folders["1"]) == (0o700, 0o700) for folders in during)


@pytest.mark.usefixtures("open_umask")
def test_the_mode_of_an_existing_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir(mode=0o755)

    Objects(default_url(tmp_path))

    assert stat.S_IMODE((tmp_path / "objects").stat().st_mode) == 0o755


@pytest.mark.root
async def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path, mebibytes=8) as disk:
        objects = Objects(default_url(tmp_path))
        await objects.put("kept", b"x")
        with pytest.raises(StoreUnavailable, match="No space left on device"):
            await objects.put("large", os.urandom(9 * MEBIBYTE))
        with pytest.raises(StoreUnavailable, match="No space left on device"):
            await objects.put("large", chunks(9))
        assert await names(objects, "") == {"kept"}

        disk.fill()
        with pytest.raises(StoreUnavailable, match="No space left on device"):
            await objects.put("kept", b"y" * MEBIBYTE)
        assert await objects.get("kept") == b"x"
        disk.free()
        await objects.put("large", chunks(4))
        assert await names(objects, "") == {"kept", "large"}
