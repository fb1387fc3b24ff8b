"""Reads the nouns of WordNet 3.0, and finds the class, order, family, genus and species of animals in them.

Source of the file's format: wndb(5WN), and wninput(5WN) for the pointers, in WordNet 3.0's manual.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_HYPERNYM: Final = "@"
_MEMBER_HOLONYM: Final = "#m"


@dataclass(frozen=True)
class Synset:
    """A set of synonyms: its ImageNet-style id ("n02391049"), its names, and the ids of what is above it."""

    id: str
    names: tuple[str, ...]
    hypernyms: tuple[str, ...]
    """What it is a kind of: of zebra, equine."""

    holonyms: tuple[str, ...]
    """What it is a member of: of zebra, genus Equus."""


class WordNet:
    """The nouns of WordNet, by id."""

    def __init__(self, synsets: dict[str, Synset]) -> None:
        self._synsets = synsets
        self._by_name = {name: synset for synset in reversed(synsets.values()) for name in synset.names}

    def __getitem__(self, synset_id: str) -> Synset:
        return self._synsets[synset_id]

    def named(self, name: str) -> Synset | None:
        """Return a synset by one of its names; of several, the first in the file."""
        return self._by_name.get(name)

    def hypernyms(self, synset_id: str) -> Iterator[Synset]:
        """Return a synset and its hypernyms, nearest first."""
        return self._upwards(synset_id, lambda synset: synset.hypernyms)

    def holonyms(self, synset_id: str) -> Iterator[Synset]:
        """Return a synset and what it is, transitively, a member of, nearest first."""
        return self._upwards(synset_id, lambda synset: synset.holonyms)

    def _upwards(self, synset_id: str, above: Callable[[Synset], tuple[str, ...]]) -> Iterator[Synset]:
        waiting, seen = deque([synset_id]), {synset_id}
        while waiting:
            synset = self._synsets[waiting.popleft()]
            yield synset
            new = [other for other in above(synset) if other not in seen]
            seen.update(new)
            waiting.extend(new)


def read_nouns(path: Path) -> WordNet:
    """Read WordNet's file data.noun."""
    lines = path.read_text(encoding="ascii").splitlines()
    # The licence stands at the top, on lines that begin with two spaces.
    synsets = map(_parse, (line for line in lines if not line.startswith("  ")))
    return WordNet({synset.id: synset for synset in synsets})


def _parse(line: str) -> Synset:
    fields = line.split(" | ", 1)[0].split()
    names_end = 4 + 2 * int(fields[3], 16)
    names = tuple(name.replace("_", " ") for name in fields[4:names_end:2])
    pointers = fields[names_end + 1 :]
    above = list(zip(pointers[::4], pointers[1::4], strict=False))
    return Synset(
        id=f"n{fields[0]}",
        names=names,
        hypernyms=tuple(f"n{target}" for symbol, target in above if symbol == _HYPERNYM),
        holonyms=tuple(f"n{target}" for symbol, target in above if symbol == _MEMBER_HOLONYM),
    )


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
