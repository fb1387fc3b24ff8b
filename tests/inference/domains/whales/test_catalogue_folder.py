from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from menagerie_inference.domains.whales.catalogue_folder import (
    LIST,
    CataloguedIndividual,
    CatalogueUnreadable,
    photograph_name,
    read_catalogue,
    write_catalogue,
    write_list,
)

ID = "a6e325d8e924"
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)
individuals = st.lists(
    st.builds(
        CataloguedIndividual,
        st.integers(0, 16**12 - 1).map("{:012x}".format),
        texts.filter(len),
        texts,
    ),
    max_size=6,
    unique_by=lambda one: one.individual_id,
)


def picture(form: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, form)
    return file.getvalue()


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_a_catalogue_is_written_as_people_keep_it(tmp_path: Path) -> None:
    one = CataloguedIndividual(ID, "Рваный плавник", "killer_whale")
    write_catalogue(tmp_path / "new", [one], {ID: [picture("JPEG"), picture("PNG")]})
    assert (tmp_path / "new" / LIST).read_bytes().decode() == (
        f"individual_id,name,species\r\n{ID},Рваный плавник,killer_whale\r\n"
    )
    files = sorted(path.name for path in (tmp_path / "new" / ID).iterdir())
    assert files == ["0001.jpg", "0002.png"]


@given(individuals)
def test_what_is_written_is_read_again(written: list[CataloguedIndividual]) -> None:
    with TemporaryDirectory() as folder:
        photographs = {one.individual_id: [picture("JPEG")] for one in written[::2]}
        write_catalogue(Path(folder), written, photographs)
        read = read_catalogue(Path(folder))
    assert [(one.individual_id, one.name, one.species) for one in read] == [
        (one.individual_id, one.name, one.species) for one in written
    ]
    assert [len(one.photographs) for one in read] == [
        len(photographs.get(one.individual_id, ())) for one in written
    ]


def test_folders_without_a_list(tmp_path: Path) -> None:
    put(tmp_path, "Old Tom/b.JPG", "Old Tom/a.jpg", "Migaloo/1.png", "notes.txt")
    assert read_catalogue(tmp_path) == (
        CataloguedIndividual("", "Migaloo", "", (tmp_path / "Migaloo/1.png",)),
        CataloguedIndividual("", "Old Tom", "", (tmp_path / "Old Tom/a.jpg", tmp_path / "Old Tom/b.JPG")),
    )


def test_a_list_in_an_order_of_its_own_and_a_folder_that_it_lacks(tmp_path: Path) -> None:
    (tmp_path / LIST).write_text("folder,name,species,sex\nfw0002,Zoe,fin_whale,f\nfw0001,,fin_whale,\n")
    put(tmp_path, "fw0002/1.jpg", "fw0001/1.jpg", "fw0003/1.jpg")
    assert [(one.name, one.species, len(one.photographs)) for one in read_catalogue(tmp_path)] == [
        ("Zoe", "fin_whale", 1),
        ("fw0001", "fin_whale", 1),
        ("fw0003", "", 1),
    ]


def test_an_individual_without_photographs(tmp_path: Path) -> None:
    (tmp_path / LIST).write_text(f"individual_id,name\n{ID},Zoe\n")
    assert read_catalogue(tmp_path) == (CataloguedIndividual(ID, "Zoe", "", ()),)


def test_a_list_as_spreadsheets_save_it(tmp_path: Path) -> None:
    (tmp_path / LIST).write_bytes(
        f'individual_id,name,species\r\n{ID},"Zoe, the old",\r\n'.encode("utf-8-sig")
    )
    assert [(one.individual_id, one.name) for one in read_catalogue(tmp_path)] == [(ID, "Zoe, the old")]


def test_what_systems_leave_behind_is_left_out(tmp_path: Path) -> None:
    put(
        tmp_path,
        "Zoe/._1.jpg",
        "Zoe/.DS_Store",
        "Zoe/Thumbs.db",
        "Zoe/1.jpg",
        "__MACOSX/Zoe/1.jpg",
        ".git/1.jpg",
    )
    assert [(one.name, len(one.photographs)) for one in read_catalogue(tmp_path)] == [("Zoe", 1)]


def test_links_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "elsewhere/secret.jpg", "catalogue/Zoe/1.jpg")
    (tmp_path / "catalogue/Zoe/2.jpg").symlink_to(tmp_path / "elsewhere/secret.jpg")
    (tmp_path / "catalogue/Ann").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "catalogue" / LIST).write_text("individual_id\nAnn\nZoe\n")
    names = {
        one.name: [path.name for path in one.photographs] for one in read_catalogue(tmp_path / "catalogue")
    }
    assert names == {"Ann": [], "Zoe": ["1.jpg"]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"name,species\nZoe,orca\n", "neither a column individual_id nor folder"),
        (b"", "neither a column individual_id nor folder"),
        (b"individual_id\na\nb\na\n", "line 4: a is there twice"),
        (b"folder\n../../etc\n", "line 2: '../../etc' is no folder's name"),
        (b"folder\n..\n", "is no folder's name"),
        (b"folder,name\n,Zoe\n", "'' is no folder's name"),
        (b"folder\n/etc\n", "is no folder's name"),
        (b"folder\nC:\\a\n", "is no folder's name"),
        (b"individual_id,name\na," + b"x" * 201 + b"\n", "the name has more than 200 characters"),
        (b"individual_id,species\na," + b"x" * 201 + b"\n", "the species has more than 200 characters"),
        ("individual_id,name\na,Кит\n".encode("cp1251"), "utf-8"),
        (b'individual_id,name\na,"Zoe\n', "unexpected end"),
    ],
)
def test_a_list_that_cannot_be_read(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / LIST).write_bytes(content)
    with pytest.raises(CatalogueUnreadable, match=problem):
        read_catalogue(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CatalogueUnreadable, match="is no folder"):
        read_catalogue(tmp_path / "nowhere")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    put(tmp_path, "mine.txt")
    with pytest.raises(FileExistsError):
        write_catalogue(tmp_path, [], {})


@pytest.mark.parametrize("individual_id", ["", "../../x", "A6E325D8E924", ID + "0"])
def test_only_a_proper_id_is_a_folder(tmp_path: Path, individual_id: str) -> None:
    with pytest.raises(ValueError, match="is no id"):
        write_catalogue(tmp_path / "new", [CataloguedIndividual(individual_id, "Zoe", "")], {})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("form", "suffix"),
    [
        ("JPEG", "jpg"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("TIFF", "tif"),
        ("GIF", "gif"),
        ("BMP", "bmp"),
        ("AVIF", "avif"),
    ],
)
def test_a_photograph_is_named_by_its_format(form: str, suffix: str) -> None:
    assert photograph_name(ID, 12, picture(form)) == f"{ID}/0012.{suffix}"


def test_an_empty_list() -> None:
    assert write_list([]) == "individual_id,name,species\r\n"
