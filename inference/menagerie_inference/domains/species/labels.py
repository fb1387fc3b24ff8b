"""SpeciesNet's labels: "uuid;class;order;family;genus;species;common name", in lower case.

Source of the constants: the speciesnet package, speciesnet/constants.py.
"""

from __future__ import annotations

from typing import Final

BLANK: Final = "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank"
ANIMAL: Final = "1f689929-883d-4dae-958c-3d57ab5b6c16;;;;;;animal"
HUMAN: Final = "990ae9dd-7a59-4344-afcb-1b7b21368000;mammalia;primates;hominidae;homo;sapiens;human"
VEHICLE: Final = "e2895ed5-780b-48f6-8a11-9e27cb594511;;;;;;vehicle"
UNKNOWN: Final = "f2efdae9-efb8-48fb-8a91-eccf79ab4ffb" + ";no cv result" * 6

NOT_AN_ANIMAL: Final = frozenset({BLANK, HUMAN, VEHICLE})

RANKS: Final = ("class", "order", "family", "genus", "species")


def display_name(label: str) -> str:
    """Return the most specific name of a label: its last segment that is not empty."""
    return next(segment for segment in reversed(label.split(";")) if segment)


def lineage(label: str, rank: str) -> str | None:
    """Return the taxa of a label down to a rank, as in "mammalia;carnivora;felidae;;"; None without one."""
    taxa = label.split(";")[1:6]
    depth = RANKS.index(rank) + 1
    if not taxa[depth - 1]:
        return None
    return ";".join(taxa[:depth] + [""] * (len(RANKS) - depth))
