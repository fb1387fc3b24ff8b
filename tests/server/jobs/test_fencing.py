"""Two attempts at one job: whatever comes first and last, no result is lost, doubled, or an old one's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from menagerie_server.jobs.errors import JobLost, JobNotFound
from menagerie_server.jobs.job import NewJob, new_folder
from menagerie_server.jobs.records import AttemptRecords, JobRecords
from menagerie_server.store.pool import Database

API = "coral"

writes = st.tuples(
    st.sampled_from([1, 2, 3]),
    st.one_of(
        st.just("begin"),
        st.just("complete"),
        st.just("fail"),
        st.lists(st.integers(0, 5), unique=True, max_size=3),
    ),
)


@dataclass
class Model:
    """What the database should hold."""

    newest: int = 0
    state: str = "queued"
    saved: dict[int, int] = field(default_factory=dict)

    def write(self, attempt: int, what: str | list[int]) -> bool:
        """Do what an attempt asks for, and return whether it may."""
        ended = self.state in {"completed", "error"}
        if ended or attempt < self.newest or (what != "begin" and attempt != self.newest):
            return False
        if isinstance(what, list):
            for position in what:
                self.saved.setdefault(position, attempt)
        else:
            self.newest = attempt
            self.state = {"begin": "processing", "complete": "completed", "fail": "error"}[what]
        return True


async def write(records: AttemptRecords, attempt: int, what: str | list[int]) -> bool:
    try:
        if isinstance(what, list):
            await records.save(dict.fromkeys(what, attempt), 6)
        elif what == "begin":
            await records.begin()
        elif what == "complete":
            await records.complete({})
        else:
            await records.fail("")
    except JobLost:
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(st.lists(writes, max_size=12))
def test_any_interleaving_keeps_what_the_newest_attempt_wrote(
    migrated_url: str, interleaving: list[tuple[int, str | list[int]]]
) -> None:
    async def interleave() -> None:
        async with Database(migrated_url, connections=1) as database:
            records = JobRecords(database)
            job_id = await records.add(NewJob(API, "", new_folder(), 0))
            model = Model()
            for attempt, what in interleaving:
                allowed = model.write(attempt, what)
                assert await write(AttemptRecords(database, job_id, attempt), attempt, what) == allowed
            job = await records.read(job_id, API)
            assert (job.state, job.attempt, job.completed) == (model.state, model.newest, len(model.saved))
            assert await records.results(job_id) == [model.saved[at] for at in sorted(model.saved)]

    asyncio.run(interleave())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 12), st.integers(1, 4))
def test_what_a_newer_attempt_finds_is_all_that_the_older_one_ever_saved(
    migrated_url: str, pause: int, batch: int
) -> None:
    async def race() -> None:
        async with Database(migrated_url, connections=3) as database:
            records = JobRecords(database)
            job_id = await records.add(NewJob(API, "", new_folder(), 0))
            older, newer = (AttemptRecords(database, job_id, attempt) for attempt in (1, 2))
            await older.begin()
            saving = asyncio.create_task(save_until_lost(older, batch))
            await asyncio.sleep(pause / 1000)
            found = (await newer.begin()).completed
            async with asyncio.timeout(10):
                assert await saving == found
            await newer.save(dict.fromkeys(range(found, found + 5), "newer"), found + 5)
            assert await records.results(job_id) == ["older"] * found + ["newer"] * 5
            assert (await records.read(job_id, API)).completed == found + 5

    asyncio.run(race())


async def save_until_lost(attempt: AttemptRecords, batch: int) -> int:
    """Save one batch behind the other, and return how many results were kept."""
    saved = 0
    while True:
        try:
            await attempt.save({saved + offset: "older" for offset in range(batch)}, None)
        except JobLost:
            return saved
        saved += batch


async def test_two_that_save_the_same_count_it_once(migrated_url: str) -> None:
    async with Database(migrated_url, connections=4) as database:
        records = JobRecords(database)
        job_id = await records.add(NewJob(API, "", new_folder(), 0))
        attempt = AttemptRecords(database, job_id, 1)
        await attempt.begin()

        await asyncio.gather(*(attempt.save(dict.fromkeys(range(9), 0), 9) for _ in range(8)))

        assert (await records.read(job_id, API)).completed == 9


@pytest.mark.parametrize("what", ["begin", "complete", "fail", [0]])
async def test_a_removed_job_takes_no_write(migrated_url: str, what: str | list[int]) -> None:
    async with Database(migrated_url, connections=1) as database:
        records = JobRecords(database)
        job_id = await records.add(NewJob(API, "", new_folder(), 0))
        attempt = AttemptRecords(database, job_id, 1)
        await attempt.begin()
        await records.remove(job_id, API)

        assert not await write(attempt, 1, what)
        assert await records.results(job_id) == []
        with pytest.raises(JobNotFound):
            await records.read(job_id, API)
