from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from menagerie_inference.backends import load_backend
from menagerie_inference.domains.whales.ranking import Match, Ranker
from menagerie_inference.manifest import load_manifest
from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.whales.__main__ import lines, make
from menagerie_training.whales.matching import Matching, Similarities, fit, measure, named
from menagerie_training.whales.photographs import Photograph
from menagerie_training.whales.views import VIEWS, views

PHOTOS = Path("tests/photos")
NARWHALS = PHOTOS / "cetaceans" / "narwhals.jpg"


def similarities(own: float, others: float, count: int = 12) -> Similarities:
    """Make individuals so near to their own query, or a little more, and so near to others, or less."""
    random = np.random.default_rng(2)
    values = others - random.random((count, count)) * 0.05
    np.fill_diagonal(values, own + random.random(count) * 0.05)
    return Similarities(values, np.arange(count))


def test_the_new_one_is_between_own_and_others() -> None:
    matching = fit(similarities(0.9, 0.6))
    assert 0.6 < matching.new_similarity < 0.95
    assert named(similarities(0.9, 0.6), matching) == (12, 12)
    assert similarities(0.9, 0.6).first_right == 12


def test_views_that_are_no_nearer_than_others_are_not_named() -> None:
    alike = similarities(0.5, 0.7)
    assert alike.first_right == 0
    assert named(alike, fit(alike))[0] == 0


@given(st.floats(0.4, 0.95), st.floats(0.01, 0.2))
def test_what_is_counted_as_named_is_what_the_ranker_names(new: float, temperature: float) -> None:
    found = similarities(0.75, 0.7)
    ranker = Ranker(new, temperature)
    right = 0
    for query, own in enumerate(found.own):
        matches = [Match(str(place), "", float(value)) for place, value in enumerate(found.values[query])]
        ranking = ranker.rank(matches)
        right += ranking.is_confident and ranking.candidates[0].class_animal == str(own)
    assert named(found, Matching(new, temperature))[0] == right


def test_views_are_as_many_and_always_the_same() -> None:
    with Image.open(NARWHALS) as file:
        image = file.convert("RGB")
    first, again = ([np.asarray(view) for view in views(image, seed=4)] for _ in range(2))
    assert len(first) == VIEWS
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert all(0.48 < one.size / np.asarray(image).size <= 1 for one in first)
    assert len({one.shape for one in first}) > 1


def test_views_are_nearest_to_their_own_photograph() -> None:
    manifest = Registry.for_profile(EMBEDDED).manifest_for("whales")
    backend = load_backend(manifest, threads=1)
    paths = [NARWHALS, PHOTOS / "dolphin.jpg", PHOTOS / "polar_bear.jpg"]
    found = measure(backend, manifest, paths)
    backend.close()
    assert found.values.shape == (3 * VIEWS, 3)
    assert found.own.tolist() == [0] * VIEWS + [1] * VIEWS + [2] * VIEWS
    assert found.first_right >= 3 * VIEWS - 1


def test_the_recipe_makes_a_model_that_loads(tmp_path: Path) -> None:
    species = Registry.for_profile(EMBEDDED).manifest_for("species")
    whales = [
        Photograph(NARWHALS, is_cetacean=True, individual="c"),
        Photograph(PHOTOS / "dolphin.jpg", is_cetacean=True, individual="a"),
    ]
    names = ("alpaca", "astronaut", "boarfish", "canyon")
    others = [Photograph(PHOTOS / f"{name}.jpg", is_cetacean=False) for name in names]
    # Some of each kind are in each half.
    assert {one.half for one in whales} == {one.half for one in others} == {0, 1}
    make(species, [*whales, *others], tmp_path / "whales", "the tests'")
    manifest = load_manifest(tmp_path / "whales" / "manifest.toml")
    assert manifest.role == "whales"
    assert manifest.training is not None
    assert "6: 2 of cetaceans and 4 of other things (the tests')" in manifest.training.data
    assert manifest.calibration["gate_slope"] > 0
    Ranker.of(manifest)


def test_the_numbers_are_written_as_toml() -> None:
    assert lines(Matching(0.82, 0.0274)) == "new_similarity = 0.82\nmatch_temperature = 0.0274\n"


def test_a_photograph_that_does_not_exist(tmp_path: Path) -> None:
    manifest = Registry.for_profile(EMBEDDED).manifest_for("whales")
    backend = load_backend(manifest, threads=1)
    with pytest.raises(FileNotFoundError):
        measure(backend, manifest, [tmp_path / "none.jpg"])
    backend.close()
