"""The pages of every API's document, in a real browser."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect
from tests.support.folders import open_folder
from tests.support.photos import FOLDER, PHOTOS
from tests.support.server import running_server

import menagerie_inference
from menagerie_envoy import APIS
from menagerie_envoy.filters import SECURE_HEADERS
from menagerie_envoy.pages import SECURITY_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page, Response
    from tests.support.server import RunningServer

    from menagerie_envoy import Api

PROTO = Path(__file__).parents[2] / "proto"
FRIEND, STRANGER = "http://friend.localhost", "http://stranger.localhost"

NOT_SERVED = "the server responded with a status of 501"
"""What the console says of the question whether an API is served that is not."""

KEEP_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
        window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""
CALL = """
    ([url, headers]) => fetch(url, {headers}).then((answer) => answer.status, (error) => error.name)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with (
        open_folder() as folder,
        running_server(
            folder / "data",
            MENAGERIE_SPECIES_API_DOCS="true",
            MENAGERIE_SPECIES_ALLOWED_ORIGINS=FRIEND,
        ) as server,
    ):
        yield server


@dataclass
class Visit:
    """A page, and what it did since it was opened."""

    page: Page
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str) -> Response:
        """Open a URL that answers."""
        response = self.page.goto(url)
        assert response is not None
        assert response.status == 200
        return response

    def strangers(self) -> set[str]:
        """Return the origins that were asked for something, besides the page's own."""
        schemes = ("data:", "blob:")  # what the page itself holds
        asked = {urlsplit(url)[:2] for url in self.requested if not url.startswith(schemes)}
        return {"://".join(origin) for origin in asked - {urlsplit(self.page.url)[:2]}}

    def violations(self) -> list[str]:
        """Return what broke the content security policy."""
        found: list[str] = self.page.evaluate("window.violations")
        return found


@contextmanager
def visiting(browser: Browser) -> Iterator[Visit]:
    with browser.new_context() as context:
        visit = Visit(context.new_page())
        visit.page.add_init_script(KEEP_VIOLATIONS)
        visit.page.on("request", lambda request: visit.requested.append(request.url))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on(
            "console",
            lambda message: visit.complaints.append(message.text) if message.type == "error" else None,
        )
        yield visit


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """A visit that nobody but the server sees, and that ends without a complaint."""
    with visiting(browser) as visit:
        yield visit
        assert visit.strangers() == set()
        assert visit.violations() == []
        assert [one for one in visit.complaints if NOT_SERVED not in one] == []


@dataclass(frozen=True)
class Documented:
    """What a document says that its pages have to show."""

    title: str
    operations: list[tuple[str, str, str]]
    """The method, the path and the summary of each."""


def documented(api: str) -> Documented:
    document: dict[str, Any] = json.loads((PROTO / f"menagerie/{api}/v1/{api}.openapi.json").read_bytes())
    return Documented(
        document["info"]["title"],
        [
            (verb.upper(), path, operation["summary"])
            for path, operations in document["paths"].items()
            for verb, operation in operations.items()
        ],
    )


def base(server: RunningServer, api: str, way: str) -> str:
    return server.api(api) if way == OWN else f"{server.front_door}/{api}"


def check_guard(page: Response) -> None:
    assert page.headers["content-security-policy"] == SECURITY_POLICY
    assert page.headers.items() >= SECURE_HEADERS.items()


OWN, FRONT = "its own port", "the front door"

each_place = pytest.mark.parametrize(("api", "way"), [*((api.name, OWN) for api in APIS), ("coral", FRONT)])
"""Where pages are shown. They hold no address, so that one API's pages tell how all are at the front door."""
each_way = pytest.mark.parametrize("way", [OWN, FRONT])


@each_place
def test_swagger_ui_shows_every_operation(server: RunningServer, visit: Visit, api: str, way: str) -> None:
    known = documented(api)
    check_guard(visit.open(f"{base(server, api, way)}/docs"))
    expect(visit.page.locator(".info .title")).to_contain_text(known.title)
    shown = visit.page.locator(".opblock")
    expect(shown).to_have_count(len(known.operations))
    assert {
        (
            block.locator(".opblock-summary-method").inner_text(),
            block.locator(".opblock-summary-path").get_attribute("data-path"),
            block.locator(".opblock-summary-description").inner_text(),
        )
        for block in shown.all()
    } == set(known.operations)


