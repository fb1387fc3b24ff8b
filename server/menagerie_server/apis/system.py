"""menagerie.system.v1: readiness and metrics of the whole server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from google.api.httpbody_pb2 import HttpBody
from prometheus_client import CONTENT_TYPE_LATEST

from menagerie.system.v1 import system_pb2 as pb
from menagerie.system.v1 import system_pb2_grpc
from menagerie_server.errors import NotReady
from menagerie_server.metrics import exposition
from menagerie_server.readiness import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_server.apis.served_api import ServedApi
    from menagerie_server.interceptors import Context
    from menagerie_server.readiness import Models


class SystemService(system_pb2_grpc.SystemServiceServicer):
    """The operator's view of the whole server."""

    def __init__(self, served: Sequence[ServedApi], models: Models) -> None:
        self._served = served
        self._models = models

    async def GetReadiness(
        self, request: pb.GetReadinessRequest, context: Context
    ) -> pb.GetReadinessResponse:
        """Answer once every API has loaded its models; name those that could not be loaded.

        Raises:
            NotReady: some are still loading, or none could be loaded.
        """
        loading, ready, failed = (
            sorted(one.api.name for one in self._served if one.state is state)
            for state in (State.LOADING, State.READY, State.FAILED)
        )
        if loading or not ready:
            raise NotReady(f"Not ready: {', '.join(loading or failed)}")
        return pb.GetReadinessResponse(
            status="degraded" if self._models.failed else "ok",
            apis=ready,
            failed_models=self._models.failed,
        )

    async def GetMetrics(self, request: pb.GetMetricsRequest, context: Context) -> pb.GetMetricsResponse:
        """Return the metrics of every worker."""
        text = await asyncio.to_thread(exposition)
        return pb.GetMetricsResponse(text=HttpBody(content_type=CONTENT_TYPE_LATEST, data=text))
