"""The reasons why a URL cannot be downloaded.

FetchError ├── InvalidUrl ├── AddressRefused ├── FetchTooLarge ├── FetchTimedOut └── FetchFailed
"""

from __future__ import annotations

from typing import Final

MEGABYTE: Final = 1024 * 1024


class FetchError(Exception):
    """Base of the reasons why a URL cannot be downloaded; the text is meant for the caller."""


class InvalidUrl(FetchError):
    """Raised when a text is not an http or https URL."""

    def __init__(self, url: str) -> None:
        super().__init__(f"Invalid URL format: {url}")


class AddressRefused(FetchError):
    """Raised when a URL, or a redirect, leads to an address that is not public."""

    def __init__(self) -> None:
        # Which address it is would tell callers about the network that this server is in.
        super().__init__("Failed to download image from URL: not a public address")


class FetchTooLarge(FetchError):
    """Raised when the content is larger than the limit, as soon as that is known."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"File too large. Maximum size: {max_bytes // MEGABYTE}MB")


class FetchTimedOut(FetchError):
    """Raised when the whole download took too long."""

    def __init__(self) -> None:
        super().__init__("Timeout downloading image from URL")


class FetchFailed(FetchError):
    """Raised when the host is unknown, the connection failed, or the answer was an error."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Failed to download image from URL: {why}")
