"""Describes the documented service's own coral model, whose file comes without a manifest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from menagerie_inference.image.spec import InputSpec, Scaling
from menagerie_inference.manifest import Manifest, ModelFile, OutputSpec

if TYPE_CHECKING:
    from pathlib import Path

_LICENCE: Final = "LicenseRef-unstated"


def upstream_manifest(path: Path) -> Manifest:
    """Describe a TFLite file that takes 224 px of RGB from 0 to 1, and says how probable bleaching is.

    Raises `FileNotFoundError` if there is no such file.
    """
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Manifest(
        name=path.name,
        version=sha256[:8],
        role="coral",
        backend="tensorflow",
        licence=_LICENCE,
        source="a file that the user gave",
        files=(ModelFile(path, sha256, _LICENCE),),
        input=InputSpec(
            width=224, height=224, resample="bicubic", scaling=Scaling(divisor=(255.0, 255.0, 255.0))
        ),
        outputs={"probability": OutputSpec(("batch", 1), "float32")},
    )
