"""Classifies the corals on a photograph of a reef, and saves the tinted photograph.

usage: coral.py HOST:PORT PHOTO RESULT.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from menagerie.coral.v1.coral_pb2 import (
    ClassifyRequest,
    DownloadResultImageRequest,
    WatchStatusRequest,
    WatchStatusResponse,
)
from menagerie.coral.v1.coral_pb2_grpc import CoralServiceStub

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 1024 * 1024
"""A message may hold 4 MB; the file comes in as many as it takes."""


def pieces(path: Path) -> Iterator[ClassifyRequest]:
    """Read the file piece by piece."""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield ClassifyRequest(image=piece)


def watch(api: CoralServiceStub, job: str) -> WatchStatusResponse:
    """Print the progress of a job until it ends, and return its last status."""
    status = WatchStatusResponse()
    for status in api.WatchStatus(WatchStatusRequest(job_id=job)):
        print(status.status, status.progress, file=sys.stderr)  # noqa: T201
    return status


def classify(address: str, photo: Path, result: Path) -> None:
    """Upload a photograph, wait for its result, and save the tinted photograph."""
    with grpc.insecure_channel(address) as channel:
        api = CoralServiceStub(channel)
        job = str(api.Classify(pieces(photo)).job_id)
        status = watch(api, job)
        if status.status != "completed":
            sys.exit(f"Job {job} failed: {status.error}")
        summary = status.summary
        print(f"{summary.bleached_chunks} bleached, {summary.healthy_chunks} healthy")  # noqa: T201
        with result.open("wb") as file:
            for piece in api.DownloadResultImage(DownloadResultImageRequest(job_id=job)):
                file.write(piece.image.data)


def main() -> None:
    """Run the program."""
    if len(sys.argv) != 4:  # noqa: PLR2004 - the program's name and three arguments
        sys.exit(__doc__)
    try:
        classify(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
