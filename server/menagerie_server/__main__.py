"""The command `menagerie`, which says what is missing where only the messages are installed."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from menagerie_server.cli import main as run  # noqa: PLC0415 - what it needs may be missing
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("menagerie"):
            raise
        sys.exit(
            f"{error.name} is not installed: this is an installation for clients. In a clone of\n"
            "Menagerie, these install the server: make serve, or pip install '.[server,onnx]'"
        )
    run()


if __name__ == "__main__":
    main()
