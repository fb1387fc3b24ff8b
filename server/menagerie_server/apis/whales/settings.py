"""The settings of the whales API."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from menagerie_server.api_settings import ApiSettings, Names, Port


class WhalesSettings(ApiSettings):
    """The settings of the whales API."""

    documented: ClassVar[dict[str, str]] = {"ALLOWED_ORIGINS": "allowed_origins"}

    port: Port = 8000
    # Where the pages that call it are developed; they may send the user's cookies.
    allowed_origins: Names = tuple(
        f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (5173, 8080)
    )
    rate_limit_requests: int = 60
    drift_baseline: Annotated[float, Field(ge=0, le=1)] | None = None
    """The mean of the gate's scores on good data; none: there is no drift alarm."""
