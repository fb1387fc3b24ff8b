"""Downloads from URLs that callers name, at public addresses only."""

from __future__ import annotations

from menagerie_server.url_fetch.errors import (
    AddressRefused,
    FetchError,
    FetchFailed,
    FetchTimedOut,
    FetchTooLarge,
    InvalidUrl,
)
from menagerie_server.url_fetch.fetcher import UrlFetcher, check_url
from menagerie_server.url_fetch.pinned_transport import is_public

__all__ = [
    "AddressRefused",
    "FetchError",
    "FetchFailed",
    "FetchTimedOut",
    "FetchTooLarge",
    "InvalidUrl",
    "UrlFetcher",
    "check_url",
    "is_public",
]
