"""Settings: the environment and one TOML file, read once, frozen, and passed down in small pieces."""

from __future__ import annotations

import os
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

import platformdirs
from pydantic import AnyHttpUrl, Field, PositiveFloat, PositiveInt, field_validator, model_validator
from pydantic.fields import FieldInfo  # noqa: TC002 - pydantic reads the annotations of its sources
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from menagerie_envoy.apis import APIS, Api
from menagerie_server.api_settings import ApiSettings, Names, documented_values
from menagerie_server.apis.coral.settings import CoralSettings
from menagerie_server.apis.muzzle.settings import MuzzleSettings
from menagerie_server.apis.nsfw.settings import NsfwSettings
from menagerie_server.apis.species.settings import SpeciesSettings
from menagerie_server.apis.whales.settings import WhalesSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "MENAGERIE_"
SETTINGS_FILE_VARIABLE = f"{PREFIX}SETTINGS_FILE"


class SettingsFileError(Exception):
    """Raised when the settings file cannot be read; the text is for the operator."""


def default_data_dir() -> Path:
    """Return where this user's data belongs: /var/lib for root, the XDG data folder for everyone else."""
    if os.geteuid() == 0:
        return Path("/var/lib/menagerie")
    return platformdirs.user_data_path("menagerie")


class Settings(BaseSettings):
    """Everything an operator can set.

    Each field is the environment variable `MENAGERIE_<NAME>`, or the key of that name in the TOML file that
    `MENAGERIE_SETTINGS_FILE` names; the environment wins.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="_", env_nested_max_split=1, frozen=True, extra="forbid"
    )

    data_dir: Path = Field(default_factory=default_data_dir)
    """Where the embedded database, the object store and the logs of children live."""
    database_url: str | None = None
    """A PostgreSQL URL; none: an embedded server under `data_dir`, run by `menagerie serve`."""
    envoy_admin_socket: Path | None = None
    """Envoy's admin interface, for the counters in /metrics; `menagerie serve` sets it for its workers."""
    object_store_url: str | None = None
    """file:///…, s3://…, gs://… or az://…; none: a folder under `data_dir`."""

    host: str = "127.0.0.1"
    """The address that Envoy listens on; 0.0.0.0 opens the APIs to the network."""
    front_door_port: int = 8080
    whales: WhalesSettings = WhalesSettings()
    coral: CoralSettings = CoralSettings()
    species: SpeciesSettings = SpeciesSettings()
    nsfw: NsfwSettings = NsfwSettings()
    muzzle: MuzzleSettings = MuzzleSettings()
    rate_limits: bool = True
    """Whether each API's limit of requests holds; `menagerie serve --no-rate-limits` lifts them all."""
    trusted_proxies: Names = ()
    """The networks, such as 10.0.0.0/8, whose X-Forwarded-For is believed, besides this machine's own."""
    tls_certificate: Path | None = None
    """A PEM file with the certificate chain of every listener; none: plain HTTP. It needs `tls_key`."""
    tls_key: Path | None = None

    workers: PositiveInt = 1
    """How many server processes; Envoy balances every request over them."""
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 50051
    """The first worker's gRPC port; the others follow."""
    default_deadline_seconds: PositiveFloat = 30.0
    """How long a call may take whose caller sets no deadline."""
    max_wait_seconds: PositiveFloat = 2.0
    """A call that would wait longer for a thread or a model is refused at once."""
    profile: str = "embedded"
    """Which models run: the embedded ones, or those of a folder with <role>/manifest.toml for each role."""
    envoy_threads: PositiveInt = Field(default_factory=lambda: max(1, (os.cpu_count() or 1) // 4))
    """Envoy passes on some thousand calls a second in one thread; models need the other cores."""
    max_calls_per_caller: PositiveInt = 2048
    """How many calls of one address a worker runs, or waits for the rest of, at once."""
    max_request_mb: PositiveInt = 512
    """The requests that a worker holds at once, in MiB; one more is refused at once."""
    max_request_mb_per_caller: PositiveInt = 256
    """The requests of one address of these, in MiB."""
    max_discarded_mb: PositiveInt = 128
    """How much more than it may have a body is read to its end, in MiB, for clients that listen only then."""
    max_connections: PositiveInt = 10_000
    """How many connections callers may hold, to all listeners together; one more is closed at once."""
    idle_seconds: PositiveFloat = 60.0
    """How long a request or a stream may stand still before Envoy ends it."""
    request_seconds: PositiveFloat = 3600.0
    """How long a request may take to arrive, however steadily; Envoy ends it then."""
    idle_connection_seconds: PositiveFloat = 60.0
    """How long a connection without a request is kept open."""
    envoy_max_heap_mb: PositiveInt = 1024
    """Envoy's memory in MiB; near it, Envoy ends the largest streams and takes no new requests."""
    database_connections_per_worker: PositiveInt = Field(default=8, ge=6, le=64)
    """All connections of a worker: four are for jobs alone, the others for calls."""
    jobs_per_worker: PositiveInt = 4
    """How many jobs a worker runs at once; the others wait. With one, small ones wait for large ones."""
    max_unended_jobs: PositiveInt = 1000
    """How many jobs may wait or run, of all workers together; one more is refused at once."""
    max_unended_jobs_per_caller: PositiveInt = 200
    """How many jobs of one address may wait or run."""
    max_stored_gb: PositiveInt = 32
    """What the jobs of one API may store until they are removed, in GiB."""
    max_stored_gb_per_caller: PositiveInt = 4
    """What the jobs of one address may store of that, in GiB."""
    job_retention_hours: PositiveFloat = 24.0
    """How long an ended job and its result are kept."""
    drain_seconds: PositiveFloat = 10.0
    """How long a stop waits for requests and streams to end."""
    ready_seconds: PositiveFloat = 60.0
    """How long a start may take before it is given up."""
    log_level: str = "INFO"
    trace_collector_url: AnyHttpUrl | None = None
    """Where an OpenTelemetry collector takes OTLP over gRPC, as http://localhost:4317; none: no traces."""
    trace_ratio: float = Field(default=1.0, ge=0, le=1)
    """The share of calls that are traced, unless a caller has decided about its own."""

    @field_validator("data_dir")
    @classmethod
    def _make_absolute(cls, folder: Path) -> Path:
        # Children do not all run in the folder that the server was started in.
        return folder.expanduser().absolute()

    @field_validator("trace_collector_url")
    @classmethod
    def _check_extra(cls, url: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if url is not None and find_spec("opentelemetry") is None:
            raise ValueError("traces need an extra: pip install 'menagerie-vision[tracing]'")
        return url

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        # One alone would silently leave every listener without TLS.
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are set together")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes it by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes it by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then our variables, then the documents' own, then the TOML file."""
        return init_settings, env_settings, DocumentedVariables(settings_cls), _settings_file(settings_cls)

    @property
    def apis(self) -> dict[Api, ApiSettings]:
        """The settings of each API."""
        return {api: getattr(self, api.name) for api in APIS}


def _settings_file(settings: type[BaseSettings]) -> TomlConfigSettingsSource:
    """Return what the settings file holds; nothing, where none is named.

    Raises:
        SettingsFileError: the file that is named cannot be read. It may hold the API keys.
    """
    name = os.environ.get(SETTINGS_FILE_VARIABLE, "").strip()
    try:
        if name:
            # The library reads a file that is missing as an empty one.
            Path(name).expanduser().open("rb").close()
        return TomlConfigSettingsSource(settings, name or None)
    except OSError as error:
        raise SettingsFileError(f"{SETTINGS_FILE_VARIABLE}: {name}: {error.strerror}.") from error
    except ValueError as error:
        raise SettingsFileError(f"{SETTINGS_FILE_VARIABLE}: {name} is not TOML: {error}.") from error


def unknown_variables() -> dict[str, str]:
    """Return the variables that look like ours and set nothing, each with the nearest name that does."""
    known = set(_variables())
    unknown = (name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    return {name: next(iter(get_close_matches(name.upper(), known, n=1)), "") for name in unknown}


def variable(*path: str | int) -> str:
    """Return the name of the environment variable for a field, such as ("species", "port")."""
    return PREFIX + "_".join(map(str, path)).upper()


def _variables() -> Iterator[str]:
    yield SETTINGS_FILE_VARIABLE
    for name, field in Settings.model_fields.items():
        yield variable(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, ApiSettings):
            yield from (variable(name, inner) for inner in field.annotation.model_fields)


class DocumentedVariables(PydanticBaseSettingsSource):
    """The environment variables by the names that the APIs' own documents give them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[object, str, bool]:
        """Return the values of one API."""
        api = field.annotation
        if not (isinstance(api, type) and issubclass(api, ApiSettings)):
            return None, field_name, False
        return documented_values(api, dict(os.environ)), field_name, False

    def __call__(self) -> dict[str, object]:
        """Return the values of every API that has any."""
        fields = self.settings_cls.model_fields.items()
        values = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in values.items() if value}
