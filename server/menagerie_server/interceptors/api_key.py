"""Refuses a call without its API's key, whatever way it came; Envoy refuses earlier those that it passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_server.api_keys import HEADER
from menagerie_server.errors import InvalidApiKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from menagerie_envoy import Api
    from menagerie_server.api_keys import ApiKeys
    from menagerie_server.interceptors.calls import Context


class ApiKeyCheck:
    """Asks each call to an API that has keys for one of them; its health needs none."""

    def __init__(self, keys: Mapping[Api, ApiKeys]) -> None:
        self._keys = {f"/{api.service}": of_api for api, of_api in keys.items()}
        self._keyless = {f"/{api.service}/{method}" for api in keys for method in api.keyless}

    def __call__(self, method: str, context: Context) -> None:
        """Let a call pass that has a key, or needs none.

        Raises:
            InvalidApiKey: when it has none of the API's keys.
        """
        keys = self._keys.get(method.rpartition("/")[0])
        if keys is not None and method not in self._keyless and not keys.accept(_key(context)):
            raise InvalidApiKey


def _key(context: Context) -> str:
    return next((str(value) for name, value in context.invocation_metadata() or () if name == HEADER), "")
