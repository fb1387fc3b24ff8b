"""POST /gemini/analyze/ over REST: what is asked of Gemini, and what becomes of its answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.contract.cases.case import matches
from tests.contract.cases.species import CONFIGURED_CASES, RECIPE, SCHEMA
from tests.contract.gemini.questions import FAILED, GEMINI, JPEG, OVERLOADED, ask, by_image
from tests.support import images
from tests.support.fake_gemini import (
    KEY,
    MODEL_VERSION,
    SECRET_OF_GEMINI,
    cuts_off,
    limits,
    overloads,
    refuses_the_key,
    sends_no_json,
    stalls,
)

from menagerie_server.apis.species.gemini.submission import default_schema

if TYPE_CHECKING:
    from tests.contract.cases.case import Case
    from tests.support.fake_gemini import Behaviour, FakeGemini
    from tests.support.server_process import ServerProcess


@pytest.mark.parametrize("case", CONFIGURED_CASES, ids=lambda case: case.name)
def test_a_documented_request_is_answered_as_documented(
    client: httpx.Client, gemini: FakeGemini, case: Case
) -> None:
    response = case.send(client)
    assert response.status_code == case.expected.status, response.text
    assert matches(case.expected.body, response.json())
    assert bool(gemini.asked) == (case.path == GEMINI and response.is_success)


def test_the_documents_example(client: httpx.Client, gemini: FakeGemini) -> None:
    gemini.usual = by_image
    response = ask(client, 2, schema_json=SCHEMA)
    assert response.status_code == 200
    assert response.headers["x-model-version"] == MODEL_VERSION
    assert response.json() == {
        "prompt": RECIPE,
        "schema": json.loads(SCHEMA),
        "gemini_model": "gemini-1.5-flash",
        "total_images": 2,
        "groups": [
            {
                "group": f"group_{number}",
                "count": 1,
                "summary": {"recipe_name": name},
                "items": [
                    {
                        "index": number - 1,
                        "filename": f"camera-trap-{number}.jpg",
                        "content_size": len(JPEG),
                        "response": {"recipe_name": name},
                    }
                ],
            }
            for number, name in ((1, "soup"), (2, "pie"))
        ],
    }
    assert {one.text for one in gemini.asked} == {
        f"{RECIPE}\nImage index: {number}\nFilename: camera-trap-{number}.jpg" for number in (1, 2)
    }
    assert all(one.schema == json.loads(SCHEMA) for one in gemini.asked)


def test_without_a_schema_gemini_is_asked_for_a_label(client: httpx.Client, gemini: FakeGemini) -> None:
    assert ask(client).json()["schema"] == default_schema()
    assert [one.schema for one in gemini.asked] == [default_schema()]


def test_an_answer_that_is_no_json_is_text(client: httpx.Client, gemini: FakeGemini) -> None:
    gemini.usual = lambda _: "A deer, I think."
    [group] = ask(client).json()["groups"]
    assert (group["group"], group["summary"]) == ("group_1", {"text": "A deer, I think."})


def test_images_of_5_mb_arrive_whole(client: httpx.Client, gemini: FakeGemini) -> None:
    gemini.usual = lambda _: "{}"
    large = images.padded_to(5 * 1024 * 1024)
    files = [("files", (f"{number}.jpg", large, "image/jpeg")) for number in range(2)]
    response = client.post(GEMINI, data={"prompt": RECIPE}, files=files)
    assert response.json()["total_images"] == 2
    assert all(one.image == large for one in gemini.asked)


@pytest.mark.parametrize("path", ["/gemini/analyze", "/species/gemini/analyze/"])
def test_other_paths_to_it(keyed: ServerProcess, gemini: FakeGemini, path: str) -> None:
    base = keyed.front_door if path.startswith("/species") else keyed.species
    files = {"files": ("a.jpg", JPEG, "image/jpeg")}
    response = httpx.post(f"{base}{path}", data={"prompt": "?"}, files=files, timeout=30, trust_env=False)
    assert response.status_code == 200
    assert len(gemini.asked) == 1


@pytest.mark.parametrize("overload", [overloads, limits], ids=["503", "429"])
def test_an_overload_that_passes_is_not_seen(
    client: httpx.Client, gemini: FakeGemini, overload: Behaviour
) -> None:
    gemini.will(overload, overload)
    assert ask(client).status_code == 200
    assert len(gemini.asked) == 3


@pytest.mark.parametrize("overload", [overloads, limits], ids=["503", "429"])
def test_an_overload_that_lasts(client: httpx.Client, gemini: FakeGemini, overload: Behaviour) -> None:
    gemini.always(overload)
    response = ask(client)
    assert (response.status_code, response.json()) == (503, {"detail": OVERLOADED})
    assert response.headers["retry-after"] == "30"
    assert len(gemini.asked) == 3


@pytest.mark.parametrize(
    "failure", [refuses_the_key, sends_no_json, cuts_off, stalls], ids=lambda failure: failure.__name__
)
def test_a_failure_of_geminis(client: httpx.Client, gemini: FakeGemini, failure: Behaviour) -> None:
    gemini.always(failure)
    response = ask(client)
    assert (response.status_code, response.json()) == (502, {"detail": FAILED})


def test_the_log_has_the_reason_and_never_the_key(
    client: httpx.Client, keyed: ServerProcess, gemini: FakeGemini
) -> None:
    gemini.always(refuses_the_key)
    response = ask(client)
    lines = [line for line in keyed.output().splitlines() if response.headers["x-request-id"] in line]
    assert any(SECRET_OF_GEMINI in line for line in lines)
    assert KEY not in keyed.output()


def test_no_pages_are_named_that_are_not_served(species: httpx.Client) -> None:
    assert species.get("/").json().keys() == {"service", "version", "healthz"}
