"""A profile with a TensorFlow model, from a real photograph's bytes to its tiles."""

from __future__ import annotations

import io
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tests.support import keras_networks
from tests.support.photos import PHOTOS

from menagerie_inference.batching import BatchPolicy
from menagerie_inference.domains.coral import BLEACHED, HEALTHY, ChunkResult, CoralClassifier, Summary
from menagerie_inference.domains.coral.tiling import Grid
from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.registry import Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

UPSTREAM = Path(__file__).parents[5] / "shared" / "data" / "models" / "coral-upstream-primary.tflite"
"""A model that may not be copied into this repository; it may lie beside the checkout."""

PHOTO = PHOTOS.an_animal().content
OUTPUT = {"probability": ("batch", 1)}
GUIDE = Path(__file__).parents[4] / "docs" / "tensorflow-models.md"

SCALING = "[input.scaling]\ndivisor = [255.0, 255.0, 255.0]\n"


async def judged(profile: Path, data: bytes) -> tuple[list[ChunkResult], Summary]:
    """Judge a photograph with the coral model of a profile, as a worker does."""
    manifest = Registry.for_profile(str(profile)).manifest_for("coral")
    with ThreadPoolExecutor(1) as threads:
        async with LocalEngine(BatchPolicy(instances=2), cores=2) as engine:
            coral = CoralClassifier(await engine.load(manifest), threads)
            photo = (await coral.open(data)).image
            chunks = [chunk async for batch in coral.classify(photo) for _, chunk in batch]
    return chunks, coral.summarise(chunks)


def tiles(
    data: bytes, size: tuple[int, int], resample: Image.Resampling = Image.Resampling.BILINEAR
) -> NDArray[np.float32]:
    """Cut and resize a photograph's tiles with Pillow alone, scaled to 0..1."""
    photo = Image.open(io.BytesIO(data))
    cut = [photo.crop(tile.box) for tile in Grid(*photo.size)]
    small = [tile.resize(size, resample, reducing_gap=3.0) for tile in cut]
    return np.stack([np.asarray(tile, np.float32) / 255 for tile in small])


def tensorflow_lite(model: Path, images: NDArray[np.float32]) -> list[float]:
    """Ask TensorFlow's own interpreter of TFLite, which is not the one that serves."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(str(model))
    ask = interpreter.get_signature_runner()
    [name] = ask.get_input_details()
    [answers] = ask(**{name: images}).values()
    return [float(answer) for [answer] in answers]


@pytest.mark.parametrize("form", keras_networks.FORMS)
async def test_a_model_of_each_form_judges_a_photograph(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "coral"
    folder.mkdir()
    model = keras_networks.network(keras.layers.Dense(1, activation="sigmoid"))
    first = keras_networks.write(model, folder, form)
    expected = keras_networks.answers(model, tiles(PHOTO, (32, 24)))[:, 0].tolist()
    threshold = sorted(expected)[2] + 1e-4
    more = f"{SCALING}[calibration]\nthreshold = {threshold}\n"
    keras_networks.write_manifest(first, folder, OUTPUT, role="coral", more=more)
    chunks, summary = await judged(tmp_path, PHOTO)
    assert [chunk.probability for chunk in chunks] == pytest.approx(expected, abs=1e-5)
    labels = [BLEACHED if answer >= threshold else HEALTHY for answer in expected]
    assert [chunk.predicted_label for chunk in chunks] == labels
    assert summary == Summary(3, 3, 6, "small-1.0")


@pytest.mark.parametrize("form", keras_networks.FORMS)
async def test_the_labels_order_is_the_manifests(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "coral"
    folder.mkdir()
    (folder / "labels.txt").write_text("Healthy Coral\nBleached Coral\n")
    model = keras_networks.network(keras.layers.Dense(2, activation="softmax"))
    more = f'{SCALING}[labels]\nfile = "labels.txt"\ncount = 2\n'
    first = keras_networks.write(model, folder, form)
    keras_networks.write_manifest(first, folder, {"probabilities": ("batch", 2)}, role="coral", more=more)
    chunks, _ = await judged(tmp_path, PHOTO)
    expected = keras_networks.answers(model, tiles(PHOTO, (32, 24)))
    assert [chunk.probability for chunk in chunks] == pytest.approx(expected[:, 1].tolist(), abs=1e-5)
    assert min(abs(expected[:, 1] - expected[:, 0])) > 1e-4


if UPSTREAM.exists():  # it is no test of a checkout that has no such file beside it

    async def test_the_guides_manifest_serves_the_upstream_model(tmp_path: Path) -> None:
        folder = tmp_path / "coral"
        folder.mkdir()
        _, example, *_ = GUIDE.read_text().split("```toml\n")
        (folder / "manifest.toml").write_text(example.partition("```")[0])
        model = folder / "PrimaryModel.tflite"
        shutil.copy(UPSTREAM, model)
        chunks, summary = await judged(tmp_path, PHOTO)
        expected = tensorflow_lite(model, tiles(PHOTO, (224, 224), Image.Resampling.BICUBIC))
        assert [chunk.probability for chunk in chunks] == pytest.approx(expected, rel=1e-3)
        assert len(set(expected)) == summary.total_chunks == 6
