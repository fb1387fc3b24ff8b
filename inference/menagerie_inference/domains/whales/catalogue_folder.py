"""A catalogue in the layout of photo-identification projects: a folder for each individual, and a list.

    catalogue/
        individuals.csv
        a6e325d8e924/0001.jpg, 0002.png, ...

individuals.csv is UTF-8 with the columns individual_id, name and species. A catalogue written here can be
read back. Catalogues from elsewhere may have a column "folder" instead of "individual_id", folders without a
row, which are individuals of the folder's name, or no list at all.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from menagerie_inference.archive import IMAGE_SUFFIXES
from menagerie_inference.errors import InferenceError
from menagerie_inference.image import sniff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

LIST: Final = "individuals.csv"
COLUMNS: Final = ("individual_id", "name", "species")

MOST_CHARACTERS: Final = 200
"""The longest name or species, as in the API."""

_ID: Final = re.compile(r"[0-9a-f]{12}")
_SUFFIXES: Final = {"jpeg": ".jpg", "tiff": ".tif"}


class CatalogueUnreadable(InferenceError):
    """Raised when a folder is not a catalogue; the text says what is wrong, and where."""


@dataclass(frozen=True)
class CataloguedIndividual:
    """An individual of a catalogue, and its photographs in the order of their names."""

    individual_id: str
    """12 hexadecimal digits; "" if the catalogue has another kind of id."""

    name: str
    species: str
    """"" if unknown."""

    photographs: tuple[Path, ...] = ()
    folder: str = ""
    """The name of its folder in the catalogue, which may not exist."""


def read_catalogue(folder: Path) -> tuple[CataloguedIndividual, ...]:
    """Read a catalogue without opening the photographs.

    Symbolic links are not followed.

    Returns:
        The individuals of the list in its order, then those of folders without a row, by name.

    Raises:
        CatalogueUnreadable: there is no such folder; the list is not UTF-8, has no column of ids or names an
            individual twice; a name or a species has more than `MOST_CHARACTERS`; or a folder's name is a
            path.
    """
    if not folder.is_dir():
        raise CatalogueUnreadable(f"{folder} is no folder")
    rows = _rows(folder / LIST) if (folder / LIST).is_file() else {}
    folders = sorted(child.name for child in folder.iterdir() if child.is_dir() and not _is_hidden(child))
    unlisted = {name: _Row(name, "") for name in folders if name not in rows}
    return tuple(_individual(folder, key, row) for key, row in {**rows, **unlisted}.items())


def write_list(individuals: Iterable[CataloguedIndividual]) -> str:
    """Return the content of individuals.csv (RFC 4180).

    Names that a spreadsheet would evaluate as formulas are not escaped, so that they are read back unchanged.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows((one.individual_id, one.name, one.species) for one in individuals)
    return text.getvalue()


def write_catalogue(folder: Path, individuals: Sequence[CataloguedIndividual]) -> None:
    """Write the list and create a folder for each individual.

    Args:
        folder: a new folder, an empty one, or an earlier export.

    Raises:
        FileExistsError: the folder contains something other than an export.
        ValueError: an individual has no id.
    """
    for one in individuals:
        if not _ID.fullmatch(one.individual_id):
            raise ValueError(f"{one.individual_id!r} is no id of an individual")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not _was_written(folder / LIST):
        raise FileExistsError(f"{folder} holds something else than an export")
    _write(folder / LIST, write_list(individuals).encode())
    for one in individuals:
        (folder / one.individual_id).mkdir(exist_ok=True)


def find_photograph(folder: Path, individual_id: str, number: int) -> Path | None:
    """Find the photograph of an individual that was written under a number, from 1."""
    return next((folder / individual_id).glob(f"{number:04}.*"), None)


def write_photograph(folder: Path, individual_id: str, number: int, data: bytes) -> None:
    """Write a photograph atomically; its name is its number, from 1, with the suffix of its format."""
    form = sniff(data)
    suffix = _SUFFIXES.get(form or "", f".{form}" if form else ".bin")
    _write(folder / individual_id / f"{number:04}{suffix}", data)


def _was_written(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return next(csv.reader(file), None) == list(COLUMNS)


def _write(path: Path, data: bytes) -> None:
    # A hidden file is no photograph until it is complete.
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(data)
    partial.replace(path)


@dataclass(frozen=True)
class _Row:
    name: str
    species: str


def _rows(path: Path) -> dict[str, _Row]:
    """Read the list, by folder name."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parse(path, csv.DictReader(file, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise CatalogueUnreadable(f"{path}: {error}") from error


def _parse(path: Path, reader: csv.DictReader[str]) -> dict[str, _Row]:
    key = next(
        (column for column in ("folder", "individual_id") if column in (reader.fieldnames or ())), None
    )
    if key is None:
        raise CatalogueUnreadable(f"{path}: there is neither a column individual_id nor folder")
    rows: dict[str, _Row] = {}
    for folder, row in _keyed(path, key, reader):
        if folder in rows:
            raise CatalogueUnreadable(f"{path}, line {reader.line_num}: {folder} is there twice")
        rows[folder] = _Row(row.get("name") or folder, row.get("species") or "")
    return rows


def _keyed(path: Path, key: str, reader: csv.DictReader[str]) -> Iterator[tuple[str, dict[str, str]]]:
    for row in reader:
        folder = (row[key] or "").strip()
        if folder in {"", ".", ".."} or "/" in folder or "\\" in folder or "\0" in folder:
            raise CatalogueUnreadable(f"{path}, line {reader.line_num}: {folder!r} is no folder's name")
        yield folder, row


def _individual(folder: Path, key: str, row: _Row) -> CataloguedIndividual:
    for what, text in (("name", row.name), ("species", row.species)):
        if len(text) > MOST_CHARACTERS:
            raise CatalogueUnreadable(f"{key}: the {what} has more than {MOST_CHARACTERS} characters")
    return CataloguedIndividual(
        individual_id=key if _ID.fullmatch(key) else "",
        name=row.name,
        species=row.species,
        photographs=tuple(_photographs(folder / key)),
        folder=key,
    )


def _photographs(folder: Path) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _is_photograph(path))


def _is_photograph(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not _is_hidden(path) and path.is_file()


def _is_hidden(path: Path) -> bool:
    """Match symbolic links, and files of operating systems and tools: .git, ._x.jpg, __MACOSX."""
    return path.is_symlink() or path.name.startswith(".") or path.name == "__MACOSX"
