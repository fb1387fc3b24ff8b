"""Inference knows no transport, and loads heavy libraries only where they are used."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import menagerie_inference

ROOT = Path(menagerie_inference.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
TRANSPORT = {"grpc", "grpc_status", "grpc_health", "menagerie", "menagerie_server", "menagerie_envoy"}


def imports(file: Path) -> set[str]:
    """Name the top-level packages that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_the_walk_finds_files_and_imports() -> None:
    assert len(FILES) > 10
    assert "PIL" in imports(ROOT / "image" / "pillow.py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_inference_knows_no_transport(file: Path) -> None:
    assert not imports(file) & TRANSPORT


@pytest.mark.parametrize("engine", ["onnxruntime", "torch", "tensorflow", "keras", "ai_edge_litert", "ray"])
def test_what_runs_models_is_imported_in_one_place(engine: str) -> None:
    users = {file.relative_to(ROOT).parts[0] for file in FILES if engine in imports(file)}
    assert users <= {"backends", "engine", "training"}
