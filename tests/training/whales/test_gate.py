from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from menagerie_inference.registry import EMBEDDED, Registry
from menagerie_training.evaluation.metrics import BinaryScore
from menagerie_training.whales.calibration import best_threshold, cross_calibrated, fit
from menagerie_training.whales.evaluation import evaluate, without_cetaceans
from menagerie_training.whales.graph import cetacean_classes, whales_graph
from menagerie_training.whales.intervals import Interval
from menagerie_training.whales.photographs import Photograph, read_photographs
from menagerie_training.whales.score_diagram import CETACEAN, OTHER, score_diagram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.manifest import Manifest

NARWHALS = Path("tests/photos/cetaceans/narwhals.jpg")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def species() -> Manifest:
    return Registry.for_profile(EMBEDDED).manifest_for("species")


def test_the_embedded_model_is_what_the_recipe_makes_of_the_species_model(species: Manifest) -> None:
    assert species.labels is not None
    made = whales_graph(onnx.load(species.files[0].path), cetacean_classes(species.labels.read()))
    embedded = Registry.for_profile(EMBEDDED).manifest_for("whales")
    assert made.graph == onnx.load(embedded.files[0].path).graph


def test_the_logit_is_the_log_odds_of_the_cetaceans(species: Manifest) -> None:
    assert species.labels is not None
    classes = cetacean_classes(species.labels.read())
    made = whales_graph(onnx.load(species.files[0].path), classes)
    images = np.random.default_rng(3).integers(0, 256, (2, 260, 260, 3), np.uint8)
    logits, vectors = onnxruntime.InferenceSession(species.files[0].path).run(
        ["logits", "embedding"], {"images": images}
    )
    found, same = onnxruntime.InferenceSession(made.SerializeToString()).run(
        ["cetacean", "embedding"], {"images": images}
    )
    exponentials = np.exp(logits.astype(np.float64))
    part = exponentials[:, classes].sum(axis=1)
    assert found == pytest.approx(np.log(part / (exponentials.sum(axis=1) - part)), abs=1e-4)
    assert same == pytest.approx(vectors)


def test_the_classes_are_found_by_their_names(species: Manifest) -> None:
    assert species.labels is not None
    assert cetacean_classes(species.labels.read()) == [147, 148]
    with pytest.raises(ValueError, match="grey whale"):
        cetacean_classes(["tench, Tinca tinca"])


