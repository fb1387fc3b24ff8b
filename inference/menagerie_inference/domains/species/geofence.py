"""The geofence: rules that keep an answer from naming an animal where it does not live."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from menagerie_inference.domains.species.labels import Taxon, taxon
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from menagerie_inference.manifest import Manifest

_FILE: Final = re.compile(r"geofence.*\.json")


class Place(NamedTuple):
    """Where a camera stands: an ISO 3166-1 alpha-3 country, and a region of it such as "CA", or ""."""

    country: str
    admin1_region: str = ""


@dataclass(frozen=True)
class Rule:
    """Where a taxon can be, by country; the regions of a country, or all of it if none is named."""

    allow: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """If any country is named, the taxon is nowhere else."""

    block: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def blocks(self, place: Place) -> bool:
        """Return whether the taxon cannot be at a place. An unknown region blocks nothing."""
        return self._not_allowed(place) or self._blocked(place)

    def _not_allowed(self, place: Place) -> bool:
        if place.country not in self.allow:
            return bool(self.allow)
        regions = self.allow[place.country]
        return bool(regions and place.admin1_region) and place.admin1_region not in regions

    def _blocked(self, place: Place) -> bool:
        if place.country not in self.block:
            return False
        regions = self.block[place.country]
        return not regions or place.admin1_region in regions


class Geofence:
    """The rules of taxa; one without a rule can be anywhere."""

    def __init__(self, rules: Mapping[Taxon, Rule]) -> None:
        self._rules = rules

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read SpeciesNet's geofence_release.json: by taxon, {"allow": {"USA": ["CA"]}, "block": {}}."""
        rules = json.loads(path.read_text(encoding="utf-8"))
        return cls({taxon(f";{names};"): _rule(rule) for names, rule in rules.items()})

    def blocks(self, label: str, place: Place) -> bool:
        """Return whether a label's taxon cannot be at a place."""
        rule = self._rules.get(taxon(label))
        return rule is not None and rule.blocks(place)


def geofence_of(manifest: Manifest) -> Geofence:
    """Read the geofence.json among a model's files, or geofence_release.20251208.json; blocks.

    Without one every animal can be anywhere. Raises `ManifestError` if it does not read.
    """
    file = next((file for file in manifest.files if _FILE.fullmatch(file.path.name)), None)
    try:
        return Geofence({}) if file is None else Geofence.read(file.path)
    except (ValueError, AttributeError, TypeError) as error:
        raise ManifestError(f"{manifest.identity}: the geofence does not read: {error}") from error


def _rule(rule: Mapping[str, Mapping[str, list[str]]]) -> Rule:
    return Rule(*(_regions(rule.get(key, {})) for key in ("allow", "block")))


def _regions(countries: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {country: tuple(regions) for country, regions in countries.items()}
