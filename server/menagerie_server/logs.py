"""Structured logs on standard output: one JSON object a line, but short lines in a terminal."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor  # noqa: TC002 - a list is annotated with it when the program runs


def configure_logs(level: str) -> None:
    """Write every log line with its time, its level and what is bound to the call at hand.

    In a terminal, where each request has a line of Envoy's, INFO writes what goes wrong alone.
    """
    terminal = sys.stdout.isatty()
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *(_for_people() if terminal else _for_programs()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.WARNING if terminal and threshold == logging.INFO else threshold
        ),
        cache_logger_on_first_use=True,
    )


def _for_programs() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        # Local variables hold passwords, keys and photographs.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(),
    ]


def _for_people() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        # The default one shows local variables.
        structlog.dev.ConsoleRenderer(pad_event_to=0, exception_formatter=structlog.dev.plain_traceback),
    ]
