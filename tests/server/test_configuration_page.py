"""docs/configuration.md names every setting, with the default that it has."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from menagerie_envoy.apis import APIS
from menagerie_server.api_settings import ApiSettings
from menagerie_server.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
DEFAULTS = dict(re.findall(r"^\| `MENAGERIE_([A-Z_<>]+)` \| (.*?) \|", PAGE, re.MULTILINE))
NAMES = dict(re.findall(r"^\| `([A-Z_]+)` \| ((?:`MENAGERIE_\w+`(?:, )?)+) \|$", PAGE, re.MULTILINE))


def chosen(api: str) -> ApiSettings:
    """Return the settings of an API where nothing is set."""
    found = Settings.model_fields[api].default
    assert isinstance(found, ApiSettings)
    return found


def own_fields(api: str) -> set[str]:
    """Return the settings that an API has beyond those of every API."""
    return type(chosen(api)).model_fields.keys() - ApiSettings.model_fields.keys()


def server_fields() -> set[str]:
    """Return the settings that are not an API's."""
    return Settings.model_fields.keys() - {api.name for api in APIS}


def as_shown(value: object) -> str:
    """Return how the page shows a default."""
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{str(value).removesuffix('.0')}`"


def test_the_page_has_every_setting_and_no_other() -> None:
    expected = {name.upper() for name in server_fields()}
    expected |= {f"<API>_{name.upper()}" for name in ApiSettings.model_fields}
    expected |= {f"{api.name}_{name}".upper() for api in APIS for name in own_fields(api.name)}
    assert set(DEFAULTS) == expected


@pytest.mark.parametrize("name", sorted(server_fields()))
def test_the_server_has_the_default_that_is_shown(name: str) -> None:
    default = Settings.model_fields[name].default
    if default is PydanticUndefined:  # it depends on the machine, and is told in words
        assert DEFAULTS[name.upper()]
    else:
        assert DEFAULTS[name.upper()] == as_shown(default)


@pytest.mark.parametrize(
    ("api", "name"), [(api.name, name) for api in APIS for name in sorted(own_fields(api.name))]
)
def test_an_api_has_the_default_of_its_own_that_is_shown(api: str, name: str) -> None:
    assert DEFAULTS[f"{api}_{name}".upper()] == as_shown(getattr(chosen(api), name))


@pytest.mark.parametrize("api", [api.name for api in APIS])
@pytest.mark.parametrize("name", sorted(ApiSettings.model_fields.keys() - {"allowed_origins"}))
def test_each_api_has_the_default_that_is_shown(api: str, name: str) -> None:
    shown = DEFAULTS[f"<API>_{name.upper()}"]
    here = next((part for part in shown.split("; ") if re.search(rf"\b{api}\b", part)), None)
    others = re.sub(r"^the others ", "", shown.split("; ")[-1 if "the others" in shown else 0])
    assert (here or others).split()[-1] == as_shown(getattr(chosen(api), name))


def test_the_documents_names_are_all_there() -> None:
    expected = defaultdict(set)
    for api in APIS:
        for name, field in chosen(api.name).documented.items():
            expected[name].add(f"MENAGERIE_{api.name}_{field}".upper())
    assert {name: set(re.findall(r"MENAGERIE_\w+", targets)) for name, targets in NAMES.items()} == expected


def test_the_example_file_can_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    [text] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "settings.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("MENAGERIE_SETTINGS_FILE", str(tmp_path / "settings.toml"))
    settings = Settings()
    assert settings.workers == tomllib.loads(text)["workers"]
    assert settings.species.rate_limit_requests == 600
