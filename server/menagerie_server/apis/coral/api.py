"""The coral API as a served API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie.coral.v1 import coral_pb2_grpc
from menagerie_envoy.apis import CORAL
from menagerie_inference.domains.coral import BATCHES_IN_FLIGHT, SECONDARY_ROLE, CoralClassifier
from menagerie_server.apis.coral.errors import ERRORS
from menagerie_server.apis.coral.job_runner import CoralJobRunner
from menagerie_server.apis.coral.service import CoralService
from menagerie_server.apis.served_api import ServedApi
from menagerie_server.readiness import Loading

if TYPE_CHECKING:
    import grpc

    from menagerie_server.apis.served_api import Resources
    from menagerie_server.readiness import Models, State


class CoralApi(ServedApi):
    """Accepts photographs of reefs as jobs, and runs them with one or two models."""

    api = CORAL
    roles = (CORAL.name,)
    errors = ERRORS

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._classifier: Loading[CoralClassifier] = Loading(CORAL.name)
        self._service = CoralService(resources.jobs, resources.objects)

    @property
    def state(self) -> State:
        """The state of the classifier's models."""
        return self._classifier.state

    def add_to(self, server: grpc.aio.Server) -> None:
        """Add the service."""
        coral_pb2_grpc.add_CoralServiceServicer_to_server(self._service, server)

    async def load(self, models: Models) -> None:
        """Load the classifier, and let this process run jobs with it."""
        await self._classifier.load(self._load(models))

    async def _load(self, models: Models) -> CoralClassifier:
        # The second model changes labels: serving without it would change the answers silently.
        second = [SECONDARY_ROLE] if models.fills([SECONDARY_ROLE]) else []
        loaded = await models.load(CORAL.name, *second)
        resources = self._resources
        classifier = CoralClassifier(
            loaded[CORAL.name],
            resources.job_threads,
            second=loaded.get(SECONDARY_ROLE),
            max_pixels=resources.settings.coral.max_pixels,
            max_in_flight=max(BATCHES_IN_FLIGHT, resources.cores),
        )
        resources.jobs.register(CORAL.name, CoralJobRunner(classifier, resources.objects).run)
        return classifier