@each_place
def test_redoc_shows_every_operation(server: RunningServer, visit: Visit, api: str, way: str) -> None:
    known = documented(api)
    check_guard(visit.open(f"{base(server, api, way)}/redoc"))
    expect(visit.page.locator("h1").first).to_contain_text(known.title)
    shown = visit.page.locator("[data-section-id^='operation/']")
    expect(shown).to_have_count(len(known.operations))
    assert {
        (
            operation.locator(".http-verb").first.inner_text().upper(),
            operation.locator(".http-verb + span").first.inner_text(),
            operation.locator("h2").first.inner_text(),
        )
        for operation in shown.all()
    } == set(known.operations)


def try_out(page: Page, path: str) -> Locator:
    """Open an operation of Swagger UI, ready to be called."""
    operation = page.locator(".opblock", has=page.locator(f"[data-path='{path}']"))
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    return operation


def execute(operation: Locator) -> Locator:
    """Call an operation, and return its answer once it is there."""
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    return answer.locator(".highlight-code").first


@each_way
def test_an_operation_can_be_tried_out(server: RunningServer, visit: Visit, way: str) -> None:
    visit.open(f"{base(server, 'species', way)}/docs")
    answer = execute(try_out(visit.page, "/healthz"))
    expect(answer).to_contain_text('"temp_dir_ready": true')
    assert f"{base(server, 'species', way)}/healthz" in visit.requested


def test_a_photograph_can_be_tried_out(server: RunningServer, visit: Visit) -> None:
    visit.open(f"{server.species}/docs")
    operation = try_out(visit.page, "/uploadfile/")
    operation.locator("input[type=file]").set_input_files(FOLDER / PHOTOS.an_animal().name)
    expect(execute(operation)).to_contain_text('"label": "animal"')


def test_several_files_can_be_chosen(server: RunningServer, visit: Visit) -> None:
    visit.open(f"{server.species}/docs")
    expect(try_out(visit.page, "/gemini/analyze/").locator("input[type=file]")).to_have_count(1)


def test_redoc_finds_an_operation(server: RunningServer, visit: Visit) -> None:
    visit.open(f"{server.species}/redoc")
    visit.page.get_by_placeholder("Search...").fill("Gemini")
    expect(visit.page.locator("[data-role='search:results'] li").first).to_contain_text("Gemini")


def section(page: Page, api: str) -> Locator:
    return page.locator(f"section#{api}")


def try_files(page: Page, api: str, *photos: str) -> Locator:
    """Send photographs with an API's form on the front door's page, and return where the answer is shown."""
    form = section(page, api)
    for chooser, photo in zip(form.locator("input[type=file]").all(), photos, strict=True):
        chooser.set_input_files(FOLDER / photo)
    form.get_by_role("button", name="Try it").click()
    return form.locator("output")


def test_the_front_doors_page_names_every_api(server: RunningServer, visit: Visit) -> None:
    check_guard(visit.open(f"{server.front_door}/"))
    expect(visit.page.get_by_role("status")).to_have_text(f"{len(APIS)} of {len(APIS)} APIs are ready.")
    shown = visit.page.locator("section")
    assert [one.get_attribute("id") for one in shown.all()] == [api.name for api in APIS]
    for api in APIS:
        part = section(visit.page, api.name)
        expect(part).to_contain_text(documented(api.name).title)
        expect(part).to_contain_text(f"port {server.ports[api.name]}")
        expect(part.locator(".state")).to_have_text("ready")
        links = [link.get_attribute("href") for link in part.get_by_role("link").all()]
        assert links == [f"{api.name}/{page}" for page in ("docs", "redoc", "openapi.json")]
        for link in links:
            assert httpx.get(f"{server.front_door}/{link}").status_code == 200


def test_a_photograph_can_be_tried_on_the_front_doors_page(server: RunningServer, visit: Visit) -> None:
    visit.open(f"{server.front_door}/")
    answer = try_files(visit.page, "species", PHOTOS.an_animal().name)
    expect(answer).to_contain_text('"label": "animal"')
    expect(answer).to_contain_text("200 in ")


