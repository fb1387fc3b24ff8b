"""Converts jobs to messages of menagerie.coral.v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from menagerie.coral.v1 import coral_pb2 as pb
from menagerie_server.jobs.job import PROCESSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from menagerie_server.jobs.job import Job, Json

Status = TypeVar("Status", pb.GetStatusResponse, pb.WatchStatusResponse)


def job_status(job: Job, response: type[Status]) -> Status:
    """Return a job's progress; what is not known yet is unset, and zeros are set."""
    status = response(
        # A requeued job has begun, whichever attempt continues it.
        status=PROCESSING if job.total and not job.has_ended else job.state,
        completed_chunks=job.completed,
        total_chunks=job.total,
        remaining_chunks=job.total - job.completed,
        progress=f"{job.completed}/{job.total}",
    )
    if job.result is not None:
        status.summary.CopyFrom(pb.Summary(**cast("Mapping[str, Any]", job.result)))
    if job.error is not None:
        status.error = job.error
    return status


def chunks(results: Iterable[Json]) -> list[pb.Chunk]:
    """Return the chunks of a completed job."""
    return [pb.Chunk(**cast("Mapping[str, Any]", value)) for value in results]
