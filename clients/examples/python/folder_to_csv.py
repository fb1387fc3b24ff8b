"""Identifies every photograph in a folder and writes one row of CSV for each, as it is ready.

usage: folder_to_csv.py HOST:PORT FOLDER > species.csv
"""

from __future__ import annotations

import csv
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from menagerie.species.v1.species_pb2 import PredictStreamRequest, PredictStreamResponse
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
PHOTOS_PER_CALL = 1000
"""A call may take an hour at most (MENAGERIE_REQUEST_SECONDS); a long one is split."""

COLUMNS = ("file", "prediction", "score", "source", "label", "error")


def photographs(folder: Path) -> Iterator[Path]:
    """List the photographs in a folder and its subfolders, sorted."""
    return iter(sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES))


def requests(folder: Path, paths: list[Path]) -> Iterator[PredictStreamRequest]:
    """Read each file when the stream has room for it, so that memory stays bounded."""
    for path in paths:
        name = path.relative_to(folder).as_posix()
        yield PredictStreamRequest(id=name, image=Image(content=path.read_bytes(), filename=path.name))


def row(answer: PredictStreamResponse) -> tuple[object, ...]:
    """Turn an answer into a row with `COLUMNS`."""
    if answer.WhichOneof("outcome") == "error":
        return answer.id, "", "", "", "", answer.error
    found = answer.speciesnet
    score = round(found.prediction_score, 4)
    return answer.id, found.prediction_display_name, score, found.prediction_source, found.prediction, ""


def identify(address: str, folder: Path) -> None:
    """Write the rows of a folder to the standard output, in the order in which the answers are ready."""
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(COLUMNS)
    paths = photographs(folder)
    with grpc.insecure_channel(address) as channel:
        api = SpeciesServiceStub(channel)
        while part := list(islice(paths, PHOTOS_PER_CALL)):
            for answer in api.PredictStream(requests(folder, part)):
                table.writerow(row(answer))
                sys.stdout.flush()


def main() -> None:
    """Run the program."""
    if len(sys.argv) != 3:  # noqa: PLR2004 - the program's name and two arguments
        sys.exit(__doc__)
    try:
        identify(sys.argv[1], Path(sys.argv[2]))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
