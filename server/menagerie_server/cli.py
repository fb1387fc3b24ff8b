"""The command line."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from pydantic import ValidationError

from menagerie_server.logs import configure_logs
from menagerie_server.settings import Settings
from menagerie_server.store.errors import StoreError
from menagerie_server.supervisor.errors import StartError

# A pretty traceback would show local variables, and with them passwords.
app = typer.Typer(
    help="Menagerie: wildlife and moderation vision APIs.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Workers = Annotated[
    int | None,
    typer.Option(min=1, help="How many server processes.", show_default="MENAGERIE_WORKERS, or 1"),
]

NoRateLimits = Annotated[
    bool,
    typer.Option("--no-rate-limits", help="Let each address make any number of requests."),
]


@app.command()
def serve(workers: Workers = None, no_rate_limits: NoRateLimits = False) -> None:  # noqa: FBT002 - a flag
    """Run every API: PostgreSQL, the workers and Envoy, until a signal asks for a stop."""
    # Each command loads what it needs, and no other's: workers are many, and live long.
    from menagerie_server.supervisor import supervisor  # noqa: PLC0415

    settings = _settings(workers=workers, rate_limits=False if no_rate_limits else None)
    configure_logs(settings.log_level)
    reasons: list[str] = []
    try:
        supervisor.serve(settings, typer.echo)
    except* (StartError, StoreError) as group:
        reasons = [str(error) for error in _leaves(group)]
    if reasons:
        typer.echo("\n".join(reasons), err=True)
        raise typer.Exit(1)


@app.command(hidden=True)
def worker(index: Annotated[int, typer.Option(min=0, help="Which worker this is; the first is 0.")]) -> None:
    """Run one worker, as `menagerie serve` starts it."""
    from menagerie_server.app import run_worker  # noqa: PLC0415

    run_worker(_settings(), index)


def main() -> None:
    """Run the command line."""
    app()


def _settings(**chosen: Any) -> Settings:  # noqa: ANN401 - pydantic checks the values
    """Return the settings; what the command line has chosen wins, and None is no choice."""
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        typer.echo(f"The settings cannot be used.\n{error}", err=True)
        raise typer.Exit(1) from error


def _leaves(group: BaseExceptionGroup[StartError | StoreError]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


if __name__ == "__main__":
    main()
