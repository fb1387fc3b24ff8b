"""The settings of every API: its port, and who may call it.

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
    PositiveFloat,
    SecretStr,
)
from pydantic_settings import NoDecode


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def none_if_blank(value: object) -> object:
    """Treat a blank variable as unset."""
    return None if isinstance(value, str) and not value.strip() else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list of names; comma-separated in the environment."""

Port = Annotated[int, Field(ge=1, le=65535)]


class ApiSettings(BaseModel):
    """The settings that every API has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    documented: ClassVar[dict[str, str]] = {}
    """The variables that the API's document names, and the fields that they set."""

    port: Port
    allowed_origins: Names = ("*",)
    """The origins whose pages may call it from a browser; `*`: any."""
    allowed_hosts: Names = ("*",)
    """The host names by which it may be called, such as `*.example.org`; `*`: any."""
    force_https: bool = False
    """Whether plain-HTTP requests are redirected (per X-Forwarded-Proto)."""
    rate_limit_requests: int = 0
    """Requests of each address in a window; 0 or less: no limit."""
    rate_limit_window_seconds: PositiveFloat = 60.0
    api_docs: bool = True
    """Whether it serves /openapi.json, /docs and /redoc."""
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = ()
    """The keys, one of which each call must carry in X-API-Key; without any, no call needs one."""
    api_keys_file: Path | None = None
    """A file of more keys, one a line; it is read again when it changes."""

    @property
    def limits_rate(self) -> bool:
        """Whether each address has a budget of requests."""
        return self.rate_limit_requests > 0

    @property
    def asks_for_key(self) -> bool:
        """Whether calls need a key."""
        return bool(self.api_keys) or self.api_keys_file is not None


def documented_values(api: type[ApiSettings], environment: dict[str, str]) -> dict[str, Any]:
    """Return the fields that the variables of an API's document set."""
    return {field: environment[name] for name, field in api.documented.items() if name in environment}
