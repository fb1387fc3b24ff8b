"""Finds the class, order, family, genus and species of an animal in WordNet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_training.species.wordnet import Synset, WordNet

RANKS: Final = ("class", "order", "family", "genus")
_TAXON: Final = re.compile(rf"({'|'.join(RANKS)}) ([A-Z]\w+)")
_BINOMIAL: Final = re.compile(r"([A-Z][a-z]+) ([a-z]+)")


@dataclass(frozen=True)
class Taxon:
    """A taxon above the species: the id of its synset, its rank, and its scientific name in lower case."""

    id: str
    rank: str
    name: str


@dataclass(frozen=True)
class Classification:
    """The taxa of an animal, highest first, as far as WordNet knows them; and the species, or ""."""

    taxa: tuple[Taxon, ...]
    species: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names of class, order, family and genus; "" where WordNet knows none."""
        known = {taxon.rank: taxon.name for taxon in self.taxa}
        return tuple(known.get(rank, "") for rank in RANKS)

    def lineages(self) -> Iterator[tuple[Taxon, ...]]:
        """Give each taxon with those above it: (mammalia), (mammalia, carnivora), ..."""
        return (self.taxa[: depth + 1] for depth in range(len(self.taxa)))


def classify(wordnet: WordNet, animal: Synset) -> Classification:
    """Classify an animal by its scientific name, and by what it and its kinds are members of.

    The nearest statement counts. A scientific name tells the genus better than membership, which may be that
    of the animal's kind: WordNet has the European gallinule, Porphyrio porphyrio, as a kind of gallinule, and
    those as members of Gallinula.
    """
    genus, species = _binomial(wordnet, animal) or (None, "")
    taxa = {genus.rank: genus} if genus else {}
    starts = [genus.id] if genus else []
    starts += [above.id for above in wordnet.hypernyms(animal.id)]
    for start in starts:
        for taxon in _memberships(wordnet, start):
            taxa.setdefault(taxon.rank, taxon)
    return Classification(tuple(taxa[rank] for rank in RANKS if rank in taxa), species)


def _binomial(wordnet: WordNet, animal: Synset) -> tuple[Taxon, str] | None:
    """Find genus and species in the scientific name of the animal, or of its nearest kind that has one."""
    for above in wordnet.hypernyms(animal.id):
        found = list(binomials(wordnet, above))
        if found:
            memberships = {taxon.id for taxon in _memberships(wordnet, above.id)}
            # Of synonyms such as Ursus and Euarctos americanus, the one that membership confirms.
            return next((one for one in found if one[0].id in memberships), found[0])
    return None


def binomials(wordnet: WordNet, synset: Synset) -> Iterator[tuple[Taxon, str]]:
    """Give the scientific names of a synset, each as genus and species."""
    for name in synset.names:
        match = _BINOMIAL.fullmatch(name)
        # "Nile crocodile" looks like a scientific name; but there is no genus Nile.
        genus = match and wordnet.named(f"genus {match[1]}")
        taxon = genus and _taxon(genus)
        if match and taxon:
            yield taxon, match[2]


def _memberships(wordnet: WordNet, synset_id: str) -> Iterator[Taxon]:
    return filter(None, map(_taxon, wordnet.holonyms(synset_id)))


def _taxon(synset: Synset) -> Taxon | None:
    """Read a taxon with the first of its names, as WordNet has Aranea and Araneus for one genus."""
    match = next(filter(None, map(_TAXON.fullmatch, synset.names)), None)
    return Taxon(synset.id, match[1], match[2].lower()) if match else None
