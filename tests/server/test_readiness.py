from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import menagerie_inference
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.errors import ModelUnavailable
from menagerie_inference.registry import Registry
from menagerie_server.readiness import Loading, Models, State

EMBEDDED = Path(menagerie_inference.__file__).parent / "models"


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A profile of sound faces, of people whose model is missing, and of a manifest that is no TOML."""
    shutil.copytree(EMBEDDED / "faces", tmp_path / "faces")
    shutil.copytree(EMBEDDED / "people", tmp_path / "people")
    (tmp_path / "people" / "person.onnx").unlink()
    (tmp_path / "coral").mkdir()
    (tmp_path / "coral" / "manifest.toml").write_text("name = ")
    return tmp_path


async def test_each_role_has_a_state_of_its_own(profile: Path) -> None:
    async with LocalEngine() as engine:
        models = Models(Registry(profile), engine)
        assert models.status("faces").state is State.LOADING
        loaded = await models.load("faces", optional=("people", "coral", "absent"))
        assert sorted(loaded) == ["faces"]
        assert models.status("faces").state is State.READY
        assert "person.onnx does not exist" in models.status("people").reason
        assert models.status("absent").reason == "the profile has no model for 'absent'"
        assert models.failed == ["coral", "people"]


async def test_a_required_model_that_failed(profile: Path) -> None:
    async with LocalEngine() as engine:
        models = Models(Registry(profile), engine)
        with pytest.raises(ModelUnavailable, match="no model for absent, people"):
            await models.load("faces", "people", "absent")


async def test_what_a_profile_fills(profile: Path) -> None:
    async with LocalEngine() as engine:
        models = Models(Registry(profile), engine)
        assert models.fills(("species", "faces"))
        assert not models.fills(("species",))


async def _value() -> int:
    return 3


async def _failure() -> int:
    raise ModelUnavailable


async def test_a_part_is_there_once_it_is_loaded() -> None:
    part: Loading[int] = Loading("species")
    with pytest.raises(ModelUnavailable, match="species: loading"):
        part.get()
    await part.load(_value())
    assert (part.state, part.get()) == (State.READY, 3)


async def test_a_part_whose_models_fail() -> None:
    part: Loading[int] = Loading("species")
    await part.load(_failure())
    assert part.state is State.FAILED
    with pytest.raises(ModelUnavailable, match="species: failed"):
        part.get()
