from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from menagerie_inference.manifest import Manifest


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    """The manifest of the embedded species model."""
    return Registry.for_profile(EMBEDDED).manifest_for("species")


@pytest.fixture(scope="session")
def rows(manifest: Manifest) -> list[dict[str, str]]:
    """The rows of the embedded taxonomy."""
    with (manifest.files[0].path.parent / "taxonomy.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
