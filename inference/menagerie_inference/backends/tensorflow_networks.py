"""Opens Keras files and SavedModels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import keras
import tensorflow as tf

from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from menagerie_inference.manifest import Manifest

SAVED_MODEL: Final = "saved_model.pb"
_SIGNATURE: Final = "serving_default"


@dataclass(frozen=True)
class Network:
    """An opened model file: a function of tensors, and its input."""

    call: Callable[[tf.Tensor], Mapping[str, tf.Tensor]]
    """From images to outputs by name."""

    input: tf.TensorSpec

    owner: Any
    """The object that keeps the function's weights alive."""


def open_network(manifest: Manifest) -> Network:
    """Open a manifest's first file, a `.keras` or a SavedModel's `saved_model.pb`.

    Raises:
        ManifestError: it is neither, a SavedModel's folder holds files that the manifest does not list, a
            Keras file has code of its own (a Lambda layer), or there is not exactly one input.
    """
    path = manifest.files[0].path
    if path.suffix == ".keras":
        return _open_keras(path)
    if path.name == SAVED_MODEL:
        _check_files(manifest)
        return _open_saved_model(path)
    raise ManifestError(
        f"{path}: the backend 'tensorflow' runs a .tflite, a .keras, or a SavedModel by its {SAVED_MODEL}"
    )


def _open_keras(path: Path) -> Network:
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    inputs = model.inputs or []
    if len(inputs) != 1:
        raise ManifestError(f"{path}: the model has {len(inputs)} inputs, not a single one")
    return Network(
        lambda images: _named(model(images, training=False)),
        tf.TensorSpec(inputs[0].shape, inputs[0].dtype),
        owner=model,
    )


def _named(
    outputs: tf.Tensor | Sequence[tf.Tensor] | Mapping[str, tf.Tensor],
) -> Mapping[str, tf.Tensor]:
    """Name outputs as Keras does when it exports a model."""
    if isinstance(outputs, Mapping):
        return outputs
    several = outputs if isinstance(outputs, Sequence) else [outputs]
    return {f"output_{index}": output for index, output in enumerate(several)}


def _open_saved_model(path: Path) -> Network:
    model = tf.saved_model.load(str(path.parent))
    signature = model.signatures.get(_SIGNATURE)
    if signature is None:
        raise ManifestError(f"{path}: there is no signature {_SIGNATURE!r} among {list(model.signatures)}")
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise ManifestError(f"{path}: the model has the inputs {sorted(inputs)}, not a single one")
    [(name, spec)] = inputs.items()
    return Network(lambda images: signature(**{name: images}), spec, owner=model)


def _check_files(manifest: Manifest) -> None:
    """Refuse a SavedModel's folder with files whose hash was not checked."""
    folder = manifest.files[0].path.parent
    known = {file.path for file in manifest.files}
    if unknown := sorted(
        str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file() and file not in known
    ):
        raise ManifestError(f"{folder}: {unknown}: not among the files, so nothing vouches for that")
