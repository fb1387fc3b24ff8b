"""Between what Gemini's answers come to and the messages of menagerie.species.v1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import Struct

from menagerie.species.v1 import species_pb2 as pb

if TYPE_CHECKING:
    from menagerie_server.apis.species.gemini.analysis import Analysis
    from menagerie_server.apis.species.gemini.grouping import AnsweredImage, Group
    from menagerie_server.apis.species.gemini.json_object import JsonObject


def gemini_response(analysis: Analysis) -> pb.GeminiAnalyzeResponse:
    """Return an analysis as a message. It may take a while: the answers may be long."""
    return pb.GeminiAnalyzeResponse(
        prompt=analysis.prompt,
        schema=_struct(analysis.schema),
        gemini_model=analysis.model,
        total_images=analysis.total_images,
        groups=[_group(group) for group in analysis.groups],
    )


def _group(group: Group) -> pb.GeminiGroup:
    return pb.GeminiGroup(
        group=group.label,
        count=len(group.images),
        summary=_struct(group.images[0].response),
        items=[_item(image) for image in group.images],
    )


def _item(image: AnsweredImage) -> pb.GeminiItem:
    return pb.GeminiItem(
        index=image.index,
        filename=image.filename,
        content_size=image.size,
        response=_struct(image.response),
    )


def _struct(value: JsonObject) -> Struct:
    struct = Struct()
    struct.update(value)
    return struct
