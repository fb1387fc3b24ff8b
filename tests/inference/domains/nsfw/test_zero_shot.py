"""Zero-shot answers of a small image tower with random weights, against the formula written out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.support.moderation_models import SIDE, clip_tower

from menagerie_inference.domains.nsfw import Moderator
from menagerie_inference.domains.nsfw.zero_shot import ZeroShot
from menagerie_inference.errors import ManifestError
from menagerie_inference.image import DecodedImage
from menagerie_inference.pipeline import run_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_inference.engine.local import LocalEngine
    from menagerie_inference.manifest import Manifest

SENTENCES = (
    "male_only: a photo of a man",
    "male_only: a photo of men",
    "female_present: a photo of a woman",
    "female_present: a photo of a girl",
    "adult_object: an explicit photo",
    "nobody: a photo of a landscape",
)


def by_hand(manifest: Manifest, embedding: np.ndarray) -> tuple[float, float]:
    """P(adult) and P(female given not adult), by the definition, one class after the other."""
    texts = np.load(manifest.files[1].path).astype(float)
    texts = [text / math.sqrt(sum(text**2)) for text in texts]
    image = embedding / math.sqrt(sum(embedding.astype(float) ** 2))
    scores = {}
    for name, rows in {"male": (0, 1), "female": (2, 3), "adult": (4,), "nobody": (5,)}.items():
        mean = sum(texts[row] for row in rows) / len(rows)
        cosine = sum(image * mean) / math.sqrt(sum(mean**2))
        scores[name] = math.exp(manifest.calibration["logit_scale"] * cosine)
    adult = scores["adult"] / sum(scores.values())
    return adult, scores["female"] / (sum(scores.values()) - scores["adult"])


async def test_a_tower_answers_both_questions(engine: LocalEngine, tmp_path: Path) -> None:
    manifest = clip_tower(tmp_path, "clip", SENTENCES, weight=1, logit_scale=5)
    model = await engine.load(manifest)
    moderator = Moderator([model])
    pixels = np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)
    said = run_in_thread(moderator.infer([[DecodedImage(frame, SIDE, SIDE)] for frame in pixels]))
    embeddings = model.run(pixels)["embedding"]
    expected = [by_hand(manifest, embedding) for embedding in embeddings]
    unsafe = [adult + (1 - adult) * female for adult, female in expected]
    assert said.worst_frame == int(np.argmax(unsafe))
    adult, female = expected[said.worst_frame]
    probabilities = said.per_model_predictions["clip"].category_probabilities
    assert probabilities.adult_object == pytest.approx(adult)
    assert probabilities.female_present == pytest.approx((1 - adult) * female)
    assert said.per_model_predictions["clip"].judged == ("adult", "female")


async def test_three_towers_are_an_ensemble(engine: LocalEngine, tmp_path: Path) -> None:
    shares = {"ViT-L": 0.4, "ViT-H": 0.35, "ViT-g": 0.25}
    models = [
        await engine.load(clip_tower(tmp_path, name, SENTENCES, weight=weight, logit_scale=scale))
        for scale, (name, weight) in enumerate(shares.items(), start=3)
    ]
    moderator = Moderator(models)
    pixels = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    said = run_in_thread(moderator.infer([[DecodedImage(pixels, SIDE, SIDE)] * 3]))
    assert said.models_used == tuple(shares)
    adult = sum(
        weight * said.per_model_predictions[name].category_probabilities.adult_object
        for name, weight in shares.items()
    )
    assert said.ensemble_prediction.category_ensemble_probabilities.adult_object == pytest.approx(adult)


@given(embeddings=arrays(np.float32, (2, 12), elements=st.floats(-1e3, 1e3, width=32)))
def test_answers_are_probabilities(tmp_path_factory: pytest.TempPathFactory, embeddings: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("tower")
    manifest = clip_tower(folder, "clip", SENTENCES, weight=1, logit_scale=100)
    answers = ZeroShot(manifest).answers({"embedding": embeddings})
    for values in answers.values():
        assert values.shape == (2,)
        assert ((values >= 0) & (values <= 1)).all()


def test_the_length_of_an_embedding_does_not_matter(tmp_path: Path) -> None:
    zero_shot = ZeroShot(clip_tower(tmp_path, "clip", SENTENCES, weight=1, logit_scale=100))
    embeddings = np.random.default_rng(3).normal(size=(4, 12)).astype(np.float32)
    one, other = (zero_shot.answers({"embedding": embeddings * factor}) for factor in (1, 50))
    for question, values in one.items():
        np.testing.assert_allclose(values, other[question], rtol=1e-4)


def _edit_texts(manifest: Manifest, texts: np.ndarray) -> None:
    np.save(manifest.files[1].path, texts)


@pytest.mark.parametrize(
    ("sentences", "text"),
    [
        (SENTENCES[:4], "no label is about .*adult_object"),
        ((*SENTENCES, "animals: a photo of a cat"), r"categories \['animals'\]"),
        ((), "no label is about"),
    ],
)
def test_sentences_that_do_not_fit_are_refused(tmp_path: Path, sentences: tuple[str, ...], text: str) -> None:
    manifest = clip_tower(tmp_path, "clip", sentences, weight=1, logit_scale=100)
    with pytest.raises(ManifestError, match=f"clip 1.0: zero-shot classification: .*{text}"):
        ZeroShot(manifest)


def test_a_tower_without_a_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="logit_scale"):
        ZeroShot(clip_tower(tmp_path, "clip", SENTENCES, weight=1))


def test_embeddings_of_another_shape_are_refused(tmp_path: Path) -> None:
    manifest = clip_tower(tmp_path, "clip", SENTENCES, weight=1, logit_scale=100)
    _edit_texts(manifest, np.zeros((6, 11), np.float32))
    with pytest.raises(ManifestError, match=r"texts.npy has the shape \(6, 11\), not \(6, 12\)"):
        ZeroShot(manifest)


def test_embeddings_that_are_code_are_refused(tmp_path: Path) -> None:
    manifest = clip_tower(tmp_path, "clip", SENTENCES, weight=1, logit_scale=100)
    _edit_texts(manifest, np.array([object()] * 6))
    with pytest.raises(ManifestError, match="allow_pickle=False"):
        ZeroShot(manifest)
