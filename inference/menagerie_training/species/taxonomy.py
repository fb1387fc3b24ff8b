"""Makes taxonomy.csv and labels.txt: the taxonomy of ImageNet's classes, from WordNet 3.0.

    python -m menagerie_training.species.taxonomy DATA_NOUN SYNSETS

DATA_NOUN is WordNet 3.0's file data.noun (Debian: package wordnet-base, in /usr/share/wordnet). SYNSETS lists
the WordNet ids of the 1000 classes in their order (PyPI: timm 1.0.31, timm/data/_info/imagenet_synsets.txt).

Nothing is added to what WordNet says: its names of taxa are those of 2006, and it leaves ranks out. Breeds
have their species' taxon and their own common name. Ids are UUIDs of version 5 in the namespace of URLs, of
"urn:wordnet:3.0:" and the id of the WordNet synset.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import NAMESPACE_URL, uuid5

from menagerie_training import EMBEDDED_MODELS
from menagerie_training.species.wordnet import (
    RANKS,
    Classification,
    Taxon,
    binomials,
    classify,
    read_nouns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from menagerie_training.species.wordnet import Synset, WordNet

MODELS: Final = EMBEDDED_MODELS / "species"
COLUMNS: Final = ("index", "wordnet_id", "kind", "label", "broader_names")

ANIMAL: Final = "n00015388"
VEHICLE: Final = "n04524313"


def main() -> None:
    """Write the taxonomy and the labels into the package."""
    parser = argparse.ArgumentParser(description="Make the taxonomy of ImageNet's classes.")
    parser.add_argument("data_noun", type=Path)
    parser.add_argument("synsets", type=Path)
    arguments = parser.parse_args()
    wordnet = read_nouns(arguments.data_noun)
    classes = [wordnet[name] for name in arguments.synsets.read_text(encoding="ascii").split()]
    MODELS.mkdir(parents=True, exist_ok=True)
    write_labels(MODELS / "labels.txt", classes)
    write_taxonomy(MODELS / "taxonomy.csv", wordnet, classes)


def write_labels(path: Path, classes: Iterable[Synset]) -> None:
    """Write the names of each class on a line, separated by commas."""
    path.write_text("".join(f"{', '.join(synset.names)}\n" for synset in classes), encoding="utf-8")


def write_taxonomy(path: Path, wordnet: WordNet, classes: list[Synset]) -> None:
    """Write a row for each class, and one without an index for each higher taxon of an animal."""
    animals = {
        synset.id: classify(wordnet, synset) for synset in classes if kind_of(wordnet, synset) == "animal"
    }
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(_class_row(wordnet, *numbered, animals) for numbered in enumerate(classes))
        rows.writerows(_taxon_rows(wordnet, animals))


def kind_of(wordnet: WordNet, synset: Synset) -> str:
    """Return the kind of a class for a camera trap: "animal", "vehicle", or "blank" for all else."""
    above = {other.id for other in wordnet.hypernyms(synset.id)}
    return "animal" if ANIMAL in above else "vehicle" if VEHICLE in above else "blank"


def _class_row(
    wordnet: WordNet, index: int, synset: Synset, animals: dict[str, Classification]
) -> tuple[object, ...]:
    if synset.id not in animals:
        return index, synset.id, kind_of(wordnet, synset), "", ""
    return index, synset.id, "animal", _class_label(synset, animals[synset.id]), _broader(wordnet, synset)


def _class_label(synset: Synset, classification: Classification) -> str:
    return label(synset.id, classification.names, classification.species, common_name(synset))


def _broader(wordnet: WordNet, synset: Synset) -> str:
    """Join the names of an animal's hypernyms, up to animals."""
    above = [other for other in wordnet.hypernyms(synset.id) if other.id != synset.id]
    below_animal = [other for other in above if kind_of(wordnet, other) == "animal" and other.id != ANIMAL]
    return "|".join(name for other in below_animal for name in other.names)


def _taxon_rows(wordnet: WordNet, animals: dict[str, Classification]) -> Iterator[tuple[object, ...]]:
    members: dict[tuple[Taxon, ...], list[str]] = {}
    for synset_id, classification in animals.items():
        for lineage in classification.lineages():
            members.setdefault(lineage, []).append(synset_id)
    for lineage in sorted(members, key=lambda taxa: [taxon.name for taxon in taxa]):
        yield "", lineage[-1].id, "taxon", _taxon_label(wordnet, lineage, members[lineage]), ""


def _taxon_label(wordnet: WordNet, lineage: tuple[Taxon, ...], members: list[str]) -> str:
    taxon = lineage[-1]
    names = {above.rank: above.name for above in lineage}
    name = _shared_name(wordnet, taxon, members) or _scientific_name(taxon)
    return label(taxon.id, tuple(names.get(rank, "") for rank in RANKS), "", name)


def _scientific_name(taxon: Taxon) -> str:
    """Name a taxon that has no common name as SpeciesNet does: "canis species", "cebidae family"."""
    return f"{taxon.name} {'species' if taxon.rank == 'genus' else taxon.rank}"


def _shared_name(wordnet: WordNet, taxon: Taxon, members: list[str]) -> str | None:
    """Return the hypernym that all classes of a taxon share and that WordNet uses for the taxon's members.

    It is no single species, though: ImageNet has only the fox squirrel of Sciurus, which has other species.
    """
    shared = set.intersection(*({above.id for above in wordnet.hypernyms(one)} for one in members))
    named = (
        common_name(above)
        for above in wordnet.hypernyms(members[0])
        if above.id in shared and taxon.id in above.holonyms and not any(binomials(wordnet, above))
    )
    return next(named, None)


def common_name(synset: Synset) -> str:
    """Return the first name of a synset, in lower case as SpeciesNet writes them."""
    return synset.names[0].lower()


def label(wordnet_id: str, taxa: tuple[str, ...], species: str, name: str) -> str:
    """Join a label as SpeciesNet does: uuid;class;order;family;genus;species;common name."""
    return ";".join((str(uuid5(NAMESPACE_URL, f"urn:wordnet:3.0:{wordnet_id}")), *taxa, species, name))


if __name__ == "__main__":
    main()
