"""menagerie.coral.v1: bleached coral in photographs of reefs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.api.httpbody_pb2 import HttpBody

from menagerie.coral.v1 import coral_pb2 as pb
from menagerie.coral.v1 import coral_pb2_grpc
from menagerie_envoy.apis import CORAL
from menagerie_server.apis.coral.converters import chunks, job_status
from menagerie_server.apis.coral.data_url import data_url
from menagerie_server.apis.coral.errors import ERRORS, JobNotCompleted
from menagerie_server.apis.coral.job_runner import result_image_name
from menagerie_server.apis.coral.large_field import serialised
from menagerie_server.apis.coral.status_json import status_json, status_json_with_result
from menagerie_server.apis.coral.upload import Upload
from menagerie_server.errors import wire_error
from menagerie_server.interceptors.callers import caller_of
from menagerie_server.jobs.errors import JobNotFound
from menagerie_server.jobs.job import COMPLETED, ERROR
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_server.interceptors import Context
    from menagerie_server.jobs.job import Job
    from menagerie_server.jobs.jobs import Jobs
    from menagerie_server.store.objects import Objects

SUCCESS = "success"
LARGEST_ID = 2**32 - 1
PNG = "image/png"
JSON = "application/json"
EVENTS = "text/event-stream"
LAST_EVENT = b"retry: 3600000\nevent: end\ndata: {}\n\n"
"""Tells a browser to stop (WHATWG HTML, 9.2); one that does not close its EventSource comes back hourly."""


class CoralService(coral_pb2_grpc.CoralServiceServicer):
    """The documented operations of the coral API, on jobs."""

    def __init__(self, jobs: Jobs, objects: Objects) -> None:
        self._jobs = jobs
        self._objects = objects

    async def GetHealth(self, request: pb.GetHealthRequest, context: Context) -> pb.GetHealthResponse:
        """Return that the service is up."""
        return pb.GetHealthResponse(status=SUCCESS)

    async def Classify(
        self, request: AsyncIterator[pb.ClassifyRequest], context: Context
    ) -> pb.ClassifyResponse:
        """Accept a photograph as a job; once its id is returned, the job is never lost."""
        upload = Upload(request)
        try:
            return pb.ClassifyResponse(
                job_id=await self._jobs.accept(CORAL.name, upload, caller=caller_of(context))
            )
        except StoreUnavailable:
            # The store cannot tell a reader's error from one of its own.
            if upload.error is not None:
                raise upload.error from None
            raise

    async def GetStatus(  # type: ignore[override]  # a response may be serialised already
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse | bytes:
        """Return a job's progress, and the result of a completed one."""
        job = await self._job(request.job_id)
        status = job_status(job, pb.GetStatusResponse)
        if job.state != COMPLETED or request.omit_result:
            return status
        status.chunks.extend(await self._chunks(job))
        return await serialised(status, "result_image", self._result_image_url(job))

    async def DownloadStatus(
        self, request: pb.DownloadStatusRequest, context: Context
    ) -> AsyncIterator[pb.DownloadStatusResponse]:
        """Return as JSON what GetStatus returns."""
        job = await self._job(request.job_id)
        async for body in _bodies(JSON, self._status_json(job, omit_result=request.omit_result)):
            yield pb.DownloadStatusResponse(json=body)

    async def WatchStatus(
        self, request: pb.WatchStatusRequest, context: Context
    ) -> AsyncIterator[pb.WatchStatusResponse]:
        """Say how far a job is now, and each time that it changes."""
        async for status in self._watch(request.job_id):
            yield status

    async def WatchStatusEvents(
        self, request: pb.WatchStatusEventsRequest, context: Context
    ) -> AsyncIterator[pb.WatchStatusEventsResponse]:
        """Say as server-sent events what WatchStatus says."""
        async for body in _bodies(EVENTS, self._events(request.job_id)):
            yield pb.WatchStatusEventsResponse(events=body)

    async def _events(self, job_id: str) -> AsyncIterator[bytes]:
        async for status in self._watch(job_id):
            yield b"data: %s\n\n" % status_json(status)
        yield LAST_EVENT

    async def _watch(self, job_id: str) -> AsyncIterator[pb.WatchStatusResponse]:
        told = False
        try:
            async for job in self._jobs.watch(CORAL.name, _number(job_id)):
                yield job_status(job, pb.WatchStatusResponse)
                told = True
        except (JobNotFound, StoreUnavailable) as error:
            # Over HTTP/1.1 a stream that breaks off after its first message looks complete.
            if not told:
                raise
            last = pb.WatchStatusResponse(error=wire_error(error, ERRORS).text or str(error))
            if isinstance(error, JobNotFound):
                last.status = ERROR
            yield last

    async def DownloadResultImage(
        self, request: pb.DownloadResultImageRequest, context: Context
    ) -> AsyncIterator[pb.DownloadResultImageResponse]:
        """Return the tinted photograph of a completed job in pieces."""
        job = await self._job(request.job_id)
        if job.state != COMPLETED:
            raise JobNotCompleted
        # What a browser saves it as: the path has no extension.
        named = f'inline; filename="coral-{job.id}.png"'
        await context.send_initial_metadata((("content-disposition", named),))
        async for body in _bodies(PNG, self._objects.stream(result_image_name(job.folder))):
            yield pb.DownloadResultImageResponse(image=body)

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.CancelJobResponse:
        """Cancel a job, and remove all that belongs to it."""
        await self._jobs.cancel(CORAL.name, _number(request.job_id))
        return pb.CancelJobResponse(status=SUCCESS)

    async def _job(self, text: str) -> Job:
        return await self._jobs.status(CORAL.name, _number(text))

    async def _chunks(self, job: Job) -> list[pb.Chunk]:
        return chunks(await self._jobs.results(CORAL.name, job.id))

    def _result_image_url(self, job: Job) -> AsyncIterator[bytes]:
        return data_url(PNG, self._objects.stream(result_image_name(job.folder)))

    async def _status_json(self, job: Job, *, omit_result: bool) -> AsyncIterator[bytes]:
        status = job_status(job, pb.GetStatusResponse)
        if job.state != COMPLETED or omit_result:
            yield status_json(status)
            return
        image = self._result_image_url(job)
        async for piece in status_json_with_result(status, image, await self._chunks(job)):
            yield piece


async def _bodies(content_type: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[HttpBody]:
    """Yield an HTTP body in pieces; Envoy takes the content type from the first."""
    async for piece in pieces:
        yield HttpBody(content_type=content_type, data=piece)
        content_type = ""


def _number(text: str) -> int:
    """Parse a job's id.

    Raises:
        JobNotFound: the text is no id.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID))):
        raise JobNotFound
    if int(text) > LARGEST_ID:
        raise JobNotFound
    return int(text)
