from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from menagerie_inference.errors import ManifestError
from menagerie_inference.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_folder_of_the_users_own_is_a_profile(models: Path) -> None:
    registry = Registry.for_profile(str(models))
    assert registry.roles() == ("colour",)
    assert registry.manifest_for("colour").name == "mean-colour"


def test_the_embedded_models_all_verify() -> None:
    registry = Registry.for_profile("embedded")
    for role in registry.roles():
        assert registry.manifest_for(role).role == role


def test_a_role_that_nothing_fills(models: Path) -> None:
    with pytest.raises(ManifestError, match="no model for the role 'whales'"):
        Registry(models).manifest_for("whales")


def test_a_model_in_another_roles_place(models: Path, edit: Callable[[str, str], Path]) -> None:
    edit('role = "colour"', 'role = "shape"')
    with pytest.raises(ManifestError, match="for the role 'shape', not 'colour'"):
        Registry(models).manifest_for("colour")


def test_a_profile_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="neither 'embedded' nor a folder"):
        Registry.for_profile(str(tmp_path / "nowhere"))
