"""The packages import each other in one direction, for types, too."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = [
    ROOT / "server" / "menagerie_server",
    ROOT / "inference" / "menagerie_inference",
    ROOT / "inference" / "menagerie_training",
    ROOT / "envoy" / "menagerie_envoy",
]


def module_name(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file, package): file for package in PACKAGES for file in package.rglob("*.py")}


def imports(name: str) -> set[str]:
    """Return the modules of ours that a module imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                full if (full := f"{node.module}.{alias.name}") in MODULES else node.module
                for alias in node.names
            }
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & MODULES.keys() - {name}


def test_no_module_imports_itself_through_others() -> None:
    assert len(MODULES) > 150
    # Raises CycleError, naming the modules of a circle.
    order = list(TopologicalSorter({name: imports(name) for name in MODULES}).static_order())
    assert order.index("menagerie_inference.errors") < order.index("menagerie_server.app")
