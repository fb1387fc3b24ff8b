"""What can be set of the nsfw API."""

from __future__ import annotations

from menagerie_server.api_settings import ApiSettings, Port


class NsfwSettings(ApiSettings):
    """What can be set of the NSFW moderation API."""

    port: Port = 8003
