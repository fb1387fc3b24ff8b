from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from menagerie_inference.backends import load_backend
from menagerie_inference.image import InputSpec
from menagerie_inference.manifest import Manifest, ModelFile, OutputSpec
from menagerie_inference.registry import EMBEDDED, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from menagerie_inference.backends import Backend

CALIBRATION = {"gate_slope": 2.0, "gate_intercept": 1.0, "new_similarity": 0.6, "match_temperature": 0.1}


@pytest.fixture(scope="session")
def embedded() -> Manifest:
    """The manifest of the embedded gate, which is the embedder, too."""
    return Registry.for_profile(EMBEDDED).manifest_for("whales")


@pytest.fixture(scope="session")
def backend(embedded: Manifest) -> Iterator[Backend]:
    backend = load_backend(embedded, threads=1)
    yield backend
    backend.close()


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Manifest]:
    """Makes manifests of models that give what it is told, each output (batch, *sides) of its name."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    def make(
        calibration: dict[str, float] | None = None,
        spec: InputSpec | None = None,
        name: str = "net",
        **outputs: tuple[int, ...],
    ) -> Manifest:
        return Manifest(
            name=name,
            version="v1",
            role="whales",
            backend="onnx",
            licence="Apache-2.0",
            source="the tests",
            files=(ModelFile(path, empty, "Apache-2.0"),),
            input=spec or InputSpec(100, 100, "pad"),
            outputs={key: OutputSpec(("batch", *sides), "float32") for key, sides in outputs.items()},
            calibration=CALIBRATION if calibration is None else calibration,
        )

    return make
