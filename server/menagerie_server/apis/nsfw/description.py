"""The service's description of itself: name, health and configuration."""

from __future__ import annotations

import asyncio
import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import psycopg

from menagerie.nsfw.v1 import nsfw_pb2 as pb
from menagerie_inference.domains.nsfw import OPENCLIP_FALLBACK, TRIPLE_ENSEMBLE
from menagerie_server.apis.nsfw.upload import MAX_BYTES, MEBIBYTE, STREAMING
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from menagerie_inference.domains.nsfw import Member, Moderator, Policy
    from menagerie_server.apis.nsfw.settings import NsfwSettings
    from menagerie_server.store.pool import Database

MESSAGE: Final = "NSFW Detection API"
API_VERSION: Final = "1.0.0"
ENSEMBLE_TYPE: Final = "Triple-Model Ensemble System"
FALLBACK_TYPE: Final = "Fallback Model"
REST_TYPE: Final = "The models of the ensemble that are left"
CATEGORIES: Final = ("male_only", "female_present", "adult_object")
ENSEMBLE_METHOD: Final = "weighted_average"
CONFIDENCE_THRESHOLD: Final = 0.5
"""Of two answers, the one above a half is the more probable."""
PING_SECONDS: Final = 1.0

ENDPOINTS: Final = pb.Endpoints(
    single_prediction="/predict/single",
    multi_prediction="/predict/multi",
    streaming_prediction="/predict/streaming",
    health_check="/health",
    configuration="/config",
    statistics="/stats",
    web_interface="/ui",
)


