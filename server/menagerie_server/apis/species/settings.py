"""The settings of the species API."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, HttpUrl, PositiveFloat, PositiveInt, SecretStr

from menagerie_server.api_settings import ApiSettings, Port, none_if_blank


class SpeciesSettings(ApiSettings):
    """The settings of the species API."""

    documented: ClassVar[dict[str, str]] = {
        "ALLOWED_ORIGINS": "allowed_origins",
        "ALLOWED_HOSTS": "allowed_hosts",
        "FORCE_HTTPS": "force_https",
        "RATE_LIMIT_REQUESTS": "rate_limit_requests",
        "RATE_LIMIT_WINDOW_SECONDS": "rate_limit_window_seconds",
        "ENABLE_API_DOCS": "api_docs",
        "GOOGLE_API_KEY": "google_api_key",
        "GEMINI_MODEL": "gemini_model",
    }

    port: Port = 7860
    rate_limit_requests: int = 60
    api_docs: bool = False
    google_api_key: Annotated[SecretStr | None, BeforeValidator(none_if_blank)] = None
    """The Google AI Studio key; without one, /gemini/analyze/ is not served."""
    gemini_model: Annotated[str, Field(pattern=r"^[!-~]+$")] = "gemini-1.5-flash"
    """The Gemini model."""
    gemini_base_url: HttpUrl = HttpUrl("https://generativelanguage.googleapis.com")
    """Google's address, or a proxy's."""
    gemini_seconds: PositiveFloat = 50.0
    """The time limit of all questions about one upload; Envoy gives up after `idle_seconds`."""
    gemini_attempts: PositiveInt = 3
    """How often Gemini is asked while it is overloaded."""
    gemini_retry_seconds: Annotated[float, Field(gt=0, le=60)] = 1.5
    """The wait before the second attempt; it doubles for each later one, with jitter."""
    gemini_max_images: Annotated[int, Field(ge=1, le=19)] = 16
    """Images in one upload; more than 19 of 5 MB do not fit into the largest body."""
