"""What can be set of the muzzle API."""

from __future__ import annotations

from typing import ClassVar

from menagerie_server.api_settings import ApiSettings, Port


class MuzzleSettings(ApiSettings):
    """What can be set of the muzzle verification API."""

    documented: ClassVar[dict[str, str]] = {"API_KEY": "api_keys"}

    port: Port = 8004
    rate_limit_requests: int = 30
