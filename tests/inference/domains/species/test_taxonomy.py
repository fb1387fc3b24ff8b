from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from tests.support.taxa import (
    CARNIVORA,
    FELIDAE,
    JELLYFISH,
    LION,
    MAMMALIA,
    PANTHERA,
    TAXONOMY,
    ZEBRA,
)

from menagerie_inference.domains.species.labels import (
    ANIMAL,
    BLANK,
    HUMAN,
    UNKNOWN,
    VEHICLE,
    Rank,
    taxon,
)
from menagerie_inference.domains.species.taxonomy import Taxonomy, taxonomy_of
from menagerie_inference.errors import ManifestError
from menagerie_inference.manifest import OutputSpec

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_inference.manifest import Manifest

WITHOUT_A_CLASS = {"trilobite", "jellyfish", "flatworm", "nematode", "barracouta"}
"""The animals of ImageNet whose class WordNet does not tell."""


@pytest.mark.parametrize(
    ("rank", "label"),
    [
        (Rank.GENUS, PANTHERA),
        (Rank.FAMILY, FELIDAE),
        (Rank.ORDER, CARNIVORA),
        (Rank.CLASS, MAMMALIA),
        (Rank.KINGDOM, ANIMAL),
    ],
)
def test_an_animal_has_its_ancestors(rank: Rank, label: str) -> None:
    assert TAXONOMY.ancestor(LION, rank) == label


def test_a_taxon_without_a_label_is_no_ancestor() -> None:
    assert TAXONOMY.ancestor(ZEBRA, Rank.FAMILY) is None


def test_an_animal_without_a_class_is_an_animal() -> None:
    assert TAXONOMY.ancestor(JELLYFISH, Rank.CLASS) is None
    assert TAXONOMY.ancestor(JELLYFISH, Rank.KINGDOM) == ANIMAL


def test_humans_are_mammals() -> None:
    assert TAXONOMY.ancestor(HUMAN, Rank.CLASS) == MAMMALIA


@pytest.mark.parametrize("label", [BLANK, VEHICLE, UNKNOWN])
@pytest.mark.parametrize("rank", Rank)
def test_what_is_no_animal_has_no_ancestors(label: str, rank: Rank) -> None:
    assert TAXONOMY.ancestor(label, rank) is None


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taxonomy.csv").write_text("index,kind,label\n0,plant,\n")
    with pytest.raises(ValueError, match="'plant'"):
        Taxonomy.read(tmp_path / "taxonomy.csv")


def test_a_model_without_a_taxonomy_is_refused(manifest: Manifest) -> None:
    files = tuple(file for file in manifest.files if file.path.name != "taxonomy.csv")
    with pytest.raises(ManifestError, match=r"comes with a taxonomy\.csv"):
        taxonomy_of(replace(manifest, files=files))


def test_a_taxonomy_of_another_model_is_refused(manifest: Manifest) -> None:
    outputs = {**manifest.outputs, "logits": OutputSpec(("batch", 2498), "float32")}
    with pytest.raises(ManifestError, match="has 1000 outputs"):
        taxonomy_of(replace(manifest, outputs=outputs))


def test_the_embedded_taxonomy_names_every_output(manifest: Manifest) -> None:
    outputs = taxonomy_of(manifest).outputs
    kinds = [output.kind for output in outputs]
    assert len(outputs) == 1000
    assert kinds[:398] == ["animal"] * 398
    assert kinds.count("vehicle") == 67
    assert all(bool(output.label) == (output.kind == "animal") for output in outputs)


def test_the_embedded_taxonomy_has_an_id_for_each_label(rows: list[dict[str, str]]) -> None:
    ids = [UUID(row["label"].partition(";")[0]) for row in rows if row["label"]]
    assert len(set(ids)) == len(ids)
    assert {one.version for one in ids} == {5}


def test_every_embedded_animal_has_the_ancestors_that_its_names_tell(manifest: Manifest) -> None:
    taxonomy = taxonomy_of(manifest)
    for output in taxonomy.outputs:
        for rank in Rank:
            if output.kind == "animal" and taxon(output.label).at(rank):
                assert taxonomy.ancestor(output.label, rank), (output.label, rank)


def test_only_known_animals_are_without_a_class(manifest: Manifest) -> None:
    animals = (output.label for output in taxonomy_of(manifest).outputs if output.kind == "animal")
    assert {label.split(";")[6] for label in animals if not taxon(label).class_} == WITHOUT_A_CLASS


@pytest.mark.parametrize(
    ("index", "names"),
    [
        (340, "mammalia;perissodactyla;equidae;equus;;zebra"),
        (291, "mammalia;carnivora;felidae;panthera;leo;lion"),
        (235, "mammalia;carnivora;canidae;canis;familiaris;german shepherd"),
        (136, "aves;gruiformes;rallidae;porphyrio;porphyrio;european gallinule"),
        (105, "mammalia;marsupialia;phalangeridae;phascolarctos;cinereus;koala"),
    ],
)
def test_embedded_labels_are_what_wordnet_says(manifest: Manifest, index: int, names: str) -> None:
    assert taxonomy_of(manifest).outputs[index].label.partition(";")[2] == names