@dataclass(frozen=True)
class Description:
    """Describes the service.

    Args:
        moderator: None until the models have loaded.
    """

    settings: NsfwSettings
    policy: Policy
    moderator: Moderator | None
    falls_back: bool = False
    """Whether the fallback answers although the ensemble has loaded."""

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots that can answer now."""
        return self.moderator.slots if self.moderator else ()

    def info(self) -> pb.GetInfoResponse:
        """Return the name of the service and its paths."""
        return pb.GetInfoResponse(
            message=MESSAGE,
            version=API_VERSION,
            status="operational" if self.slots else "unavailable",
            models_available=self.slots,
            endpoints=ENDPOINTS,
        )

    def health(self, database: pb.DatabaseHealth) -> pb.GetHealthResponse:
        """Return which models are loaded, and the health of the database."""
        loaded = pb.SlotsLoaded(
            triple_ensemble=TRIPLE_ENSEMBLE in self.slots, openclip_fallback=OPENCLIP_FALLBACK in self.slots
        )
        healthy = loaded.triple_ensemble and database.ping_success and not self.falls_back
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return pb.GetHealthResponse(
            status="healthy" if healthy else "degraded",
            timestamp=now,
            models=pb.ModelsHealth(
                status=loaded,
                details=pb.SlotsHealth(
                    triple_ensemble=self._ensemble_health(), openclip_fallback=self._fallback_health()
                ),
                total_enabled=len(self.slots),
            ),
            database=database,
            configuration=self._health_configuration(),
            system=pb.SystemHealth(api_version=API_VERSION, python_version=platform.python_version()),
        )

    def config(self, *, database_connected: bool) -> pb.GetConfigResponse:
        """Return the configuration of the moderation."""
        fallback = self.moderator.fallback if self.moderator else None
        limits = self._health_configuration()
        return pb.GetConfigResponse(
            triple_model_ensemble=self._ensemble_config(),
            fallback_model=pb.FallbackConfig(
                openclip_model_name=fallback.name if fallback else "",
                openclip_pretrained=fallback.model.manifest.version if fallback else "",
                enabled=OPENCLIP_FALLBACK in self.slots,
            ),
            sensitivity_level=limits.sensitivity_level,
            nsfw_threshold=limits.nsfw_threshold,
            effective_threshold=limits.effective_threshold,
            enable_image_hosting=limits.enable_image_hosting,
            image_expiry_hours=limits.image_expiry_hours,
            max_image_size_mb=limits.max_image_size_mb,
            max_total_request_size_mb=STREAMING.max_megabytes,
            database_connected=database_connected,
            max_frames=self.settings.max_frames,
        )

    def model_version(self) -> str:
        """Return the names and versions of the models in one line."""
        return ", ".join(member.model.manifest.identity for member in self._members)

    @property
    def _members(self) -> tuple[Member, ...]:
        return self.moderator.ensemble if self.moderator else ()

    def _ensemble_health(self) -> pb.EnsembleHealth:
        return pb.EnsembleHealth(
            loaded=TRIPLE_ENSEMBLE in self.slots,
            type=ENSEMBLE_TYPE,
            models=[member.name for member in self._members],
            weights={name: f"{100 * share:.4g}%" for name, share in self._shares().items()},
            classification_categories=CATEGORIES,
            ensemble_method=ENSEMBLE_METHOD,
            device=_device(self._members),
        )

    def _fallback_health(self) -> pb.FallbackHealth:
        loaded = OPENCLIP_FALLBACK in self.slots
        fallback = self.moderator.fallback if self.moderator else None
        members = (fallback,) if fallback else self._members
        health = pb.FallbackHealth(loaded=loaded, type=FALLBACK_TYPE if fallback else REST_TYPE)
        if members:
            health.model_info.CopyFrom(
                pb.ModelInfo(
                    device=_device(members),
                    model_name=", ".join(member.name for member in members),
                    pretrained=", ".join(member.model.manifest.version for member in members),
                )
            )
        return health

    def _health_configuration(self) -> pb.HealthConfiguration:
        return pb.HealthConfiguration(
            sensitivity_level=self.policy.sensitivity_level,
            nsfw_threshold=self.policy.nsfw_threshold,
            effective_threshold=self.policy.effective_threshold,
            enable_image_hosting=self.settings.enable_image_hosting,
            image_expiry_hours=self.settings.image_expiry_hours,
            max_image_size_mb=MAX_BYTES // MEBIBYTE,
        )

    def _ensemble_config(self) -> pb.EnsembleConfig:
        shares = self._shares()
        return pb.EnsembleConfig(
            enabled=TRIPLE_ENSEMBLE in self.slots,
            models=[
                pb.ModelConfig(
                    name=member.name,
                    weight=shares[member.name],
                    description=member.model.manifest.source,
                )
                for member in self._members
            ],
            classification_categories=_categories(),
            ensemble_method=ENSEMBLE_METHOD,
            confidence_threshold=CONFIDENCE_THRESHOLD,
            agreement_threshold=self.policy.agreement_threshold,
        )

    def _shares(self) -> dict[str, float]:
        """Return each model's share in the sum of the weights."""
        total = sum(member.weight for member in self._members)
        return {member.name: member.weight / total for member in self._members}


async def database_health(database: Database) -> pb.DatabaseHealth:
    """Ping the database and measure the round trip."""
    try:
        async with asyncio.timeout(PING_SECONDS), database.connection() as connection:
            connected = time.perf_counter()
            await connection.execute("SELECT 1")
    except (StoreUnavailable, TimeoutError, psycopg.Error):
        return pb.DatabaseHealth(connected=False, ping_success=False)
    milliseconds = (time.perf_counter() - connected) * 1000
    return pb.DatabaseHealth(connected=True, ping_success=True, response_time_ms=milliseconds)


def _device(members: tuple[Member, ...]) -> str:
    return members[0].model.device if members else "cpu"


def _categories() -> pb.CategoriesConfig:
    return pb.CategoriesConfig(
        male_only=pb.CategoryConfig(
            label="male only",
            safety="SAFE",
            description="Everything safe: single men without women, and scenes without people",
        ),
        female_present=pb.CategoryConfig(
            label="female present", safety="UNSAFE", description="Any woman/girl detected"
        ),
        adult_object=pb.CategoryConfig(
            label="adult object", safety="UNSAFE", description="Explicit content or adult toys"
        ),
    )
