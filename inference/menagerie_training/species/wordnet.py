"""Reads the nouns of WordNet 3.0: what is a kind of what, and what is a member of what.

Source of the file's format: wndb(5WN), and wninput(5WN) for the pointers, in WordNet 3.0's manual.
"""

from __future__ import annotations

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
    """One meaning: its ImageNet-style id ("n02391049"), its names, and its neighbours' ids upwards."""

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
        """Find a synset by one of its names; of several, the first in the file."""
        return self._by_name.get(name)

    def hypernyms(self, synset_id: str) -> Iterator[Synset]:
        """Give a synset and all that it is a kind of, nearest first."""
        return self._upwards(synset_id, lambda synset: synset.hypernyms)

    def holonyms(self, synset_id: str) -> Iterator[Synset]:
        """Give a synset and all that it, in turn, is a member of, nearest first."""
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
