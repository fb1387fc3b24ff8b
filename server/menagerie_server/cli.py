"""The command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer
from pydantic import ValidationError

from menagerie_inference.errors import InferenceError
from menagerie_server.logs import configure_logs
from menagerie_server.settings import Settings, SettingsFileError, unknown_variables, variable
from menagerie_server.store.errors import StoreError
from menagerie_server.supervisor.errors import StartError

_CONVERT_EXTRA: Final = "What converts models is an extra: pip install 'menagerie-vision[convert]'."
_log = structlog.get_logger()

# A pretty traceback would show local variables, and with them passwords.
app = typer.Typer(
    help="Menagerie: wildlife and moderation vision APIs.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

models = typer.Typer(help="Models of your own.", no_args_is_help=True)
app.add_typer(models, name="models")

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
    # gRPC's handlers of forks tell of each child that is started while a worker is asked whether it is ready.
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
    # Each command loads what it needs, and no other's: workers are many, and live long.
    from menagerie_server.supervisor import supervisor  # noqa: PLC0415
    from menagerie_server.supervisor.console import JsonConsole  # noqa: PLC0415
    from menagerie_server.supervisor.terminal import Terminal  # noqa: PLC0415

    settings = _settings(workers=workers, rate_limits=False if no_rate_limits else None)
    configure_logs(settings.log_level)
    for text in _misspelt():
        _log.warning(text)
    reasons: list[str] = []
    try:
        supervisor.serve(settings, Terminal(settings) if sys.stdout.isatty() else JsonConsole())
    except* (StartError, StoreError) as group:
        reasons = [str(error) for error in _leaves(group)]
    _end_for(reasons)


@app.command(hidden=True)
def worker(index: Annotated[int, typer.Option(min=0, help="Which worker this is; the first is 0.")]) -> None:
    """Run one worker, as `menagerie serve` starts it."""
    from menagerie_server.app import run_worker  # noqa: PLC0415

    settings = _settings()
    reasons: list[str] = []
    try:
        run_worker(settings, index)
    except* InferenceError as group:
        reasons = [str(error) for error in _leaves(group)]
    _end_for(reasons)


@models.command()
def convert(
    manifest: Annotated[Path, typer.Argument(help="The manifest.toml of a Keras file or a SavedModel.")],
    folder: Annotated[Path, typer.Argument(help="Where to write; it must not exist yet.")],
    photo: Annotated[
        list[Path] | None, typer.Option(help="A photograph to compare answers on; as often as you like.")
    ] = None,
) -> None:
    """Turn a TensorFlow model into ONNX, with its manifest.

    The graph is kept only if its answers are those of TensorFlow. The report says how far they are apart, and
    how much faster the graph is.
    """
    from menagerie_inference.image import decode  # noqa: PLC0415
    from menagerie_inference.manifest import load_manifest  # noqa: PLC0415

    try:
        from menagerie_inference.backends import conversion  # noqa: PLC0415
    except ModuleNotFoundError as error:
        typer.echo(f"{error.name} is not installed. {_CONVERT_EXTRA}", err=True)
        raise typer.Exit(1) from error
    try:
        model = load_manifest(manifest)
        photographs = [decode(file.read_bytes(), model.input).pixels for file in photo or []]
        typer.echo(str(conversion.convert(model, folder, photographs)))
    except (InferenceError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


whales = typer.Typer(help="The whales' catalogue of a running server.", no_args_is_help=True)
app.add_typer(whales, name="whales")

Folder = Annotated[Path, typer.Argument(help="A folder for each individual, and individuals.csv.")]
Server = Annotated[
    str | None,
    typer.Option(help="Where it answers over gRPC.", show_default="this machine's first worker"),
]


@whales.command("import")
def import_whales(folder: Folder, server: Server = None) -> None:
    """Add the individuals and photographs of a folder that the server does not have yet."""
    from menagerie_server.apis.whales import catalogue_command  # noqa: PLC0415

    raise typer.Exit(catalogue_command.import_folder(_settings(), folder, server))


@whales.command("export")
def export_whales(folder: Folder, server: Server = None) -> None:
    """Write the server's individuals and photographs into a folder that does not have them yet."""
    from menagerie_server.apis.whales import catalogue_command  # noqa: PLC0415

    raise typer.Exit(catalogue_command.export_folder(_settings(), folder, server))


def main() -> None:
    """Run the command line."""
    app()


def _settings(**chosen: Any) -> Settings:  # noqa: ANN401 - pydantic checks the values
    """Return the settings; what the command line has chosen wins, and None is no choice."""
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})
    except SettingsFileError as error:
        reasons = [str(error)]
    except ValidationError as error:
        # Without the values: some are passwords and keys.
        reasons = [f"{variable(*one['loc'])}: {one['msg']}" for one in error.errors(include_input=False)]
    typer.echo("\n  ".join(["The settings cannot be used.", *reasons, *_misspelt()]), err=True)
    raise typer.Exit(1)


def _misspelt() -> list[str]:
    """Name the variables that look like ours and set nothing, where one was meant that does."""
    found = unknown_variables()
    return [
        f"{name} sets nothing." + (f" Did you mean {meant}?" if meant else "")
        for name, meant in found.items()
    ]


def _end_for(reasons: list[str]) -> None:
    """End with these texts, which are for the operator and complete; where there are none, go on."""
    if reasons:
        typer.echo("\n".join(reasons), err=True)
        raise typer.Exit(1)


def _leaves(group: BaseExceptionGroup[StartError | StoreError | InferenceError]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


if __name__ == "__main__":
    main()
