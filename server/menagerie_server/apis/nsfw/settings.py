"""The settings of the nsfw API."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, PositiveInt

from menagerie_server.api_settings import ApiSettings, Names, Port

Share = Annotated[float, Field(ge=0, le=1)]


class NsfwSettings(ApiSettings):
    """The settings of the nsfw API."""

    port: Port = 8003
    sensitivity_level: Literal["low", "medium", "high", "ultra"] = "medium"
    """Shifts the threshold by +.15, 0, -.15 or -.30."""
    nsfw_threshold: Share = 0.5
    agreement_threshold: Share = 0.7
    """If the models agree less, a review is recommended."""
    max_frames: Annotated[int, Field(ge=1, le=100)] = 5
    """How many frames of an animation, or pages of a TIFF, are classified."""
    enable_image_hosting: bool = True
    """Whether classified images are stored for /image."""
    image_expiry_hours: PositiveInt = 24
    """How long images and results are stored."""
    max_hosted_gb: PositiveInt = 32
    """The size of all stored images, in GiB; beyond it images are classified, but not stored."""
    public_base_url: AnyHttpUrl | None = None
    """The URL of this API for callers, such as https://moderation.example.org; None: the address of each
    request, or else the API's own."""
    allowed_networks: Names = ()
    """Networks, such as 10.1.0.0/16, from which /predict/urls downloads, besides public ones."""

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The allowed networks, parsed."""
        return tuple(map(ip_network, self.allowed_networks))
