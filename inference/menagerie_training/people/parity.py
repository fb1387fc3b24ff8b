"""Compares the embedded detectors with the original networks, run by LiteRT, on photographs.

    pip install ai-edge-litert==2.3.0
    python -m menagerie_training.people.parity WHEEL PACKAGE PHOTO...

WHEEL and PACKAGE are those of `menagerie_training.people.export`. Each network's raw outputs are
decoded here by numpy as MediaPipe decodes them. Prints the greatest absolute differences over all anchors of
all photographs: below 2e-5 on 506 of them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

from menagerie_inference.image import decode
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.people.detectors import FACE_SIZE, face_anchors, person_anchors
from menagerie_training.people.export import face_weights, person_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
Outputs = dict[str, Floats]


def main() -> None:
    """Print the differences of both detectors."""
    parser = argparse.ArgumentParser(description="Compare the embedded detectors with the original networks.")
    parser.add_argument("face_wheel", type=Path)
    parser.add_argument("objectron_package", type=Path)
    parser.add_argument("photos", type=Path, nargs="+")
    arguments = parser.parse_args()
    photos = [path.read_bytes() for path in arguments.photos]
    compare("faces", face_weights(arguments.face_wheel), one_face, photos)
    compare("people", person_weights(arguments.objectron_package), one_person, photos)


def compare(
    role: str,
    weights: bytes,
    original: Callable[[Any, NDArray[np.uint8]], Outputs],
    photos: list[bytes],
) -> None:
    """Print the greatest difference of each output over the photographs, preprocessed as by the server."""
    manifest = Registry.for_profile(EMBEDDED).manifest_for(role)
    embedded = onnxruntime.InferenceSession(manifest.files[0].path)
    interpreter = Interpreter(model_content=weights, num_threads=1)
    shown = [decode(photo, manifest.input).pixels for photo in photos]
    found = [difference(original(interpreter, pixels), embedded, pixels) for pixels in shown]
    worst = {output: max(one[output] for one in found) for output in found[0]}
    sys.stdout.write(f"{role}: {len(photos)} photographs, {worst}\n")


def difference(expected: Outputs, session: Any, pixels: NDArray[np.uint8]) -> dict[str, float]:  # noqa: ANN401
    """Return the greatest absolute difference of each output for one image."""
    names = list(expected)
    given = session.run(names, {"images": pixels[None]})
    pairs = zip(names, given, strict=True)
    return {name: float(np.abs(expected[name] - array[0]).max()) for name, array in pairs}


def one_face(interpreter: Any, pixels: NDArray[np.uint8]) -> Outputs:  # noqa: ANN401
    """Run the original face detector and decode its outputs."""
    codes, logits = raw(interpreter, pixels)
    codes = codes / FACE_SIZE
    centre, side = codes[:, :2] + face_anchors(), codes[:, 2:4]
    return {
        "scores": sigmoid(logits[:, 0]),
        "boxes": corners(centre, side),
        "landmarks": codes[:, 4:].reshape(-1, 6, 2) + face_anchors()[:, None],
    }


def one_person(interpreter: Any, pixels: NDArray[np.uint8]) -> Outputs:  # noqa: ANN401
    """Run the original person detector and decode its outputs."""
    codes, logits = raw(interpreter, pixels)
    anchors = person_anchors()
    centre = codes[:, [1, 0]] / 10 * anchors[:, 2:] + anchors[:, :2]
    side = np.exp(codes[:, [3, 2]] / 5) * anchors[:, 2:]
    scores = sigmoid(logits)
    return {
        "scores": scores[:, 4],
        "boxes": corners(centre, side),
        "vehicles": scores[:, [18, 23]].max(axis=1),
    }


def raw(interpreter: Any, pixels: NDArray[np.uint8]) -> tuple[Floats, Floats]:  # noqa: ANN401
    """Run an original network; return its encoded boxes and its logits."""
    interpreter.allocate_tensors()
    image = pixels[None].astype(np.float32) / 127.5 - 1
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    found = {
        entry["name"]: interpreter.get_tensor(entry["index"])[0] for entry in interpreter.get_output_details()
    }
    codes: Floats = next(array for name, array in found.items() if name.endswith(("regressors", "encodings")))
    logits: Floats = next(
        array for name, array in found.items() if name.endswith(("classificators", "predictions"))
    )
    return codes, logits


def corners(centre: Floats, side: Floats) -> Floats:
    """Return x_min, y_min, x_max, y_max, clipped to the image."""
    boxes: Floats = np.clip(np.concatenate([centre - side / 2, centre + side / 2], axis=1), 0, 1)
    return boxes


def sigmoid(logits: Floats) -> Floats:
    """Return probabilities."""
    probabilities: Floats = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return probabilities


if __name__ == "__main__":
    main()
