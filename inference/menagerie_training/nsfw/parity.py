"""Compares the embedded networks with the originals on photographs.

    npm install --prefix NODE @tensorflow/tfjs@4.22.0
    python -m menagerie_training.nsfw.parity WHEEL NSFWJS HUMAN --node NODE PHOTO...

WHEEL, NSFWJS and HUMAN are those of `menagerie_training.nsfw.export`. The original of open_nsfw runs in ONNX
Runtime, the others in TensorFlow.js. Every network is run on whole photographs, with or without faces, as
only the arithmetic is compared. Prints the largest absolute difference of each output.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnxruntime

from menagerie_inference.image import InputSpec, decode
from menagerie_training.nsfw import packages
from menagerie_training.nsfw.export import MODELS, package_arguments
from menagerie_training.nsfw.networks import (
    FACERES_OUTPUT,
    FACERES_SIDE,
    NSFWJS_ADULT,
    NSFWJS_CLASSES,
    NSFWJS_OUTPUT,
    NSFWJS_SIDE,
    OPEN_NSFW_SIDE,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_training.nsfw.packages import GraphModelFiles

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]

_RUN_IN_NODE: Final = """
const fs = require("fs"), tf = require("@tensorflow/tfjs");
const [folder, side, output] = process.argv.slice(1);
const model = JSON.parse(fs.readFileSync(folder + "/model.json"));
const weights = fs.readFileSync(folder + "/weights.bin");
const values = new Float32Array(new Uint8Array(fs.readFileSync(folder + "/images.bin")).buffer);
(async () => {
  const network = await tf.loadGraphModel(tf.io.fromMemory({
    modelTopology: model.modelTopology,
    weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
    weightData: new Uint8Array(weights).buffer,
  }));
  const size = side * side * 3, rows = [];
  for (let at = 0; at < values.length; at += size) {
    const image = tf.tensor4d(values.subarray(at, at + size), [1, +side, +side, 3]);
    rows.push(Array.from(network.execute(image, output).dataSync()));
  }
  fs.writeFileSync(folder + "/rows.json", JSON.stringify(rows));
})();
"""


def main() -> None:
    """Print the differences of all three networks."""
    parser = package_arguments(__doc__)
    parser.add_argument("--node", type=Path, required=True, help="the folder with TensorFlow.js")
    parser.add_argument("photos", type=Path, nargs="+")
    arguments = parser.parse_args()
    photos = [path.read_bytes() for path in arguments.photos]
    shown = _shown(photos, OPEN_NSFW_SIDE)
    report(
        "nsfw-opennsfw/opennsfw.onnx",
        shown,
        original_open_nsfw(packages.open_nsfw(arguments.opennsfw), shown),
    )
    shown = _shown(photos, NSFWJS_SIDE)
    shares = in_node(
        packages.nsfwjs(arguments.nsfwjs), shown / np.float32(255), NSFWJS_OUTPUT, arguments.node
    )
    adult = shares[:, [NSFWJS_CLASSES.index(name) for name in NSFWJS_ADULT]].sum(axis=1)
    report("nsfw-nsfwjs/nsfwjs.onnx", shown, adult)
    shown = _shown(photos, FACERES_SIDE)
    blue_first = shown[..., ::-1].astype(np.float32)
    male = in_node(packages.faceres(arguments.human), blue_first, FACERES_OUTPUT, arguments.node)
    report("nsfw-gender/gender.onnx", shown, 1 - male[:, 0])


def original_open_nsfw(content: bytes, shown: NDArray[np.uint8]) -> Floats:
    """Run the published open_nsfw on the central 224 px in BGR, minus the mean."""
    session = onnxruntime.InferenceSession(content)
    given = shown[:, 16:240, 16:240, ::-1].astype(np.float32) - np.array((104, 117, 123), dtype=np.float32)
    answers: Floats = session.run(None, {session.get_inputs()[0].name: given})[0][:, 1]
    return answers


def in_node(files: GraphModelFiles, images: Floats, output: str, node: Path) -> Floats:
    """Run a graph model in TensorFlow.js on preprocessed float images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.json").write_text(json.dumps(files.model))
        (folder / "weights.bin").write_bytes(files.weights)
        (folder / "images.bin").write_bytes(np.ascontiguousarray(images, dtype=np.float32).tobytes())
        command = ("node", "--eval", _RUN_IN_NODE, name, str(images.shape[1]), output)
        subprocess.run(command, cwd=node, capture_output=True, check=True)  # noqa: S603
        return np.array(json.loads((folder / "rows.json").read_text()))


def report(model: str, shown: NDArray[np.uint8], expected: Floats) -> None:
    """Print the largest difference of a model's output."""
    session = onnxruntime.InferenceSession(MODELS / model)
    given = session.run(None, {"images": shown})[0]
    sys.stdout.write(f"{model}: {len(shown)} photographs, {np.abs(given - expected).max():.6f}\n")


def _shown(photos: list[bytes], side: int) -> NDArray[np.uint8]:
    return np.stack([decode(photo, InputSpec(side, side)).pixels for photo in photos])


if __name__ == "__main__":
    main()
