from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime

from menagerie.coral.v1 import coral_pb2 as pb
from menagerie_inference.domains.coral import UNSURE, ChunkResult, Summary
from menagerie_server.apis.coral.converters import chunks, job_status
from menagerie_server.jobs.job import COMPLETED, Job

ONE = ChunkResult(0, 244, 244, 12, 0.25, "Healthy Coral")
BOTH = replace(
    ONE,
    predicted_label=UNSURE,
    primary_probability=0.125,
    secondary_probability=0.5,
    secondary_bonus=0.0,
    decision_reason="secondary_unsure_primary_no",
)
NOW = datetime.now(UTC)
JOB = Job(1, "coral", COMPLETED, 1, 1, 3, 3, "jobs/1", None, None, NOW, NOW, NOW)


def test_a_chunk_of_one_model_tells_of_no_other() -> None:
    [chunk] = chunks([asdict(ONE)])
    expected = pb.Chunk(y=244, width=244, height=12, probability=0.25, predicted_label="Healthy Coral", x=0)
    assert chunk == expected
    assert not chunk.HasField("secondary_bonus")
    assert not chunk.HasField("decision_reason")


def test_a_chunk_of_two_models_tells_all() -> None:
    [chunk] = chunks([asdict(BOTH)])
    assert {field.name: value for field, value in chunk.ListFields()} == asdict(BOTH)
    assert chunk.HasField("secondary_bonus")


def test_a_chunk_that_was_saved_before_there_were_two_models_is_read() -> None:
    saved = {name: value for name, value in asdict(ONE).items() if value is not None}
    assert chunks([saved]) == chunks([asdict(ONE)])


def test_a_summary_tells_of_the_models_that_there_are() -> None:
    alone = job_status(replace(JOB, result=asdict(Summary(1, 2, 3, "a-1"))), pb.GetStatusResponse)
    assert alone.summary == pb.Summary(
        bleached_chunks=1, healthy_chunks=2, total_chunks=3, model_version="a-1"
    )
    both = Summary(1, 2, 3, "a-1+b-2", 0, "a-1", "b-2")
    status = job_status(replace(JOB, result=asdict(both)), pb.WatchStatusResponse)
    told = {field.name: value for field, value in status.summary.ListFields()}
    assert told == {name: value for name, value in asdict(both).items() if value is not None}
