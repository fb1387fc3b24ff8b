"""What can go wrong between this server and what it stores.

StoreError
├── MigrationFailed
├── ObjectNotFound
└── StoreUnavailable
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of what the database and the object store raise on purpose."""


class MigrationFailed(StoreError):
    """Raised when the database refuses a change of its schema; none was kept."""


class ObjectNotFound(StoreError):
    """Raised when the object store holds nothing under a name."""


class StoreUnavailable(StoreError):
    """Raised when the database or the object store cannot be reached, or has no room left."""
