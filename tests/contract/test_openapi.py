"""The documents: valid, fresh, complete, and muzzle's is the one that was there first."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from openapi_spec_validator import validate
from tools.openapi_generator.document import documents
from tools.openapi_generator.sources import Sources

from menagerie_envoy import APIS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_envoy import Api

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "proto"
SAMPLES = Path(__file__).parent / "documents"

EDGE_STATUSES = (400, 422, 429, 431, 503, 504)
BODY_STATUSES = (408, 413)

DOCUMENTED = {
    "whales": {
        *("GET /health", "GET /metrics", "GET /v1/drift-stats"),
        *("POST /v1/predict-single", "POST /predict-single", "POST /v1/predict-batch", "POST /predict-batch"),
    },
    "coral": {
        *("GET /V1/api/health", "GET /V1/api/status/{job_id}"),
        *("POST /V1/api/classify", "DELETE /V1/api/classify/{job_id}"),
    },
    "species": {"GET /", "GET /healthz", "POST /uploadfile/", "POST /analyze/", "POST /gemini/analyze/"},
    "nsfw": {
        *("GET /", "GET /health", "GET /config", "GET /stats", "GET /image/{image_id}", "GET /ui"),
        *("POST /predict/single", "POST /predict/multi", "POST /predict/urls", "POST /predict/streaming"),
    },
    "muzzle": {
        *("GET /health", "POST /predict", "POST /predict/file", "POST /encode", "POST /encode/file"),
        *("POST /domain-check", "POST /domain-check/file"),
    },
}


def committed(api: str) -> Path:
    return PROTO / f"menagerie/{api}/v1/{api}.openapi.json"


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


each_api = pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)


@each_api
def test_a_document_is_valid(api: Api) -> None:
    validate(read(committed(api.name)))


@each_api
def test_a_document_names_every_documented_path(api: Api) -> None:
    paths = read(committed(api.name))["paths"]
    assert {f"{verb.upper()} {path}" for path in paths for verb in paths[path]} >= DOCUMENTED[api.name]


@each_api
def test_the_ids_of_operations_are_distinct(api: Api) -> None:
    paths = read(committed(api.name))["paths"]
    ids = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(ids) == len(set(ids))


@each_api
def test_a_document_names_what_the_edge_answers_itself(api: Api) -> None:
    for path, operations in read(committed(api.name))["paths"].items():
        for verb, operation in operations.items():
            found = {*EDGE_STATUSES, *(BODY_STATUSES if "requestBody" in operation else ())}
            answered = {str(api.reply(status).status) for status in found}
            assert answered <= operation["responses"].keys(), f"{verb} {path}"


def test_documents_are_what_the_generator_makes_now(tmp_path: Path) -> None:
    sources = tmp_path / "sources.binpb"
    buf = Path(sys.executable).with_name("buf")
    subprocess.run([buf, "build", "--as-file-descriptor-set", "-o", sources], cwd=ROOT, check=True)
    generator = ("-m", "tools.openapi_generator")
    subprocess.run([sys.executable, *generator, sources, tmp_path], cwd=ROOT, check=True)
    made = {path.relative_to(tmp_path): path.read_text("utf-8") for path in tmp_path.rglob("*.openapi.json")}
    kept = {path.relative_to(PROTO): path.read_text("utf-8") for path in PROTO.rglob("*.openapi.json")}
    assert made == kept


def test_muzzle_says_all_that_its_first_document_says() -> None:
    first = read(SAMPLES / "muzzle.openapi.json")
    del first["info"]["contact"]["email"]  # an empty address, which is none
    assert list(missing(read(committed("muzzle")), first)) == []


def missing(ours: object, theirs: object, place: str = "") -> Iterator[str]:
    """Yield the places of what a document says and ours does not; white space counts for nothing."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key, value in theirs.items():
            if key in ours:
                yield from missing(ours[key], value, f"{place}/{key}")
            else:
                yield f"{place}/{key}"
    elif isinstance(theirs, list) and isinstance(ours, list):
        lost = (one for one in theirs if all(list(missing(own, one)) for own in ours))
        yield from (f"{place}: {one}" for one in lost)
    elif isinstance(theirs, str) and isinstance(ours, str) and place.endswith("/description"):
        if " ".join(theirs.split()) not in " ".join(ours.split()):  # ours may say more
            yield place
    elif ours != theirs:
        yield place


