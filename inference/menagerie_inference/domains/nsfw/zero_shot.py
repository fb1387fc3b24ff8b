"""Zero-shot classification by CLIP: the similarity of an image to sentences about each category.

As in Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021), section
3.1: the embeddings of the sentences are computed once, beforehand; those of a class are normalised and
averaged; the classes' probabilities are a softmax over the cosines times the learnt scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from menagerie_inference.domains.nsfw.categories import (
    ADULT,
    ADULT_OBJECT,
    FEMALE,
    FEMALE_PRESENT,
    MALE_ONLY,
)
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.manifest import Manifest

EMBEDDING: Final = "embedding"
"""The output of an image tower, (batch, dimensions)."""

NOBODY: Final = "nobody"
"""The class of sentences about images without people; it is safe, as "male_only" is."""

_NEEDED: Final = (MALE_ONLY, FEMALE_PRESENT, ADULT_OBJECT)
_CLASSES: Final = (*_NEEDED, NOBODY)
_SEPARATOR: Final = ": "


class ZeroShot:
    """Answers both questions from the embeddings of an image tower.

    The labels of the manifest are the sentences, each as "category: sentence" with one of the three
    categories or "nobody"; one of its files is the `.npy` of their embeddings, (sentences, dimensions); its
    calibration has `logit_scale`.

    Raises:
        ManifestError: one of these is missing, or they do not match.
    """

    def __init__(self, manifest: Manifest) -> None:
        try:
            self._scale = manifest.calibration["logit_scale"]
            classes = _read_classes(manifest)
            texts = _read_embeddings(manifest)
        except (KeyError, ValueError) as error:
            raise ManifestError(f"{manifest.identity}: zero-shot classification: {error}") from error
        self._names = tuple(name for name in _CLASSES if name in classes)
        of_class = np.array(classes)
        means = [texts[of_class == name].mean(axis=0) for name in self._names]
        self._texts = _normalised(np.stack(means))

    def answers(self, outputs: Outputs) -> Mapping[str, NDArray[np.floating[Any]]]:
        """Return the answers to both questions for each image, (batch,)."""
        logits = self._scale * _normalised(outputs[EMBEDDING].astype(np.float64)) @ self._texts.T
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        adult, female = (shares[:, self._names.index(name)] for name in (ADULT_OBJECT, FEMALE_PRESENT))
        rest = 1 - adult
        given_not_adult = np.divide(female, rest, out=np.zeros_like(female), where=rest > 0)
        return {ADULT: adult, FEMALE: np.minimum(given_not_adult, 1.0)}


def _read_classes(manifest: Manifest) -> Sequence[str]:
    lines = manifest.labels.read() if manifest.labels else ()
    classes = [line.partition(_SEPARATOR)[0] for line in lines]
    if unknown := sorted(set(classes) - set(_CLASSES)):
        raise ValueError(f"the labels have the categories {unknown}, and know {list(_CLASSES)}")
    if missing := sorted(set(_NEEDED) - set(classes)):
        raise ValueError(f"no label is about {missing}")
    return classes


def _read_embeddings(manifest: Manifest) -> NDArray[np.floating[Any]]:
    dimensions = manifest.outputs[EMBEDDING].shape[-1]
    expected = (manifest.labels.count if manifest.labels else 0, dimensions)
    for file in manifest.files:
        if file.path.suffix == ".npy":
            texts = np.load(file.path, allow_pickle=False)
            if texts.shape != expected:
                raise ValueError(f"{file.path.name} has the shape {texts.shape}, not {expected}")
            return _normalised(texts.astype(np.float64))
    raise ValueError("none of the files is a .npy of the sentences' embeddings")


def _normalised(vectors: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float64).tiny))
