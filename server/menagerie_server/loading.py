"""A part of the server that is ready only some time after the server is."""

from __future__ import annotations

from typing import Generic, TypeVar

from menagerie_inference.errors import ModelUnavailable

T = TypeVar("T")


class Loading(Generic[T]):
    """Holds a part once it is loaded; until then, whoever asks for it is told so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._part: T | None = None

    @property
    def ready(self) -> bool:
        """True once the part is loaded."""
        return self._part is not None

    def finish(self, part: T) -> None:
        """Hand out this part from now on."""
        self._part = part

    def get(self) -> T:
        """Return the part.

        Raises:
            ModelUnavailable: when it is not loaded yet.
        """
        if self._part is None:
            raise ModelUnavailable(f"{self.name} is still loading")
        return self._part
