from __future__ import annotations

import pytest
from pydantic import ValidationError

from menagerie_server.settings import Settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_MODEL", "MENAGERIE_SPECIES_GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_the_defaults_are_the_documents() -> None:
    species = Settings().species
    assert species.google_api_key is None
    assert species.gemini_model == "gemini-1.5-flash"
    assert str(species.gemini_base_url) == "https://generativelanguage.googleapis.com/"


def test_envoy_waits_longer_than_gemini_may_take() -> None:
    settings = Settings()
    assert settings.species.gemini_seconds < settings.idle_seconds


@pytest.mark.parametrize("key", ["", "  "])
def test_a_blank_key_is_none(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", key)
    assert Settings().species.google_api_key is None


def test_the_documents_name_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_MODEL", "gemini-2.5-flash")
    assert Settings().species.gemini_model == "gemini-2.5-flash"
    monkeypatch.setenv("MENAGERIE_SPECIES_GEMINI_MODEL", "ours")
    assert Settings().species.gemini_model == "ours"


@pytest.mark.parametrize(
    ("name", "value"),
    [("BASE_URL", "nowhere"), ("SECONDS", "0"), ("ATTEMPTS", "0"), ("MAX_IMAGES", "20"), ("MODEL", " ")],
)
def test_what_cannot_work_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"MENAGERIE_SPECIES_GEMINI_{name}", value)
    with pytest.raises(ValidationError, match=f"gemini_{name.lower()}"):
        Settings()
