"""The pages of every API's document, in a real browser."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright
from tests.support.folders import open_folder
from tests.support.missing import miss
from tests.support.photos import FOLDER, PHOTOS
from tests.support.server import running_server

from menagerie_envoy import APIS
from menagerie_envoy.filters import SECURE_HEADERS
from menagerie_envoy.pages import SECURITY_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page, Response
    from tests.support.server import RunningServer

PROTO = Path(__file__).parents[2] / "proto"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
FRIEND, STRANGER = "http://friend.localhost", "http://stranger.localhost"

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or miss("chromium is not installed")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=FLAGS) as browser,
    ):
        yield browser


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
        assert visit.complaints == []


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
