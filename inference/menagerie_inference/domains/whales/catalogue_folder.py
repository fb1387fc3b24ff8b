"""A catalogue as people keep it who identify animals by photographs: a folder for each, and a list of them.

    catalogue/
        individuals.csv
        a6e325d8e924/0001.jpg, 0002.png, ...

individuals.csv is in UTF-8 and has the columns individual_id, name and species. What we write can be read
again; what we read need not be ours. Instead of individual_id its rows may have a column folder; a folder
that has no row is an individual that is called as the folder is; and without a list all folders are such.
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
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

LIST: Final = "individuals.csv"
COLUMNS: Final = ("individual_id", "name", "species")

MOST_CHARACTERS: Final = 200
"""Of a name, and of a species, as the API has it."""

_ID: Final = re.compile(r"[0-9a-f]{12}")
_SUFFIXES: Final = {"jpeg": ".jpg", "tiff": ".tif"}


class CatalogueUnreadable(InferenceError):
    """Raised when a folder is no catalogue; says what is wrong, and where."""


@dataclass(frozen=True)
class CataloguedIndividual:
    """An individual of a catalogue, and its photographs, in the order of their names."""

    individual_id: str
    """12 hexadecimal digits; "" where the catalogue's own id is none, and a new one is to be given."""

    name: str
    species: str
    """"" where it is not known."""

    photographs: tuple[Path, ...] = ()


def read_catalogue(folder: Path) -> tuple[CataloguedIndividual, ...]:
    """Read a catalogue: those of the list in its order, then the folders without a row, by name.

    No photograph is opened. Links out of the folder are not followed.

    Raises `CatalogueUnreadable` for no such folder, a list without a column for ids or in another encoding,
    an individual twice, a name or a species of more than `MOST_CHARACTERS`, and a row whose folder would lie
    elsewhere.
    """
    if not folder.is_dir():
        raise CatalogueUnreadable(f"{folder} is no folder")
    rows = _rows(folder / LIST) if (folder / LIST).is_file() else {}
    folders = sorted(child.name for child in folder.iterdir() if child.is_dir() and not _is_hidden(child))
    unlisted = {name: _Row(name, "") for name in folders if name not in rows}
    return tuple(_individual(folder, key, row) for key, row in {**rows, **unlisted}.items())


def write_list(individuals: Iterable[CataloguedIndividual]) -> str:
    """Give the content of individuals.csv, as RFC 4180 has it.

    A name that a spreadsheet would take for a formula is written as it is, and so comes back the same.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows((one.individual_id, one.name, one.species) for one in individuals)
    return text.getvalue()


def photograph_name(individual_id: str, number: int, data: bytes) -> str:
    """Name a photograph's file within the catalogue, by its place from 1 and its format."""
    form = sniff(data)
    suffix = _SUFFIXES.get(form or "", f".{form}" if form else ".bin")
    return f"{individual_id}/{number:04}{suffix}"


def write_catalogue(
    folder: Path, individuals: Sequence[CataloguedIndividual], photographs: Mapping[str, Sequence[bytes]]
) -> None:
    """Write a catalogue into an empty or a new folder; `photographs` are by individual_id.

    Raises `FileExistsError` if something is there, and `ValueError` for an individual without a proper id.
    """
    for one in individuals:
        if not _ID.fullmatch(one.individual_id):
            raise ValueError(f"{one.individual_id!r} is no id of an individual")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    (folder / LIST).write_text(write_list(individuals), encoding="utf-8", newline="")
    for one in individuals:
        (folder / one.individual_id).mkdir()
        for number, data in enumerate(photographs.get(one.individual_id, ()), start=1):
            (folder / photograph_name(one.individual_id, number, data)).write_bytes(data)


@dataclass(frozen=True)
class _Row:
    name: str
    species: str


def _rows(path: Path) -> dict[str, _Row]:
    """Read the list, by the names of the folders."""
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
    )


def _photographs(folder: Path) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _is_photograph(path))


def _is_photograph(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not _is_hidden(path) and path.is_file()


def _is_hidden(path: Path) -> bool:
    """Tell links, which may lead anywhere, and what systems keep in folders: .git, ._x.jpg, __MACOSX."""
    return path.is_symlink() or path.name.startswith(".") or path.name == "__MACOSX"
