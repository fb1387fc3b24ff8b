from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import AnyHttpUrl, ValidationError

from menagerie_server.settings import (
    SETTINGS_FILE_VARIABLE,
    Settings,
    SettingsFileError,
    unknown_variables,
    variable,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_the_defaults_are_the_documented_ports() -> None:
    settings = Settings()
    assert (settings.front_door_port, settings.species.port, settings.grpc_port) == (8080, 7860, 50051)
    assert settings.host == settings.grpc_host == "127.0.0.1"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "menagerie.toml"
    file.write_text("workers = 3\n[species]\nport = 7000\n")
    monkeypatch.setenv(SETTINGS_FILE_VARIABLE, str(file))
    monkeypatch.setenv("MENAGERIE_SPECIES_PORT", "7001")
    settings = Settings()
    assert (settings.workers, settings.species.port) == (3, 7001)


def test_ours_wins_over_the_documents_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "documented")
    key = Settings().species.google_api_key
    assert key is not None
    assert key.get_secret_value() == "documented"
    assert "documented" not in repr(key)
    monkeypatch.setenv("MENAGERIE_SPECIES_GOOGLE_API_KEY", "ours")
    key = Settings().species.google_api_key
    assert key is not None
    assert key.get_secret_value() == "ours"


def test_a_misspelt_key_in_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "menagerie.toml"
    file.write_text("worker = 3\n")
    monkeypatch.setenv(SETTINGS_FILE_VARIABLE, str(file))
    with pytest.raises(ValidationError, match="worker"):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"), [("WORKERS", "0"), ("DRAIN_SECONDS", "-1"), ("SPECIES_PORT", "x")]
)
def test_a_value_out_of_range_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MENAGERIE_{name}", value)
    with pytest.raises(ValidationError, match=name.rpartition("_")[2].lower()):
        Settings()


def test_traces_without_their_extra_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("menagerie_server.settings.find_spec", {}.get)
    with pytest.raises(ValidationError, match=r"menagerie-vision\[tracing\]"):
        Settings(trace_collector_url=AnyHttpUrl("http://localhost:4317"))


@pytest.mark.parametrize("name", ["tls_certificate", "tls_key"])
def test_half_of_a_certificate_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MENAGERIE_{name.upper()}", "file.pem")
    with pytest.raises(ValidationError, match="set together"):
        Settings()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().workers = 2


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file or directory"), ("workers = ", "is not TOML: Invalid value")],
)
def test_a_settings_file_that_cannot_be_read_is_refused(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "menagerie.toml"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv(SETTINGS_FILE_VARIABLE, str(file))
    with pytest.raises(SettingsFileError, match=f"MENAGERIE_SETTINGS_FILE: {file}.*{said}"):
        Settings()


def test_no_settings_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTINGS_FILE_VARIABLE, " ")
    assert Settings().workers == 1


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MENAGERIE_WORKRES", "MENAGERIE_WORKERS"),
        ("MENAGERIE_SPECIES_API_KEY", "MENAGERIE_SPECIES_API_KEYS"),
        ("menagerie_data_dirs", "MENAGERIE_DATA_DIR"),
        ("MENAGERIE_QQQQQQQQQQQQQQQQQQQQQQQQ", ""),
    ],
)
def test_a_variable_that_sets_nothing_is_named_with_the_nearest_that_does(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    assert unknown_variables() == {name: meant}


def test_every_variable_that_sets_something_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "MENAGERIE_SETTINGS_FILE",
        "MENAGERIE_WORKERS",
        "menagerie_workers",
        variable("coral", "port"),
    ):
        monkeypatch.setenv(name, "1")
    assert unknown_variables() == {}
