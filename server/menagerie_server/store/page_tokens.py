"""Tokens of the pages of lists in the order of a number: opaque, and told from any other text."""

from __future__ import annotations

import hashlib
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from menagerie_server.errors import InvalidRequest

UNKNOWN_PAGE: Final = "page_token is not one that a page ended with."


class PageTokens:
    """The tokens of one list, told from those of others by a name of at most 8 bytes."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()

    def write(self, number: int) -> str:
        """Return the token of the page behind this number."""
        packed = struct.pack(">Q", number)
        check = hashlib.blake2s(packed, digest_size=4, person=self._name).digest()
        return urlsafe_b64encode(packed + check).decode()

    def read(self, token: str) -> int:
        """Return the number that a token tells; 0 of an empty one, which is the first page's.

        Raises:
            InvalidRequest: no page has ended with this token.
        """
        if not token:
            return 0
        try:
            (number,) = struct.unpack(">Q", urlsafe_b64decode(token.encode("ascii"))[:8])
        except (ValueError, struct.error) as error:
            raise InvalidRequest(UNKNOWN_PAGE) from error
        if self.write(number) != token:
            raise InvalidRequest(UNKNOWN_PAGE)
        return int(number)
