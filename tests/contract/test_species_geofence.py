"""PredictStream where the camera's place is known, with a model that has a geofence."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.support.folders import open_folder
from tests.support.photos import PHOTOS
from tests.support.server import running_server

from menagerie.species.v1 import species_pb2 as pb
from menagerie.type.v1.image_pb2 import Image
from menagerie_inference.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.server import RunningServer

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub


def _write_profile(folder: Path) -> Path:
    """Copy the embedded species model, and add a geofence in SpeciesNet's format.

    It lets every animal whose order is known be in California alone.
    """
    taxonomy = next(
        file.path
        for file in Registry.for_profile("embedded").manifest_for("species").files
        if file.path.name == "taxonomy.csv"
    )
    shutil.copytree(taxonomy.parent, folder / "species")
    with taxonomy.open(encoding="utf-8", newline="") as file:
        animals = [row["label"] for row in csv.DictReader(file) if row["index"] and row["kind"] == "animal"]
    taxa = (label.split(";")[1:6] for label in animals)
    rules = {";".join(taxon): {"allow": {"USA": ["CA"]}} for taxon in taxa if taxon[1]}
    geofence = folder / "species" / "geofence_release.20251208.json"
    geofence.write_text(json.dumps(rules))
    manifest = folder / "species" / "manifest.toml"
    digest = hashlib.sha256(geofence.read_bytes()).hexdigest()
    entry = f'[[files]]\npath = "{geofence.name}"\nsha256 = "{digest}"\nlicence = "Apache-2.0"\n\n[input]'
    manifest.write_text(manifest.read_text().replace("[input]", entry, 1))
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with open_folder() as folder:
        profile = str(_write_profile(folder / "models"))
        with running_server(folder / "data", workers=1, MENAGERIE_PROFILE=profile) as server:
            yield server


async def _row(stub: SpeciesServiceAsyncStub, country: str, region: str = "") -> pb.PredictStreamResponse:
    image = Image(content=PHOTOS.an_animal().content)
    request = pb.PredictStreamRequest(image=image, country=country, admin1_region=region)
    [row] = [one async for one in stub.PredictStream(iter([request]))]
    return row


async def test_an_animal_is_named_where_it_lives(species_stub: SpeciesServiceAsyncStub) -> None:
    anywhere = (await _row(species_stub, "")).speciesnet
    assert anywhere.prediction == anywhere.best_class.label_raw
    assert (await _row(species_stub, "USA", "CA")).speciesnet == anywhere
    # Where the region is not known, it is not held against the animal.
    assert (await _row(species_stub, "USA")).speciesnet == anywhere


@pytest.mark.parametrize(("country", "region"), [("KEN", ""), ("USA", "TX")])
async def test_elsewhere_the_answer_is_a_taxon_that_may_live_there(
    country: str, region: str, species_stub: SpeciesServiceAsyncStub
) -> None:
    answer = (await _row(species_stub, country, region)).speciesnet
    assert answer.prediction_source.startswith("classifier+geofence+rollup_to_")
    assert answer.prediction != answer.best_class.label_raw
    assert answer.prediction.split(";")[1] in {"mammalia", "aves"}


@pytest.mark.parametrize("country", ["XXX", "KE", "ken", "404"])
async def test_a_country_that_does_not_exist_is_refused(
    country: str, species_stub: SpeciesServiceAsyncStub
) -> None:
    row = await _row(species_stub, country)
    assert row.error == f"country: {country!r} is no ISO 3166-1 alpha-3 code."
    assert (await _row(species_stub, "", "CA")).error == "country: '' is no ISO 3166-1 alpha-3 code."
