"""What an operator sees in a terminal: short lines. What the children have to say goes to files."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Any, Final

import typer

from menagerie_server.supervisor.addresses import worker_address
from menagerie_server.supervisor.console import Console
from menagerie_server.supervisor.errors import DataFolderError
from menagerie_server.supervisor.programs import ENVOY
from menagerie_server.supervisor.readiness import NO_CLIENT_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from menagerie_server.settings import Settings
    from menagerie_server.supervisor.child import Program

LOG_FOLDER: Final = "logs"
LOG_BYTES: Final = 10 * 1024 * 1024
"""A child's log begins anew when it is as long; the one before it is kept."""

GRPC_PATHS: Final = ("/menagerie.", "/grpc.")
CLIENT_ERROR, SERVER_ERROR = 400, 500


class Terminal(Console):
    """Tells whoever looks on of each request, and of what goes wrong."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / LOG_FOLDER
        workers = (worker_address(settings, index) for index in range(settings.workers))
        self._ends = {None, *(f"{worker.host}:{worker.port}" for worker in workers)}
        self._ready = ""
        # A full disk must not fill the terminal, too: the last lines of each child are kept in memory.
        logging.raiseExceptions = False

    def starting(self) -> None:
        """Tell what starts, and where to look when something goes wrong."""
        settings = self._settings
        database = "PostgreSQL, " if settings.database_url is None else ""
        workers = "a worker" if settings.workers == 1 else f"{settings.workers} workers"
        typer.echo(f"Starting {database}{workers} and Envoy. What they have to say is in {self._folder}")

    def ready(self, announcement: str) -> None:
        """Print the announcement; from now on each request has a line."""
        self._ready = datetime.now(UTC).isoformat()
        typer.echo(f"\n{announcement}\n\nCtrl-C stops it. Each request has a line from here on.\n")

    def stopping(self, requests: int) -> None:
        """Tell what is waited for, and how to wait no longer."""
        what = "1 request" if requests == 1 else f"{requests} requests"
        typer.echo(
            f"\nStopping: waiting for {what} to end, {self._settings.drain_seconds:g} seconds at most.\n"
            "Jobs go on at the next start. Ctrl-C again stops at once."
        )

    def listening_to(self, program: Program) -> Program:
        """Write its standard error to a file of its own; of Envoy show the requests."""
        output = self._show if program.name == ENVOY else None
        return replace(program, errors=self._file(program.name), output=output)

    def _file(self, child: str) -> Callable[[str], None]:
        path = self._folder / f"{child.replace(' ', '-')}.log"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            file = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
        except OSError as error:
            raise DataFolderError(f"{path} cannot be written: {error.strerror}.") from error
        return lambda line: file.emit(logging.makeLogRecord({"msg": line}))

    def _show(self, line: str) -> None:
        try:
            request = json.loads(line)
        except ValueError:
            typer.echo(line)
            return
        if not (self._is_ours(request) or self._is_passed_on(request)):
            typer.echo(short_line(request))

    def _is_ours(self, request: Mapping[str, Any]) -> bool:
        """Whether it is a probe of a start; Envoy writes the last of them after the announcement."""
        early = not self._ready or request["time"] < self._ready
        return early or request["client"] == NO_CLIENT_ADDRESS

    def _is_passed_on(self, request: Mapping[str, Any]) -> bool:
        """Whether another listener logs the same request, as an API's own does for the front door."""
        return request["worker"] not in self._ends


def short_line(request: Mapping[str, Any]) -> str:
    """Return what the access log says of a request, in a line for people."""
    time = datetime.fromisoformat(request["time"]).astimezone().strftime("%H:%M:%S")
    listener = request["listener"].replace("_", " ")
    method, path, status = _call(request)
    # A path may hold anything, and a terminal obeys some of it.
    printable = "".join(one if one.isprintable() else "?" for one in path)
    coloured = typer.style(f"{status:>4}", fg=_colour(request["status"]))
    return (
        f"{time}  {listener:<10}  {method:<6}  {printable:<36}  {coloured}  {request['milliseconds']:>6} ms"
    )


def _call(request: Mapping[str, Any]) -> tuple[str, str, str]:
    path = request["path"] or ""
    if not path.startswith(GRPC_PATHS):
        return request["method"] or "", path, str(request["status"])
    return "gRPC", path.rpartition("/")[2], str(request["grpc_status"] or request["status"])


def _colour(status: int) -> str | None:
    if status >= SERVER_ERROR:
        return typer.colors.RED
    return typer.colors.YELLOW if status >= CLIENT_ERROR else None
