"""What an operator is told while the server runs, as lines of JSON; `terminal.py` has the ones for people."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
import typer

if TYPE_CHECKING:
    from menagerie_server.supervisor.child import Program

HARMLESS: Final = " LOG:  "
"""PostgreSQL's word for what it tells at any level but the highest."""

_log = structlog.get_logger()


class Console(ABC):
    """Tells an operator what happens."""

    @abstractmethod
    def starting(self) -> None:
        """Tell that the start has begun."""

    @abstractmethod
    def ready(self, announcement: str) -> None:
        """Tell that everything answers."""

    @abstractmethod
    def stopping(self, requests: int) -> None:
        """Tell that a stop has begun, which waits for so many requests."""

    @abstractmethod
    def listening_to(self, program: Program) -> Program:
        """Return the program with those who take the lines that it writes."""


class JsonConsole(Console):
    """One JSON object a line, for everything but the announcement."""

    def starting(self) -> None:
        """Tell nothing."""

    def ready(self, announcement: str) -> None:
        """Print the announcement."""
        typer.echo(announcement)

    def stopping(self, requests: int) -> None:
        """Log it."""
        _log.info("stopping", active_requests=requests)

    def listening_to(self, program: Program) -> Program:
        """Log each line of its standard error; its standard output is JSON already."""
        return replace(program, errors=partial(self._tell, program.name))

    def _tell(self, child: str, line: str) -> None:
        tell = _log.info if HARMLESS in line else _log.warning
        tell("output", child=child, text=line)
