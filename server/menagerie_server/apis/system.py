"""menagerie.system.v1: readiness and metrics of the whole server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from google.api.httpbody_pb2 import HttpBody
from prometheus_client import CONTENT_TYPE_LATEST

from menagerie.system.v1 import system_pb2 as pb
from menagerie.system.v1 import system_pb2_grpc
from menagerie_server.errors import NotReady
from menagerie_server.metrics import exposition

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

    from menagerie_server.loading import Loading

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class SystemService(system_pb2_grpc.SystemServiceServicer):
    """What an operator asks of the whole server."""

    def __init__(self, apis: Sequence[Loading[Any]]) -> None:
        self._apis = apis

    async def GetReadiness(
        self, request: pb.GetReadinessRequest, context: Context
    ) -> pb.GetReadinessResponse:
        """Answer when every API is ready.

        Raises:
            NotReady: naming the APIs that are not.
        """
        waiting = sorted(api.name for api in self._apis if not api.ready)
        if waiting:
            raise NotReady(f"Not ready: {', '.join(waiting)}")
        return pb.GetReadinessResponse(status="ok", apis=sorted(api.name for api in self._apis))

    async def GetMetrics(self, request: pb.GetMetricsRequest, context: Context) -> pb.GetMetricsResponse:
        """Return the metrics of every worker."""
        text = await asyncio.to_thread(exposition)
        return pb.GetMetricsResponse(text=HttpBody(content_type=CONTENT_TYPE_LATEST, data=text))
