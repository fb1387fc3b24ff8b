"""What an operator can set of each API: where it listens, and whom its edge lets in.

Each field is the environment variable `MENAGERIE_<API>_<NAME>`, such as `MENAGERIE_WHALES_PORT`, or a key of
the API's table in the settings file. Some have a name in their API's document, too; ours wins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    PositiveFloat,
    PositiveInt,
    SecretStr,
)
from pydantic_settings import NoDecode


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _none_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Several names; in the environment, with commas between them."""

Port = Annotated[int, Field(ge=1, le=65535)]


class ApiSettings(BaseModel):
    """What can be set of any API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    documented: ClassVar[dict[str, str]] = {}
    """The variables that the API's document names, and the fields that they set."""

    port: Port
    allowed_origins: Names = ("*",)
    """The origins whose pages may call it from a browser; `*` means any."""
    allowed_hosts: Names = ("*",)
    """The names by which it may be called, such as `*.example.org`; `*` means any."""
    force_https: bool = False
    """Whether plain HTTP is redirected, by what a proxy before us says in X-Forwarded-Proto."""
    rate_limit_requests: int = 0
    """How many requests each address may make in a window; 0 or less: any number."""
    rate_limit_window_seconds: PositiveFloat = 60.0
    api_docs: bool = True
    """Whether it serves /openapi.json, /docs and /redoc."""
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = ()
    """The keys of which each call must carry one in X-API-Key; where there is none, no call needs one."""
    api_keys_file: Path | None = None
    """A file of more keys, one a line, read again when it changes."""

    @property
    def asks_for_key(self) -> bool:
        """Whether calls need a key."""
        return bool(self.api_keys) or self.api_keys_file is not None


class WhalesSettings(ApiSettings):
    """What can be set of the whales API."""

    documented: ClassVar[dict[str, str]] = {"ALLOWED_ORIGINS": "allowed_origins"}

    port: Port = 8000
    # Where the pages that call it are developed; they may send the user's cookies.
    allowed_origins: Names = tuple(
        f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (5173, 8080)
    )
    rate_limit_requests: int = 60


class CoralSettings(ApiSettings):
    """What can be set of the coral API."""

    port: Port = 5001
    max_pixels: PositiveInt = 40_000_000
    """The largest photograph; its job holds 4 bytes for each pixel, for a moment 8."""


class SpeciesSettings(ApiSettings):
    """What can be set of the species API."""

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
    google_api_key: Annotated[SecretStr | None, BeforeValidator(_none_if_blank)] = None
    """The Google AI Studio key; without one, /gemini/analyze/ is not served."""
    gemini_model: Annotated[str, Field(pattern=r"^[!-~]+$")] = "gemini-1.5-flash"
    """The Gemini model that is asked."""
    gemini_base_url: HttpUrl = HttpUrl("https://generativelanguage.googleapis.com")
    """Where Gemini answers: Google's own address, or a proxy's."""
    gemini_seconds: PositiveFloat = 50.0
    """How long the questions about one upload may take together; Envoy gives up after `idle_seconds`."""
    gemini_attempts: PositiveInt = 3
    """How often Gemini is asked while it says that it is overloaded."""
    gemini_retry_seconds: Annotated[float, Field(gt=0, le=60)] = 1.5
    """The wait before the second attempt; each later one is twice as long, and random by as much again."""
    gemini_max_images: Annotated[int, Field(ge=1, le=19)] = 16
    """How many images one upload may hold; more than 19 of 5 MB do not fit into the largest body."""


class NsfwSettings(ApiSettings):
    """What can be set of the NSFW moderation API."""

    port: Port = 8003


class MuzzleSettings(ApiSettings):
    """What can be set of the muzzle verification API."""

    documented: ClassVar[dict[str, str]] = {"API_KEY": "api_keys"}

    port: Port = 8004
    rate_limit_requests: int = 30


def documented_values(api: type[ApiSettings], environment: dict[str, str]) -> dict[str, Any]:
    """Return the fields that the variables of an API's document set."""
    return {field: environment[name] for name, field in api.documented.items() if name in environment}
