"""A small taxonomy with labels of SpeciesNet's shape, and evidence made of them."""

from __future__ import annotations

from menagerie_inference.domains.box import Box
from menagerie_inference.domains.species.decision import Blocked, Evidence, blocks_nothing
from menagerie_inference.domains.species.labels import display_name
from menagerie_inference.domains.species.result import Detection, SpeciesClass
from menagerie_inference.domains.species.taxonomy import Output, Taxonomy

LION = "u1;mammalia;carnivora;felidae;panthera;leo;lion"
TIGER = "u2;mammalia;carnivora;felidae;panthera;tigris;tiger"
CAT = "u3;mammalia;carnivora;felidae;felis;catus;domestic cat"
WOLF = "u4;mammalia;carnivora;canidae;canis;lupus;wolf"
ZEBRA = "u5;mammalia;perissodactyla;equidae;equus;;zebra"
EAGLE = "u6;aves;accipitriformes;accipitridae;aquila;;eagle"
JELLYFISH = "u7;;;;;;jellyfish"
ANIMALS = (LION, TIGER, CAT, WOLF, ZEBRA, EAGLE, JELLYFISH)

PANTHERA = "t1;mammalia;carnivora;felidae;panthera;;panthera species"
FELIDAE = "t2;mammalia;carnivora;felidae;;;cat family"
CARNIVORA = "t3;mammalia;carnivora;;;;carnivore"
MAMMALIA = "t4;mammalia;;;;;mammal"
AVES = "t5;aves;;;;;bird"
TAXA = (PANTHERA, FELIDAE, CARNIVORA, MAMMALIA, AVES)

TAXONOMY = Taxonomy((Output("animal", label) for label in ANIMALS), TAXA)

_CATEGORIES = {"animal": "1", "human": "2", "vehicle": "3"}


def evidence(
    classes: dict[str, float],
    detection: tuple[str, float] | None = None,
    blocked: Blocked = blocks_nothing,
) -> Evidence:
    """Put together what is seen of a photo: scores by label, best first, and a kind with its confidence."""
    found = [SpeciesClass(label, display_name(label), score) for label, score in classes.items()]
    return Evidence(found, detected(*detection) if detection else None, TAXONOMY, blocked)


def detected(label: str, conf: float) -> Detection:
    """Detect something somewhere."""
    return Detection(_CATEGORIES[label], label, conf, Box(0.1, 0.1, 0.5, 0.5))
