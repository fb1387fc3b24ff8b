"""The manifest beside each model: its identity, source, licence, inputs and outputs."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.dataclasses import dataclass

from menagerie_inference.errors import ManifestError
from menagerie_inference.image.spec import InputSpec

_STRICT = ConfigDict(extra="forbid")


def _resolve(path: Path, info: ValidationInfo) -> Path:
    """Make a path of a manifest absolute; it must not leave the manifest's folder."""
    if info.context is None:  # built by a program, not read from a manifest
        return path
    folder: Path = info.context["folder"].resolve()
    file = (folder / path).resolve()
    if not file.is_relative_to(folder):
        raise ValueError(f"{path} lies outside the manifest's folder")
    if not file.is_file():
        raise ValueError(f"{path} does not exist")
    return file


def _batch_first(shape: tuple[str | int, ...]) -> tuple[str | int, ...]:
    if shape[:1] != ("batch",) or "batch" in shape[1:]:
        raise ValueError('the first dimension is "batch", and the others are numbers')
    return shape


_File = Annotated[Path, AfterValidator(_resolve)]
_Shape = Annotated[tuple[Literal["batch"] | PositiveInt, ...], AfterValidator(_batch_first)]
_Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=_STRICT)
class ModelFile:
    """A file of a model, its SHA-256 in lower-case hex, and its licence as an SPDX expression."""

    path: _File
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    licence: _Text

    @model_validator(mode="after")
    def _verify(self) -> Self:
        with self.path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise ValueError(f"{self.path.name} has the SHA-256 {found}, not {self.sha256}")
        return self


@dataclass(frozen=True, config=_STRICT)
class OutputSpec:
    """An output of a model: its shape, of which the first dimension is "batch", and its NumPy dtype."""

    shape: _Shape
    dtype: Literal["float16", "float32", "float64", "int32", "int64", "uint8", "bool"]


@dataclass(frozen=True, config=_STRICT)
class Labels:
    """The names of a model's classes: a text file of `count` lines, in UTF-8, in the order of the outputs."""

    file: _File
    count: PositiveInt

    @model_validator(mode="after")
    def _verify(self) -> Self:
        found = len(self.read())
        if found != self.count:
            raise ValueError(f"{self.file.name} has {found} labels, not {self.count}")
        return self

    def read(self) -> tuple[str, ...]:
        """Read the labels; the file is read each time."""
        return tuple(self.file.read_text(encoding="utf-8").splitlines())


@dataclass(frozen=True, config=_STRICT)
class Training:
    """What the model was trained on, and for which images it is meant."""

    data: _Text
    """What it was trained on."""

    conditions: _Text
    """How it was trained, and its accuracy on held-out photographs."""

    imagery: _Text
    """The images for which that accuracy holds, and those for which it does not."""


@dataclass(frozen=True, config=_STRICT)
class Manifest:
    """A model that can be loaded. Paths are absolute; hashes and counts were checked when it was read."""

    name: _Text
    version: _Text
    role: _Text
    """The question that the model answers, such as "species"."""

    backend: _Text
    """The backend, such as "onnx", by its name in `backends.load_backend()`."""

    licence: _Text
    """The licence of the whole, as an SPDX expression."""

    source: _Text
    """Where it comes from: an address, or the recipe that made it."""

    files: tuple[ModelFile, ...]
    """All its files; the backend loads the first."""

    input: InputSpec
    outputs: dict[str, OutputSpec]
    labels: Labels | None = None
    calibration: dict[str, float] = field(default_factory=dict)
    """Numbers that were fitted on held-out data, such as a softmax temperature, by name."""

    training: Training | None = None

    @model_validator(mode="after")
    def _verify(self) -> Self:
        if not self.files or not self.outputs:
            raise ValueError("a model has at least one file and one output")
        if self.labels is not None and self.labels.file not in {file.path for file in self.files}:
            raise ValueError(f"{self.labels.file.name} is not among the files, so nothing vouches for it")
        return self

    @property
    def identity(self) -> str:
        """Name and version in one, as in "efficientnet-lite2-int8 1.0"."""
        return f"{self.name} {self.version}"


_MANIFEST = TypeAdapter(Manifest)


def load_manifest(path: Path) -> Manifest:
    """Read a manifest, and verify every file that it names.

    Raises:
        ManifestError: the manifest is missing, is not TOML, or has unknown or missing keys; or a file of it
            is missing, lies outside the folder, or has another hash or number of labels. The text names them
            all.
    """
    try:
        return _MANIFEST.validate_python(_read(path), context={"folder": path.parent})
    except ValidationError as error:
        raise ManifestError(f"{path}: {_describe(error)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: {error}") from error


def _describe(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(_describe_problem(problem["loc"], problem["msg"]) for problem in problems)


def _describe_problem(location: tuple[str | int, ...], message: str) -> str:
    place = ".".join(map(str, location))
    text = message.removeprefix("Value error, ")  # pydantic's prefix to our own words
    return f"{place}: {text}" if place else text
