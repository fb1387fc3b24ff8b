"""The errors of the database and the object store.

StoreError
├── MigrationFailed
├── ObjectNotFound
└── StoreUnavailable
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of the errors that the database and the object store raise on purpose."""


class MigrationFailed(StoreError):
    """Raised when the database rejects a schema change; all changes were rolled back."""


class ObjectNotFound(StoreError):
    """Raised when the object store has no object of that name."""


class StoreUnavailable(StoreError):
    """Raised when the database or the object store cannot be reached, or is full."""
