"""The tokens of pages: a number and a checksum, so that invented tokens are refused."""

from __future__ import annotations

import hashlib
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from menagerie_server.apis.whales.errors import InvalidField

UNKNOWN_PAGE: Final = "page_token is not one that a page named."


def page_token(number: int, listed: str = "") -> str:
    """Return the token of the page after this number.

    Args:
        listed: the individual whose photographs are listed; "": individuals are.
    """
    packed = struct.pack(">Q", number)
    return urlsafe_b64encode(packed + _check(packed, listed)).decode()


def read_token(token: str, listed: str = "") -> int:
    """Return the number in a page's token.

    Raises:
        InvalidField: the token is not one that a page of this list returned.
    """
    try:
        data = urlsafe_b64decode(token.encode("ascii"))
        (number,) = struct.unpack(">Q", data[:8])
    except (ValueError, struct.error) as error:
        raise InvalidField(UNKNOWN_PAGE) from error
    if page_token(number, listed) != token:
        raise InvalidField(UNKNOWN_PAGE)
    return int(number)


def _check(packed: bytes, listed: str) -> bytes:
    return hashlib.blake2s(packed + listed.encode(), digest_size=4, person=b"whales").digest()
