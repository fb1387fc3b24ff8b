"""What can go wrong between an image's bytes and a model's answer, free of any transport.

InferenceError
├── ImageError
│   ├── ImageUnreadable
│   ├── ImageDamaged
│   └── ImageTooLarge
│       └── ImageTooLong
├── ArchiveError
│   ├── ArchiveUnreadable
│   ├── ArchiveTooLarge
│   └── EntryUnreadable
├── ManifestError
├── ModelFailed
├── ModelUnavailable
├── Overloaded
└── DeadlineExceeded
"""

from __future__ import annotations


class InferenceError(Exception):
    """Base of every error that this package raises on purpose."""


class ImageError(InferenceError):
    """Base of what is wrong with an image that a caller sent."""

    place: int = 0
    """Which of the images of the call it is, counted from 0."""


class ImageUnreadable(ImageError):
    """Raised when no decoder recognises the bytes as an image."""


class ImageDamaged(ImageError):
    """Raised when the bytes start as an image, and are truncated or do not decode."""


class ImageTooLarge(ImageError):
    """Raised when an image's header declares more pixels than the limit; no pixel was decoded."""


class ImageTooLong(ImageTooLarge):
    """Raised when a side is longer than can be handled, however few pixels the image has."""


class ArchiveError(InferenceError):
    """Base of what is wrong with an archive of images that a caller sent."""


class ArchiveUnreadable(ArchiveError):
    """Raised when the bytes are no ZIP archive, or its directory is damaged or truncated."""


class ArchiveTooLarge(ArchiveError):
    """Raised when an archive's directory declares more than a limit allows; nothing was decompressed."""


class EntryUnreadable(ArchiveError):
    """Raised when one entry cannot be read: encrypted, damaged, too large, or of an unknown method."""


class ManifestError(InferenceError):
    """Raised when a model's manifest, or a file that it names, is not what it says."""


class ModelUnavailable(InferenceError):
    """Raised when a model is not loaded, or has been closed."""


class Overloaded(InferenceError):
    """Raised at once when a queue is full; nothing was accepted."""


class DeadlineExceeded(InferenceError):
    """Raised when a caller's deadline passed before its work was started."""


class ModelFailed(InferenceError):
    """Raised when a model's outputs are invalid: not one per image, or not what its manifest says."""
