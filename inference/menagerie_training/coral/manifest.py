"""Writes the manifest of a coral model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from menagerie_training.evaluation.calibration import expected_calibration_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from menagerie_training.coral.calibration import Calibration
    from menagerie_training.evaluation.coral_labels import Coral

TEMPLATE: Final = Path(__file__).parent / "manifest.toml.template"
MODEL: Final = "coral.onnx"
"""The file of the model, beside its manifest."""


@dataclass(frozen=True)
class Provenance:
    """What nobody can tell from the photographs: parts of sentences, for people."""

    data: str = 'of the train split of the set "Healthy and Bleached Corals" (from Flickr; labels are noisy)'
    """Where the photographs of corals are from."""

    imagery: str = (
        "Colour photographs of reefs by divers and snorkellers, most some 300 px wide, and tiles of them"
    )
    """Which images they stand for."""


def write_manifest(
    folder: Path,
    calibration: Calibration,
    corals: Sequence[Coral],
    others: Sequence[Path],
    provenance: Provenance,
) -> None:
    """Write the manifest with the hash of the model as it is now."""
    bleached = sum(coral.bleached for coral in corals)
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        model=hashlib.sha256((folder / MODEL).read_bytes()).hexdigest(),
        temperature=calibration.bleached.temperature,
        reef_threshold=calibration.reef_threshold,
        accuracy=calibration.bleached.photographs.accuracy,
        error=f"{expected_calibration_error(calibration.bleached.photographs.reliability()):.3f}",
        tiles_accuracy=calibration.bleached.tiles.accuracy,
        bleached=bleached,
        healthy=len(corals) - bleached,
        others=len(others),
        data=_escaped(provenance.data),
        imagery=_escaped(provenance.imagery),
    )
    (folder / "manifest.toml").write_text(text, encoding="utf-8")


def _escaped(text: str) -> str:
    """Escape text for a string of TOML, whose escapes are JSON's."""
    return json.dumps(text)[1:-1]
