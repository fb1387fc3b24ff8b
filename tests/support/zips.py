"""ZIP archives for tests: as they should be, and with fields of their directory changed."""

from __future__ import annotations

import io
import struct
import zipfile

_CENTRAL = b"PK\x01\x02"
_END = b"PK\x05\x06"

# Where the fields are in a header of the directory, and their formats (APPNOTE.TXT 4.3.12).
_FIELDS = {
    "flags": (8, "<H"),
    "method": (10, "<H"),
    "checksum": (16, "<L"),
    "packed_size": (20, "<L"),
    "size": (24, "<L"),
    "offset": (42, "<L"),
}


def packed(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Pack files, each a name and its content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def named(*names: bytes, flags: int = 0, extra: bytes = b"") -> bytes:
    """Pack empty files with names of these bytes, as other programs write them."""
    local, directory = b"", b""
    for name in names:
        sizes = struct.pack("<HHLLLLLHH", 0, 0, 0, 0, 0, 0, 0, 0, 0)[: 4 + 4 + 8]
        offset = len(local)
        local += struct.pack("<4sHHH", b"PK\x03\x04", 20, flags, 0) + sizes
        local += struct.pack("<HH", len(name), 0) + name
        directory += struct.pack("<4sHHHH", _CENTRAL, 20, 20, flags, 0) + sizes
        directory += struct.pack("<HHHHHLL", len(name), len(extra), 0, 0, 0, 0, offset) + name + extra
    end = struct.pack("<4sHHHHLLH", _END, 0, 0, len(names), len(names), len(directory), len(local), 0)
    return local + directory + end


def patched(data: bytes, **fields: int) -> bytes:
    """Change fields of the first file's header in the directory; the local header stays."""
    changed = bytearray(data)
    header = data.index(_CENTRAL)
    for field, value in fields.items():
        place, form = _FIELDS[field]
        struct.pack_into(form, changed, header + place, value)
    return bytes(changed)


def end_of_directory(data: bytes) -> int:
    """Find where the record of the directory's end starts."""
    return data.rindex(_END)
