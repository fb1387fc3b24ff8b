from __future__ import annotations

import pytest

from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training import EMBEDDED_MODELS


@pytest.mark.parametrize("role", Registry.for_profile(EMBEDDED).roles())
def test_the_recipes_write_where_the_embedded_models_are_read(role: str) -> None:
    manifest = Registry.for_profile(EMBEDDED).manifest_for(role)
    assert all(file.path.parent == EMBEDDED_MODELS / role for file in manifest.files)
