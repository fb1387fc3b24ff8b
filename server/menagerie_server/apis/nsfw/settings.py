"""What can be set of the nsfw API."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, PositiveInt

from menagerie_server.api_settings import ApiSettings, Names, Port

Share = Annotated[float, Field(ge=0, le=1)]


class NsfwSettings(ApiSettings):
    """What can be set of the NSFW moderation API."""

    port: Port = 8003
    sensitivity_level: Literal["low", "medium", "high", "ultra"] = "medium"
    """It moves the threshold by +.15, 0, -.15 or -.30."""
    nsfw_threshold: Share = 0.5
    agreement_threshold: Share = 0.7
    """Where the models agree less, a review is recommended."""
    max_frames: Annotated[int, Field(ge=1, le=100)] = 5
    """How many frames of an animation, or pages of a TIFF, are judged."""
    enable_image_hosting: bool = True
    """Whether images that were judged are kept for /image."""
    image_expiry_hours: PositiveInt = 24
    """How long images and stored answers are kept."""
    max_hosted_gb: PositiveInt = 32
    """What all kept images together may have, in GiB; beyond it images are judged, and not kept."""
    public_base_url: AnyHttpUrl | None = None
    """Where callers reach this API, as https://moderation.example.org; none: by which host each came, as the
    edge tells it, or else the API's own address."""
    allowed_networks: Names = ()
    """Networks, such as 10.1.0.0/16, from which /predict/urls downloads, too; the others are public ones."""

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The allowed networks, read."""
        return tuple(map(ip_network, self.allowed_networks))
