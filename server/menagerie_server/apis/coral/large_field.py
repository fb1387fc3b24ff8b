"""Serialises messages with a field of many megabytes, streaming.

As a Python string such a field is copied and validated three times while the GIL is held: 60 MB blocked the
event loop for a quarter of a second.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from google.protobuf.message import Message

LENGTH_DELIMITED: Final = 2
"""The wire type of strings. Source: https://protobuf.dev/programming-guides/encoding/."""
SEVEN_BITS: Final = 0x7F


async def serialised(message: Message, field: str, pieces: AsyncIterable[bytes]) -> bytes:
    """Serialise a message and append a string field that it lacks, whose UTF-8 comes in pieces."""
    value = [piece async for piece in pieces]
    tag = _varint(message.DESCRIPTOR.fields_by_name[field].number << 3 | LENGTH_DELIMITED)
    head = message.SerializeToString() + tag + _varint(sum(map(len, value)))
    # In a thread, and by a join, which releases the GIL.
    return await asyncio.to_thread(b"".join, [head, *value])


def _varint(number: int) -> bytes:
    """Encode a varint: seven bits a byte, the lowest first; all but the last have the eighth bit set."""
    groups = bytearray()
    while number > SEVEN_BITS:
        groups.append(number & SEVEN_BITS | SEVEN_BITS + 1)
        number >>= 7
    groups.append(number)
    return bytes(groups)
