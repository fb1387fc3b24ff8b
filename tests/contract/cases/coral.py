"""What the coral document shows: each request, and the answer to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.contract.cases.case import Case, Expected, FormPart
from tests.support import images
from tests.support.photos import FOLDER

if TYPE_CHECKING:
    import httpx

CLASSIFY = "/V1/api/classify"
STATUS = "/V1/api/status"

REEF = "swallowtail_seaperch.jpg"
"""320 by 214 pixels: two chunks side by side."""

NOT_FOUND = Expected(404, {"error": "Job not found"})
NO_IMAGE = Expected(400, {"error": "No image provided"})
SUCCESS = Expected(200, {"status": "success"})

CHUNK = {
    "x": int,
    "y": 0,
    "width": int,
    "height": 214,
    "probability": float,
    "predicted_label": ("Bleached Coral", "Healthy Coral"),
}
ACCEPTED = {
    "status": ("queued", "processing", "completed"),
    "completed_chunks": int,
    "total_chunks": int,
    "remaining_chunks": int,
    "progress": str,
}
COMPLETED = {
    "status": "completed",
    "completed_chunks": 2,
    "total_chunks": 2,
    "remaining_chunks": 0,
    "progress": "2/2",
    "result_image": str,
    "summary": {"bleached_chunks": int, "healthy_chunks": int, "total_chunks": 2, "model_version": str},
    "chunks": [CHUNK | {"x": 0, "width": 244}, CHUNK | {"x": 244, "width": 76}],
}
FAILED = {"status": "error", "error": str}


@dataclass(frozen=True)
class JobCase(Case):
    """A request about a job of its own, whose id stands for `{job_id}` in the path."""

    ended: bool = False
    """Whether the request waits until the job has ended."""
    cancelled: bool = False
    """Whether the job is cancelled before the request."""

    def send(self, client: httpx.Client) -> httpx.Response:
        """Classify the form's image, then make the request; where the first fails, return its answer."""
        job = super(JobCase, replace(self, method="POST", path=CLASSIFY)).send(client)
        if job.is_error:
            return job
        job_id = job.json()["job_id"]
        if self.ended:
            client.get(f"{STATUS}/{job_id}/events")  # which end when the job does
        if self.cancelled:
            client.delete(f"{CLASSIFY}/{job_id}")
        return client.request(self.method, self.path.format(job_id=job_id))


def _upload(name: str, content: bytes) -> tuple[FormPart, ...]:
    return (FormPart("image", name, content, "image/jpeg"),)


def _reef() -> tuple[FormPart, ...]:
    return _upload("reef.jpg", (FOLDER / REEF).read_bytes())


def _broken() -> tuple[FormPart, ...]:
    whole = images.jpeg()
    return _upload("broken.jpg", whole[: len(whole) // 4])


def _no_image() -> tuple[FormPart, ...]:
    return _upload("notes.jpg", b"not an image")


OF_JOB = f"{STATUS}/{{job_id}}"
CANCEL = f"{CLASSIFY}/{{job_id}}"
OTHER_FIELD = (FormPart("note", None, b"a reef"),)

CASES: tuple[Case, ...] = (
    Case("health", "GET", "/V1/api/health", SUCCESS),
    Case("a photograph", "POST", CLASSIFY, Expected(200, {"job_id": int}), form=_reef),
    Case("no photograph", "POST", CLASSIFY, NO_IMAGE, form=OTHER_FIELD),
    Case("no form", "POST", CLASSIFY, NO_IMAGE),
    JobCase("a job", "GET", OF_JOB, Expected(200, ACCEPTED), form=_reef),
    JobCase("a completed job", "GET", OF_JOB, Expected(200, COMPLETED), form=_reef, ended=True),
    JobCase("a broken image", "GET", OF_JOB, Expected(200, FAILED), form=_broken, ended=True),
    JobCase("no image", "GET", OF_JOB, Expected(200, FAILED), form=_no_image, ended=True),
    JobCase("a cancelled job", "GET", OF_JOB, NOT_FOUND, form=_reef, cancelled=True),
    JobCase("cancelling", "DELETE", CANCEL, SUCCESS, form=_reef),
    JobCase("cancelling a completed job", "DELETE", CANCEL, SUCCESS, form=_reef, ended=True),
    JobCase("cancelling twice", "DELETE", CANCEL, NOT_FOUND, form=_reef, cancelled=True),
    Case("a job that never was", "GET", f"{STATUS}/1052", NOT_FOUND),
    Case("a job's name that is no number", "GET", f"{STATUS}/reef", NOT_FOUND),
    Case("a job's number beyond all", "GET", f"{STATUS}/99999999999", NOT_FOUND),
    Case("cancelling a job that never was", "DELETE", f"{CLASSIFY}/1052", NOT_FOUND),
)
