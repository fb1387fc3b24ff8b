"""What becomes of a batch's image when the server fails on it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from menagerie.type.v1.image_pb2 import Image
from menagerie_inference.domains.whales import Detection
from menagerie_inference.errors import ModelFailed
from menagerie_server.apis.whales.batch import Batch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_inference.domains.whales import RejectionReason
    from menagerie_server.apis.whales.identifier import WhaleIdentifier


class Failing:
    """An identifier whose model fails as often on an image as its name says."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def identify_in_turn(self, name: str, data: bytes) -> Detection:
        self.asked[name] += 1
        if self.asked[name] <= int(name):
            raise ModelFailed("no direction")
        return Detection(name, (0, 0, 1, 1), "m", cetacean_score=len(data))

    def failed(self, name: str, reason: RejectionReason) -> Detection:
        return Detection.failed(name, reason, "m")


async def images(*names: str) -> AsyncIterator[Image]:
    for name in names:
        yield Image(content=b"x", filename=name)


async def test_an_image_that_fails_is_tried_once_more_and_then_is_a_row() -> None:
    identifier = Failing()
    batch = Batch(cast("WhaleIdentifier", identifier), limit=2)
    rows = [row async for row in batch.of_images(images("0", "1", "2"))]
    reasons = [(row.image_ind, row.rejection_reason) for row in rows]
    assert reasons == [("0", None), ("1", None), ("2", "internal_error")]
    assert identifier.asked == {"0": 1, "1": 2, "2": 2}
