from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.redness import write_model

from menagerie_inference.manifest import load_manifest

if TYPE_CHECKING:
    from menagerie_inference.manifest import Manifest


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The manifest of a real model that calls red tiles bleached, and what has no blue no reef."""
    return load_manifest(write_model(tmp_path_factory.mktemp("redness")))
