"""Images that are kept until their time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.apis.nsfw.errors import HostedImageNotFound
from menagerie_server.apis.nsfw.hosting import FOLDER, HostedImage, Hosting, prediction_file
from menagerie_server.apis.nsfw.settings import NsfwSettings
from menagerie_server.store.objects import Objects
from menagerie_server.store.pool import Database

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"as it was sent"


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects((tmp_path / "objects").as_uri())


async def expire(database: Database, image: HostedImage) -> None:
    async with database.connection() as connection:
        query = "UPDATE nsfw_images SET expires = now() WHERE image_id = %s"
        await connection.execute(query, [image.image_id])


async def content(hosting: Hosting, image_id: str) -> bytes:
    await hosting.content_type(image_id)
    return b"".join([piece async for piece in hosting.stream(image_id)])


async def names(objects: Objects) -> set[str]:
    return {name async for name in objects.list(FOLDER)}


async def test_an_image_is_there_until_its_time_is_over(database: Database, objects: Objects) -> None:
    hosting = Hosting(database, objects, NsfwSettings())
    image, other = await hosting.keep(CONTENT, "png"), await hosting.keep(CONTENT, "gif")
    assert image is not None
    assert other is not None
    assert (await hosting.content_type(image.image_id), image.hours) == ("image/png", 24)
    assert await content(hosting, image.image_id) == CONTENT
    await hosting.keep_prediction(image, prediction_file(image, "a.png"), "{}")
    assert len(await names(objects)) == 3
    await expire(database, image)
    with pytest.raises(HostedImageNotFound):
        await hosting.content_type(image.image_id)
    await hosting.remove_expired()
    assert await names(objects) == {f"{FOLDER}/images/{other.image_id}"}
    assert await content(hosting, other.image_id) == CONTENT


async def test_how_long_an_image_is_kept(database: Database, objects: Objects) -> None:
    image = await Hosting(database, objects, NsfwSettings(image_expiry_hours=3)).keep(CONTENT, "png")
    assert image is not None
    async with database.connection() as connection:
        query = "SELECT extract(epoch FROM expires - now())::float FROM nsfw_images WHERE image_id = %s"
        row = await (await connection.execute(query, [image.image_id])).fetchone()
    assert row is not None
    assert row[0] == pytest.approx(3 * 3600, abs=60)


async def test_a_row_without_its_image_is_no_image_and_is_removed(
    database: Database, objects: Objects
) -> None:
    """What a crash between the two leaves."""
    hosting = Hosting(database, objects, NsfwSettings())
    image = await hosting.keep(CONTENT, "png")
    assert image is not None
    await objects.delete(f"{FOLDER}/images/{image.image_id}")
    with pytest.raises(HostedImageNotFound):
        await content(hosting, image.image_id)
    await expire(database, image)
    await hosting.remove_expired()
    async with database.connection() as connection:
        query = "SELECT count(*) FROM nsfw_images WHERE image_id = %s"
        row = await (await connection.execute(query, [image.image_id])).fetchone()
    assert row == (0,)


async def test_more_than_there_is_room_for_is_not_kept(database: Database, objects: Objects) -> None:
    hosting = Hosting(database, objects, NsfwSettings(max_hosted_gb=1))
    first = await hosting.keep(CONTENT, "png")
    assert first is not None
    async with database.connection() as connection:
        query = "UPDATE nsfw_images SET bytes = %s WHERE image_id = %s"
        await connection.execute(query, [1024**3, first.image_id])
    other_worker = Hosting(database, objects, NsfwSettings(max_hosted_gb=1))
    assert await other_worker.keep(CONTENT, "png") is None
    await expire(database, first)
    await hosting.remove_expired()


async def test_nothing_is_kept_where_hosting_is_off(database: Database, objects: Objects) -> None:
    hosting = Hosting(database, objects, NsfwSettings(enable_image_hosting=False))
    assert await hosting.keep(CONTENT, "png") is None
    assert await names(objects) == set()


async def test_images_are_judged_though_the_database_is_away(objects: Objects) -> None:
    async with Database("postgresql://nobody@127.0.0.1:1/none", connections=1, wait_seconds=0.2) as away:
        hosting = Hosting(away, objects, NsfwSettings())
        assert [await hosting.keep(CONTENT, "png") for _ in range(3)] == [None] * 3
    assert await names(objects) == set()


@pytest.mark.parametrize("image_id", ["", "abc123def456", "../" * 10, "A" * 32, "0" * 33, "0" * 32 + "\n"])
async def test_what_is_no_id_is_not_looked_for(objects: Objects, image_id: str) -> None:
    async with Database("postgresql://nobody@127.0.0.1:1/none", connections=1, wait_seconds=0.2) as away:
        with pytest.raises(HostedImageNotFound):
            await Hosting(away, objects, NsfwSettings()).content_type(image_id)


@given(st.text(max_size=300))
def test_the_name_of_an_answer_is_one_safe_segment(image: str) -> None:
    name = prediction_file(HostedImage("0" * 32, 24), image)
    folder, _, file = name.partition("/")
    assert folder == "predictions"
    assert file.endswith(f"_{'0' * 32}_prediction.json")
    assert len(file) < 150
    assert set(file.removesuffix(".json")) <= set(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"
    )
