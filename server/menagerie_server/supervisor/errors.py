"""Why a server does not start. Each text is for the operator: what is wrong, and what to do about it.

StartError
├── AccountError
├── ChildEnded
├── ClusterError
├── DataFolderError
├── DatabaseUrlError
├── NotReady
└── PortInUse
"""

from __future__ import annotations


class StartError(Exception):
    """Base of every reason not to start."""


class AccountError(StartError):
    """Raised when PostgreSQL has no system user to run as, or that user cannot enter a folder."""


class ChildEnded(StartError):
    """Raised when a child process ends before the server was ready for the first time."""


class ClusterError(StartError):
    """Raised when PostgreSQL's data folder cannot be made, or belongs to another major version."""


class DataFolderError(StartError):
    """Raised when the data folder is in use, is someone else's, or cannot be written."""


class DatabaseUrlError(StartError):
    """Raised when the operator's database URL cannot be read; the text holds no part of the URL."""


class NotReady(StartError):
    """Raised when the server did not answer in the time that a start may take."""


class PortInUse(StartError):
    """Raised when another program listens on a port that this server is to listen on."""
