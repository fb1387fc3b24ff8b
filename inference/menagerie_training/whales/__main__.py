"""Makes the embedded whales model: its graph from the species model's, and its calibration.

    pip install '.[server,onnx,training]'
    python -m menagerie_training.whales FOLDER...

Each folder holds photographs and their labels.csv; `read_photographs()` says what is in it. Model and
manifest are written into the package, or with `--into` elsewhere. With `--embedder MANIFEST` nothing is made:
it prints the two numbers that the calibration of another embedder needs.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx

from menagerie_inference.backends import load_backend
from menagerie_inference.domains.whales.gate import LOGIT
from menagerie_inference.manifest import load_manifest
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.whales import calibration, matching
from menagerie_training.whales.graph import cetacean_classes, whales_graph
from menagerie_training.whales.intervals import Interval
from menagerie_training.whales.photographs import read_photographs, run_each

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from menagerie_inference.manifest import Manifest
    from menagerie_training.whales.photographs import Photograph

MODEL: Final = "whales.onnx"
TEMPLATE: Final = Path(__file__).parent / "manifest.toml.template"
_UNKNOWN: Final = "0.5"


def main() -> None:
    """Make the model, or calibrate another embedder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", help="photographs with their labels.csv")
    parser.add_argument("--into", type=Path, help="where to write; the package's own folder if not given")
    parser.add_argument("--embedder", type=Path, help="calibrate the model of this manifest.toml instead")
    parser.add_argument("--data", default="", help="what the photographs are, for people")
    arguments = parser.parse_args()
    photographs = read_photographs(arguments.folders)
    if arguments.embedder:
        matched, _ = match(load_manifest(arguments.embedder), photographs)
        sys.stdout.write(f"[calibration]\n{lines(matched)}")
        return
    species = Registry.for_profile(EMBEDDED).manifest_for("species")
    make(species, photographs, arguments.into or species.files[0].path.parents[1] / "whales", arguments.data)


def make(species: Manifest, photographs: Sequence[Photograph], folder: Path, data: str) -> None:
    """Write model and manifest into a folder."""
    if species.labels is None:
        raise ValueError(f"{species.identity} has no labels")
    folder.mkdir(parents=True, exist_ok=True)
    graph = whales_graph(onnx.load(species.files[0].path), cetacean_classes(species.labels.read()))
    onnx.save(graph, folder / MODEL)
    values = dict.fromkeys(Template(TEMPLATE.read_text(encoding="utf-8")).get_identifiers(), _UNKNOWN)
    values["model"] = hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    write_manifest(folder, values)
    manifest = load_manifest(folder / "manifest.toml")
    values |= calibrate(manifest, photographs)
    values["data"] = f" ({data})" if data else ""
    write_manifest(folder, values)


def calibrate(manifest: Manifest, photographs: Sequence[Photograph]) -> Mapping[str, str]:
    """Fit and evaluate the gate and the matching; return the values of the manifest's template."""
    matched, similarities = match(manifest, photographs)
    named, called_new = matching.named(similarities, matched)
    return {
        **gate_values(manifest, photographs),
        "new_similarity": str(matched.new_similarity),
        "match_temperature": str(matched.match_temperature),
        "queries": str(len(similarities.own)),
        "individuals": str(similarities.values.shape[1]),
        "first": str(similarities.first_right),
        "named": str(named),
        "called_new": str(called_new),
    }


def gate_values(manifest: Manifest, photographs: Sequence[Photograph]) -> Mapping[str, str]:
    """Fit the gate on all photographs, and evaluate it by two-fold cross-validation."""
    backend = load_backend(manifest, threads=2)
    logits = run_each(backend, manifest, LOGIT, photographs)
    backend.close()
    truth = np.array([photograph.is_cetacean for photograph in photographs])
    halves = np.array([photograph.half for photograph in photographs])
    fitted = calibration.fit(logits, truth)
    measured = calibration.cross_calibrated(logits, truth, halves)
    passed, refused = int(measured.predicted[truth].sum()), int((~measured.predicted[~truth]).sum())
    cetaceans, others = int(truth.sum()), int((~truth).sum())
    return {
        "slope": f"{fitted.slope:.3f}",
        "intercept": f"{fitted.intercept:.3f}",
        "threshold": f"{fitted.threshold:.3f}",
        "count": str(len(photographs)),
        "cetaceans": str(cetaceans),
        "others": str(others),
        "auc": f"{measured.area_under_curve:.4f}",
        "passed": str(passed),
        "refused": str(refused),
        "tpr": f"{passed / cetaceans:.3f}",
        "tnr": f"{refused / others:.3f}",
        "tpr_interval": str(Interval.of(passed, cetaceans)),
        "tnr_interval": str(Interval.of(refused, others)),
    }


def match(
    manifest: Manifest, photographs: Sequence[Photograph]
) -> tuple[matching.Matching, matching.Similarities]:
    """Fit the matching to one photograph of each individual; one without a name is one of its own."""
    first = {
        photograph.individual or photograph.path.name: photograph.path
        for photograph in reversed(photographs)
        if photograph.is_cetacean
    }
    backend = load_backend(manifest, threads=2)
    similarities = matching.measure(backend, manifest, list(first.values()))
    backend.close()
    return matching.fit(similarities), similarities


def lines(matched: matching.Matching) -> str:
    """Write the numbers of the matching as lines of TOML."""
    return f"new_similarity = {matched.new_similarity}\nmatch_temperature = {matched.match_temperature}\n"


def write_manifest(folder: Path, values: Mapping[str, str]) -> None:
    """Fill in the template."""
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(values)
    (folder / "manifest.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
