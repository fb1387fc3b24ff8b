"""Reads the uploads of every API: whole forms, forms in pieces, and typed messages."""

from __future__ import annotations

from menagerie_server.uploads.form import MAX_TEXT_BYTES, Form, Part, media_type, read_form
from menagerie_server.uploads.spool import FileLimits, IncomingFile, Spool, SpooledFile, temp_dir_ready
from menagerie_server.uploads.stream import FileReceiver, UploadReceiver, UploadStream, check_text

__all__ = [
    "MAX_TEXT_BYTES",
    "FileLimits",
    "FileReceiver",
    "Form",
    "IncomingFile",
    "Part",
    "Spool",
    "SpooledFile",
    "UploadReceiver",
    "UploadStream",
    "check_text",
    "media_type",
    "read_form",
    "temp_dir_ready",
]