def test_a_job_is_followed_to_its_picture_on_the_front_doors_page(
    server: RunningServer, visit: Visit
) -> None:
    visit.open(f"{server.front_door}/")
    answer = try_files(visit.page, "coral", PHOTOS.a_scene().name)
    expect(answer).to_contain_text('"status": "completed"', timeout=30_000)
    expect(answer.get_by_role("img", name="The result")).to_be_visible()


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_the_front_doors_form_is_the_documents(api: Api) -> None:
    document = json.loads((PROTO / f"menagerie/{api.name}/v1/{api.name}.openapi.json").read_bytes())
    assert api.form is not None
    content = document["paths"][api.form.path]["post"]["requestBody"]["content"]["multipart/form-data"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    fields = document["components"]["schemas"][name]
    assert list(api.form.fields) == fields["required"]
    if api.form.job:
        assert f"{api.form.job}{{job_id}}" in document["paths"]


@pytest.fixture(scope="module")
def coral_alone() -> Iterator[RunningServer]:
    """A server whose profile has the model of one API, and that asks for keys."""
    models = Path(menagerie_inference.__file__).parent / "models"
    with open_folder() as folder:
        (folder / "profile").mkdir()
        (folder / "profile" / "coral").symlink_to(models / "coral")
        with running_server(
            folder / "data", MENAGERIE_PROFILE=str(folder / "profile"), MENAGERIE_CORAL_API_KEYS="reef-key"
        ) as server:
            yield server


def test_what_is_not_served_cannot_be_tried(coral_alone: RunningServer, visit: Visit) -> None:
    visit.open(f"{coral_alone.front_door}/")
    expect(visit.page.get_by_role("status")).to_have_text(f"1 of {len(APIS)} APIs are ready.")
    for api in APIS:
        served = api.name == "coral"
        part = section(visit.page, api.name)
        expect(part.locator(".state")).to_have_text("ready" if served else "not served")
        assert part.get_by_role("button", name="Try it").is_enabled() == served
    expect(section(visit.page, "species")).to_contain_text("MENAGERIE_SPECIES_API_DOCS=true turns it on")


def test_a_form_asks_for_a_key_where_one_is_needed(coral_alone: RunningServer, visit: Visit) -> None:
    visit.open(f"{coral_alone.front_door}/")
    assert section(visit.page, "whales").get_by_label("API key").count() == 0
    section(visit.page, "coral").get_by_label("API key").fill("reef-key")
    answer = try_files(visit.page, "coral", PHOTOS.a_scene().name)
    expect(answer).to_contain_text('"status": "completed"', timeout=30_000)
    expect(answer.get_by_role("img", name="The result")).to_be_visible()


@pytest.mark.parametrize("page", ["docs", "redoc"])
@each_way
def test_the_pages_of_an_api_that_is_not_served_say_so(
    coral_alone: RunningServer, visit: Visit, way: str, page: str
) -> None:
    visit.open(f"{base(coral_alone, 'whales', way)}/{page}")
    expect(visit.page.locator("#not-served")).to_contain_text("The whales API is not served by this version.")


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_the_pages_of_an_api_that_is_served_do_not(server: RunningServer, visit: Visit, page: str) -> None:
    with visit.page.expect_response("**/V1/api/health") as health:
        visit.open(f"{server.api('coral')}/{page}")
    assert health.value.status == 200
    expect(visit.page.locator("#not-served")).to_have_count(0)


def called_from(origin: str, browser: Browser, url: str) -> list[object]:
    """Return the statuses, or errors, that a page of this origin gets: without a preflight, and with one."""
    with visiting(browser) as visit:
        # A page from elsewhere asks its user before it calls a server on this machine.
        visit.page.context.grant_permissions(["local-network-access"])
        visit.page.route(f"{origin}/", lambda route: route.fulfill(body="", content_type="text/html"))
        visit.open(f"{origin}/")
        return [visit.page.evaluate(CALL, [url, headers]) for headers in ({}, {"x-api-key": "any"})]


@each_way
def test_pages_of_an_allowed_origin_may_call(server: RunningServer, browser: Browser, way: str) -> None:
    assert called_from(FRIEND, browser, f"{base(server, 'species', way)}/healthz") == [200, 200]


@each_way
def test_pages_of_another_origin_may_not(server: RunningServer, browser: Browser, way: str) -> None:
    refused = called_from(STRANGER, browser, f"{base(server, 'species', way)}/healthz")
    assert refused == ["TypeError", "TypeError"]
