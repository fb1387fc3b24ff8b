"""SpeciesNet's labels: "uuid;class;order;family;genus;species;common name"; an unknown name is left empty."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

BLANK: Final = "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank"
ANIMAL: Final = "1f689929-883d-4dae-958c-3d57ab5b6c16;;;;;;animal"
HUMAN: Final = "990ae9dd-7a59-4344-afcb-1b7b21368000;mammalia;primates;hominidae;homo;sapiens;human"
VEHICLE: Final = "e2895ed5-780b-48f6-8a11-9e27cb594511;;;;;;vehicle"
UNKNOWN: Final = "f2efdae9-efb8-48fb-8a91-eccf79ab4ffb" + ";no cv result" * 6
"""SpeciesNet's labels for what is not a species (speciesnet 5.0.6, constants.py)."""


class Rank(StrEnum):
    """A rank to which an answer can be rolled up, lowest first."""

    GENUS = "genus"
    FAMILY = "family"
    ORDER = "order"
    CLASS = "class"
    KINGDOM = "kingdom"


class Taxon(NamedTuple):
    """The scientific names of a label, in lower case; "" below its own rank."""

    class_: str
    order: str
    family: str
    genus: str
    species: str

    def at(self, rank: Rank) -> Taxon | None:
        """Return the taxon of a rank that this one belongs to, or None if this one has no name there.

        All belong to one kingdom, the taxon without any name.
        """
        depth = _DEPTHS[rank]
        if depth and not self[depth - 1]:
            return None
        return Taxon(*(name if place < depth else "" for place, name in enumerate(self)))


_DEPTHS: Final = {Rank.KINGDOM: 0, Rank.CLASS: 1, Rank.ORDER: 2, Rank.FAMILY: 3, Rank.GENUS: 4}


def taxon(label: str) -> Taxon:
    """Read the scientific names of a label.

    Raises:
        ValueError: it does not have seven segments.
    """
    segments = label.split(";")
    if len(segments) != len(Taxon._fields) + 2:
        raise ValueError(f"a label has seven segments, unlike {label!r}")
    return Taxon(*segments[1:-1])


def display_name(label: str) -> str:
    """Return the last segment of a label that is not empty: its most specific name."""
    return next(segment for segment in reversed(label.split(";")) if segment)
