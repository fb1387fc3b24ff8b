"""The settings of the coral API."""

from __future__ import annotations

from pydantic import PositiveInt

from menagerie_server.api_settings import ApiSettings, Port


class CoralSettings(ApiSettings):
    """The settings of the coral API."""

    port: Port = 5001
    max_pixels: PositiveInt = 40_000_000
    """The largest photograph; its job holds 4 bytes for each pixel, for a moment 8."""
