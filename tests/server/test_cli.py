from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from tests.support.keras_networks import (
    HEIGHT,
    KERAS,
    SAVED_MODEL,
    WIDTH,
    answers,
    network,
    write,
    write_manifest,
)
from typer.testing import CliRunner

from menagerie_inference.backends import conversion, load_backend
from menagerie_inference.manifest import load_manifest
from menagerie_server.cli import app

if TYPE_CHECKING:
    from pathlib import Path

OUTPUT = {"probability": ("batch", 1)}


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return network(keras.layers.Dense(1, activation="sigmoid"))


@pytest.mark.parametrize("form", [KERAS, SAVED_MODEL])
def test_models_convert_writes_a_graph_and_a_report(model: keras.Model, tmp_path: Path, form: str) -> None:
    manifest = write_manifest(write(model, tmp_path, form), tmp_path, OUTPUT)
    photo = ["--photo", "tests/photos/alpaca.jpg", "--photo", "tests/photos/duck.jpg"]
    result = CliRunner().invoke(app, ["models", "convert", str(manifest), str(tmp_path / "graph"), *photo])
    assert result.exit_code == 0, result.stderr
    assert "parity: max |d| probability " in result.stdout
    assert "over 34 images" in result.stdout
    assert "times as fast" in result.stdout
    images = np.random.default_rng(3).integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
    found = load_backend(load_manifest(tmp_path / "graph" / "manifest.toml"), threads=1).run(images)
    assert found["probability"] == pytest.approx(answers(model, images), abs=1e-4)


def test_models_convert_fails_when_the_answers_differ(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write_manifest(write(model, tmp_path, KERAS), tmp_path, OUTPUT)
    monkeypatch.setattr(conversion, "TOLERANCE", -1.0)
    result = CliRunner().invoke(app, ["models", "convert", str(manifest), str(tmp_path / "graph")])
    assert result.exit_code == 1
    assert result.stderr.startswith("small 1.0: the answers differ: max |d| ")
    assert not (tmp_path / "graph").exists()


def test_models_convert_names_what_is_wrong_with_the_manifest(tmp_path: Path) -> None:
    missing = tmp_path / "manifest.toml"
    result = CliRunner().invoke(app, ["models", "convert", str(missing), str(tmp_path / "graph")])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{missing}: ")


def test_models_convert_names_a_photograph_that_is_none(model: keras.Model, tmp_path: Path) -> None:
    manifest = write_manifest(write(model, tmp_path, KERAS), tmp_path, OUTPUT)
    photo = ["--photo", str(tmp_path / "none.jpg")]
    result = CliRunner().invoke(app, ["models", "convert", str(manifest), str(tmp_path / "graph"), *photo])
    assert result.exit_code == 1
    assert "none.jpg" in result.stderr
    assert not (tmp_path / "graph").exists()


def test_models_convert_says_how_to_install_what_it_needs(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write_manifest(write(model, tmp_path, KERAS), tmp_path, OUTPUT)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    monkeypatch.delitem(sys.modules, "menagerie_inference.backends.conversion")
    monkeypatch.delattr("menagerie_inference.backends.conversion")
    result = CliRunner().invoke(app, ["models", "convert", str(manifest), str(tmp_path / "graph")])
    assert result.exit_code == 1
    assert "tf2onnx" in result.stderr
    assert result.stderr.endswith("pip install 'menagerie-vision[convert]'.\n")


def test_the_command_line_alone_loads_no_models() -> None:
    code = "import menagerie_server.cli, sys; print([n for n in ('tensorflow', 'numpy') if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"