def logits(seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    random = np.random.default_rng(seed)
    truth = np.arange(400) < 150
    return random.normal(np.where(truth, -1.0, -6.0), 1.5), truth


def test_the_probabilities_are_those_of_the_classes() -> None:
    values, truth = logits()
    fitted = fit(values, truth)
    # Two normal distributions of the same spread: the log-odds are (m1 - m0) / s^2 times x, and 0 in between.
    assert fitted.slope == pytest.approx(5 / 1.5**2, rel=0.25)
    assert -fitted.intercept / fitted.slope == pytest.approx(-3.5, abs=0.3)


def test_classes_that_are_apart_have_a_finite_slope() -> None:
    values = np.array([-9.0, -8.0, -7.0, 1.0, 2.0])
    fitted = fit(values, values > 0)
    assert np.isfinite(fitted.slope)
    likely = fitted.probabilities(values)
    assert (likely[values > 0] > fitted.threshold).all()
    assert (likely[values < 0] < fitted.threshold).all()


@pytest.mark.parametrize("truth", [np.ones(3, np.bool_), np.zeros(3, np.bool_)])
def test_one_class_alone_cannot_be_fitted(truth: NDArray[np.bool_]) -> None:
    with pytest.raises(ValueError, match="of cetaceans and of other things"):
        fit(np.arange(3.0), truth)


def test_the_threshold_is_in_the_widest_gap() -> None:
    values = np.array([0.0, 1.0, 5.0, 6.0])
    assert best_threshold(values, np.array([False, False, True, True])) == 3.0


@given(arrays(np.float64, 12, elements=st.integers(-99, 99), unique=True), arrays(np.bool_, 12))
def test_no_other_threshold_between_values_parts_the_classes_better(
    values: NDArray[np.float64], truth: NDArray[np.bool_]
) -> None:
    if truth.all() or not truth.any():
        return
    best = best_threshold(values, truth)

    def balance(threshold: float) -> float:
        return float((values[truth] > threshold).mean() + (values[~truth] < threshold).mean())

    assert balance(best) >= max(balance(value) for value in np.sort(values)[:-1] + 0.5) - 1e-6


def test_each_half_is_measured_by_what_the_other_says() -> None:
    values, truth = logits()
    halves = np.arange(len(values)) % 2
    result = cross_calibrated(values, truth, halves)
    other = fit(values[halves == 1], truth[halves == 1])
    assert result.scores[halves == 0] == pytest.approx(other.probabilities(values[halves == 0]))
    assert (result.predicted[halves == 0] == (result.scores[halves == 0] >= other.threshold)).all()


def test_an_interval_of_nothing_missed_is_not_nothing() -> None:
    # Brown, Cai and DasGupta 2001 give the score interval's upper end as z^2 / (n + z^2).
    interval = Interval.of(0, 20)
    assert (interval.low, interval.high) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert str(Interval.of(20, 20)) == "0.839 to 1.000"


@given(st.integers(1, 2_000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_an_interval_holds_its_share(counts: tuple[int, int]) -> None:
    interval = Interval.of(*counts)
    assert 0 <= interval.low <= counts[0] / counts[1] + 1e-12
    assert counts[0] / counts[1] - 1e-12 <= interval.high <= 1


def labelled(folder: Path, header: str, *rows: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    for row in rows:
        Image.new("RGB", (8, 8)).save(folder / row.split(",")[0])
    return folder


def test_labels_of_each_kind_are_read(tmp_path: Path) -> None:
    whales = labelled(tmp_path / "a", "file,label,individual_id", "1.jpg,cetacean,abc", "2.jpg,non_cetacean,")
    species = labelled(tmp_path / "b", "file,label,animal", "3.jpg,fin_whale,fw1")
    tagged = labelled(tmp_path / "c", "file,tags", "4.jpg,reef cetacean", "5.jpg,")
    found = read_photographs([whales, species, tagged])
    assert [(one.path.name, one.is_cetacean, one.individual) for one in found] == [
        ("1.jpg", True, "abc"),
        ("2.jpg", False, ""),
        ("3.jpg", True, "fw1"),
        ("4.jpg", True, ""),
        ("5.jpg", False, ""),
    ]


def test_an_individual_is_in_one_half(tmp_path: Path) -> None:
    own = [Photograph(tmp_path / f"{number}.jpg", is_cetacean=True, individual="a") for number in range(9)]
    assert len({photograph.half for photograph in own}) == 1
    alone = [Photograph(tmp_path / f"{number}.jpg", is_cetacean=True).half for number in range(200)]
    assert 70 < sum(alone) < 130


def test_a_list_without_labels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither a column label nor tags"):
        read_photographs([labelled(tmp_path, "file", "1.jpg")])


def test_a_photograph_that_is_missing(tmp_path: Path) -> None:
    labelled(tmp_path, "file,label", "1.jpg,cetacean")
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="is labelled, but does not exist"):
        read_photographs([tmp_path])


def test_photographs_are_shown_to_the_gate(tmp_path: Path) -> None:
    whales = Photograph(NARWHALS, is_cetacean=True)
    Image.new("RGB", (90, 60), "white").save(tmp_path / "white.png")
    report = evaluate([whales, *without_cetaceans([tmp_path])])
    assert report.result.predicted.tolist() == [True, False]
    text = str(report)
    assert "cetaceans that pass (TPR) 1.000 1 1 0.207 to 1.000" in " ".join(text.split())
    assert "wrong" not in text


def test_what_is_wrong_is_listed(tmp_path: Path) -> None:
    Image.new("RGB", (90, 60), "white").save(tmp_path / "white.png")
    report = evaluate([Photograph(tmp_path / "white.png", is_cetacean=True)])
    assert f"{tmp_path / 'white.png'}  cetacean" in str(report)


def test_a_folder_without_photographs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no photographs"):
        without_cetaceans([tmp_path])


def test_the_diagram_shows_each_bin_of_each_kind() -> None:
    scores = np.array([0.99, 0.98, 0.2, 0.01, 0.01, 0.9])
    truth = np.array([True, True, True, False, False, False])
    picture = ET.fromstring(score_diagram(BinaryScore(scores, scores >= 0.5, truth), "net-v1"))  # noqa: S314
    bars = [bar.attrib for bar in picture.iter(f"{SVG}rect") if "opacity" in bar.attrib]
    counts = {
        (colour, opacity): sum(bar["fill"] == colour and bar["opacity"] == opacity for bar in bars)
        for colour in (CETACEAN, OTHER)
        for opacity in ("0.6", "1")
    }
    assert counts == {(CETACEAN, "0.6"): 2, (CETACEAN, "1"): 1, (OTHER, "0.6"): 2, (OTHER, "1"): 1}
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert {"net-v1", "2 of 3 cetaceans pass", "2 of 3 other things refused"} <= set(texts)
