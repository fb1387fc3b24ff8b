from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from menagerie_inference.errors import ManifestError
from menagerie_inference.image import InputSpec
from menagerie_inference.manifest import ModelFile, OutputSpec, load_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_manifest_is_read_and_its_paths_are_absolute(manifest_path: Path) -> None:
    manifest = load_manifest(manifest_path)
    assert manifest.identity == "mean-colour 1.0"
    assert manifest.input == InputSpec(6, 4, "pad")
    assert manifest.outputs == {"mean": OutputSpec(("batch", 3), "float32")}
    assert manifest.calibration == {"temperature": 1.5}
    assert manifest.files[0].path == manifest_path.parent / "model.onnx"
    assert manifest.labels is not None
    assert manifest.labels.read() == ("red", "green", "blue")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('backend = "onnx"', 'backend = "onnx"\nbackends = 2', "backends: Unexpected"),
        ("width = 6", "width = 6\ndepth = 6", "input.depth: Unexpected"),
        ("width = 6", "width = 0", "input.width: .*greater"),
        ('resize = "pad"', 'resize = "stretch"', "input.resize: .*'squash', 'pad' or 'crop'"),
        ('version = "1.0"', "", "version: Field required"),
        ('version = "1.0"', "version = 1", "version: .*string"),
        ('licence = "Apache-2.0"', 'licence = ""', "licence: .*at least 1"),
        ('shape = ["batch", 3]', "shape = [1, 3]", 'the first dimension is "batch"'),
        ('shape = ["batch", 3]', 'shape = ["batch", "batch"]', 'the first dimension is "batch"'),
        ('dtype = "float32"', 'dtype = "float31"', "outputs.mean.dtype"),
        ("count = 3", "count = 4", "labels.txt has 3 labels, not 4"),
        ("temperature = 1.5", 'temperature = "hot"', "calibration.temperature: .*number"),
        ('path = "model.onnx"', 'path = "lost.onnx"', "files.0.path: lost.onnx does not exist"),
        ('path = "model.onnx"', 'path = "../../model.onnx"', "outside the manifest's folder"),
        ('path = "model.onnx"', 'path = "/etc/hostname"', "outside the manifest's folder"),
        ('file = "labels.txt"', 'file = "manifest.toml"', "manifest.toml has .* labels"),
        ("[input]", "[input", "manifest.toml: "),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, text: str, edit: Callable[[str, str], Path]) -> None:
    path = edit(old, new)
    with pytest.raises(ManifestError, match=text) as raised:
        load_manifest(path)
    assert str(path) in str(raised.value)


def test_a_changed_file_is_refused(manifest_path: Path) -> None:
    with (manifest_path.parent / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ManifestError, match=r"files\.0: model\.onnx has the SHA-256 [0-9a-f]{64}, not "):
        load_manifest(manifest_path)


def test_a_link_out_of_the_folder_is_refused(manifest_path: Path, tmp_path: Path) -> None:
    model = manifest_path.parent / "model.onnx"
    model.rename(tmp_path / "elsewhere.onnx")
    model.symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(ManifestError, match="outside"):
        load_manifest(manifest_path)


def test_a_program_names_its_files_as_it_likes(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    file = ModelFile(path, hashlib.sha256(b"").hexdigest(), "Apache-2.0")
    assert file.path == path
    with pytest.raises(ValidationError, match="empty has the SHA-256"):
        ModelFile(path, hashlib.sha256(b"other").hexdigest(), "Apache-2.0")


def test_labels_that_no_hash_vouches_for_are_refused(edit: Callable[[str, str], Path]) -> None:
    path = edit('file = "labels.txt"', 'file = "others.txt"')
    (path.parent / "others.txt").write_text("a\nb\nc\n")
    with pytest.raises(ManifestError, match=r"others\.txt is not among the files"):
        load_manifest(path)


def test_a_model_without_files_is_refused(manifest_path: Path) -> None:
    head = manifest_path.read_text().split("[[files]]", maxsplit=1)[0]
    manifest_path.write_text(f"files = []\n{head}\n[outputs]\n[input]\nwidth = 1\nheight = 1\n")
    with pytest.raises(ManifestError, match="at least one file"):
        load_manifest(manifest_path)


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"nowhere\.toml"):
        load_manifest(tmp_path / "nowhere.toml")


def test_a_manifest_that_is_not_utf_8(manifest_path: Path) -> None:
    manifest_path.write_bytes(b"name = '\xff'")
    with pytest.raises(ManifestError, match=r"manifest\.toml"):
        load_manifest(manifest_path)