@pytest.fixture(scope="module")
def ferry(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of the one API that has every kind of operation."""
    descriptors = tmp_path_factory.mktemp("ferry") / "ferry.binpb"
    folders = [f"--proto_path={folder}" for folder in (SAMPLES, PROTO, PROTO / "third_party")]
    kept = ["--include_imports", "--include_source_info", f"--descriptor_set_out={descriptors}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *folders, *kept, "ferry.proto"], check=True)
    ((name, text),) = documents(Sources(FileDescriptorSet.FromString(descriptors.read_bytes())))
    assert name == "ferry.openapi.json"
    document: dict[str, Any] = json.loads(text)
    return document


def test_any_kind_of_operation_makes_a_valid_document(ferry: dict[str, Any]) -> None:
    validate(ferry)
    assert list(ferry["paths"]) == [
        "/boats/{boat_id}",
        "/v0/boats/{boat_id}",
        "/boats",
        "/paint/",
        "/boats/{boat_id}/events",
        "/boats/{boat_id}/image",
        "/boats/{boat_id}/description",
    ]
    assert ferry["info"]["contact"] == {"name": "The harbour"}
    assert ferry["info"]["license"] == {"name": "Proprietary"}


def test_a_get_has_parameters_and_another_id_at_each_path(ferry: dict[str, Any]) -> None:
    first, second = (ferry["paths"][path]["get"] for path in ("/boats/{boat_id}", "/v0/boats/{boat_id}"))
    assert (first["operationId"], second["operationId"]) == ("GetBoat", "GetBoat_2")
    assert first["summary"] == "Finds a boat"
    assert first["description"] == "Finds a boat. It may\nbe anywhere."
    assert [(one["name"], one["in"], one.get("required")) for one in first["parameters"]] == [
        ("boat_id", "path", True),
        ("omit_drawing", "query", None),
    ]
    assert list(first["responses"]) == ["200", "400", "404", "422", "429", "431", "500", "503", "504"]
    assert first["responses"]["404"]["description"] == "There is no such boat."


def test_a_json_body_is_the_message(ferry: dict[str, Any]) -> None:
    operation = ferry["paths"]["/boats"]["post"]
    assert "description" not in operation
    assert "parameters" not in operation
    assert operation["security"] == [{"ApiKey": []}]
    assert "401" in operation["responses"]
    body = ferry["components"]["schemas"]["BuildBoatRequest"]
    assert body["required"] == ["name"]
    assert body["properties"]["plan"]["contentEncoding"] == "base64"
    planks = {"title": "Planks", "description": "What it is made of.", "minItems": 2, "maxItems": 9}
    assert body["properties"]["planks"] == {"type": "array", "items": {"type": "string"}} | planks


def test_a_form_has_its_fields_and_the_query_the_rest(ferry: dict[str, Any]) -> None:
    operation = ferry["paths"]["/paint/"]["post"]
    content = operation["requestBody"]["content"]
    encoding = {"pictures": {"contentType": "image/png, image/svg+xml"}}
    schema = {"$ref": "#/components/schemas/Paint"}
    assert content == {"multipart/form-data": {"schema": schema, "encoding": encoding}}
    assert [one["name"] for one in operation["parameters"]] == ["coats"]
    form = ferry["components"]["schemas"]["Paint"]
    file = {"type": "string", "contentMediaType": "application/octet-stream", "format": "binary"}
    words = {"title": "Pictures", "description": "One a boat."}
    assert form["properties"] == {
        "pictures": {"type": "array", "items": file} | words,
        "colour": {"type": "string"},
    }
    assert form["required"] == ["pictures"]


def test_an_answer_is_an_array_events_a_file_or_json_in_pieces(ferry: dict[str, Any]) -> None:
    vessel = {"$ref": "#/components/schemas/Vessel"}

    def content(path: str, verb: str) -> object:
        return ferry["paths"][path][verb]["responses"]["200"]["content"]

    assert content("/paint/", "post") == {"application/json": {"schema": {"type": "array", "items": vessel}}}
    assert content("/boats/{boat_id}/events", "get") == {"text/event-stream": {"schema": vessel}}
    assert content("/boats/{boat_id}/image", "get") == {
        "image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}}
    }
    assert content("/boats/{boat_id}/description", "get") == {"application/json": {"schema": vessel}}


def test_an_answer_requires_what_is_always_printed(ferry: dict[str, Any]) -> None:
    vessel = ferry["components"]["schemas"]["Vessel"]
    assert vessel["required"] == ["name", "drawing", "berth", "harbours", "drive"]
    assert vessel["description"] == "A boat.\n\nAt most one of `cars`, `freight` is there."
    assert vessel["examples"] == [{"name": "Ada"}]
    drawing = {"type": ["string", "null"], "description": "Its drawing; null\nwhere it has none."}
    assert vessel["properties"]["drawing"] == drawing
    assert vessel["properties"]["berth"] == {
        "$ref": "#/components/schemas/Boat.Berth",
        "description": "Its berth.",
    }
    harbour = {"$ref": "#/components/schemas/Harbour"}
    assert vessel["properties"]["harbours"]["additionalProperties"] == harbour
    assert vessel["properties"]["drive"]["enum"] == ["DRIVE_UNSPECIFIED", "DRIVE_SAIL"]
    assert "description" not in ferry["components"]["schemas"]["Harbour"]


def test_an_error_has_the_documented_key(ferry: dict[str, Any]) -> None:
    error = ferry["components"]["schemas"]["Error"]
    assert (list(error["properties"]), error["required"]) == (["error"], ["error"])
