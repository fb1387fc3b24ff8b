"""The muzzle API as a served API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from menagerie.muzzle.v1 import muzzle_pb2_grpc
from menagerie_envoy.apis import MUZZLE
from menagerie_inference.domains.muzzle import (
    LEAST_SLOTS,
    ROLES,
    MuzzleEmbedders,
    ReviewBand,
    Thresholds,
    check_manifest,
)
from menagerie_inference.errors import ManifestError, ModelUnavailable
from menagerie_server.apis.muzzle.catalogue import Catalogue
from menagerie_server.apis.muzzle.errors import ERRORS
from menagerie_server.apis.muzzle.service import MuzzleService
from menagerie_server.apis.served_api import ServedApi
from menagerie_server.readiness import Loading

if TYPE_CHECKING:
    import grpc

    from menagerie_inference.engine import Model
    from menagerie_server.apis.muzzle.settings import MuzzleSettings
    from menagerie_server.apis.served_api import Resources
    from menagerie_server.readiness import Models, State

_log = structlog.get_logger()


class MuzzleApi(ServedApi):
    """Verifies and identifies cattle by three models, or by two if one has failed."""

    api = MUZZLE
    roles = tuple(ROLES)
    errors = ERRORS

    def __init__(self, resources: Resources) -> None:
        self._embedders: Loading[MuzzleEmbedders] = Loading(MUZZLE.name)
        self._service = MuzzleService(
            self._embedders,
            resources.pipeline,
            Catalogue(resources.database),
            thresholds(resources.settings.muzzle),
        )

    @property
    def state(self) -> State:
        """Ready once enough models have loaded to verify."""
        return self._embedders.state

    def add_to(self, server: grpc.aio.Server) -> None:
        """Add the service."""
        muzzle_pb2_grpc.add_MuzzleServiceServicer_to_server(self._service, server)

    async def load(self, models: Models) -> None:
        """Load the models of all slots; two suffice to verify."""
        await self._embedders.load(self._load(models))

    async def _load(self, models: Models) -> MuzzleEmbedders:
        loaded = await models.load(optional=ROLES)
        usable = {ROLES[role]: model for role, model in loaded.items() if _is_usable(role, model)}
        self._service.models_loaded = sorted(usable)
        if len(usable) < LEAST_SLOTS:
            raise ModelUnavailable(f"only the models {sorted(usable)} can be used")
        return MuzzleEmbedders(usable, failed=_report)


def thresholds(settings: MuzzleSettings) -> Thresholds:
    """Return the settings as the domain's thresholds."""
    band = None
    if settings.review_from is not None and settings.review_below is not None:
        band = ReviewBand(settings.review_from, settings.review_below)
    return Thresholds(
        cosine_min=settings.predict_cosine_threshold,
        euclidean_max=settings.predict_euclidean_max,
        mutual_min=settings.predict_mutual_min,
        variance_min=settings.embedding_variance_min,
        cross_model_max=settings.cross_model_max,
        review=band,
    )


def _is_usable(role: str, model: Model) -> bool:
    try:
        check_manifest(model.manifest)
    except ManifestError as error:
        _log.error("model cannot be used", role=role, reason=str(error))
        return False
    return True


def _report(slot: int, error: Exception) -> None:
    _log.error("a model failed, and the others answer", model=slot, error=str(error))
