"""The page of NSFW moderation, in a real browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.contract.cases.nsfw import PERSON
from tests.contract.test_pages import KEEP_VIOLATIONS
from tests.support import images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, FilePayload, Locator, Page
    from tests.support.server import RunningServer

MILLISECONDS = 30_000
SCENE: FilePayload = {"name": "scene.jpg", "mimeType": "image/jpeg", "buffer": images.jpeg()}
DAMAGED: FilePayload = {"name": "damaged.jpg", "mimeType": "image/jpeg", "buffer": images.damaged_jpeg()}
WOMAN: FilePayload = {"name": PERSON.name, "mimeType": "image/jpeg", "buffer": PERSON.content}


@pytest.fixture(params=["own port", "front door"])
def page(request: pytest.FixtureRequest, browser: Browser, server: RunningServer) -> Iterator[Page]:
    """The page, which asks nobody but its own server, and does nothing that its policy forbids."""
    own = request.param == "own port"
    base = server.api("nsfw") if own else f"{server.front_door}/nsfw"
    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(MILLISECONDS)
        asked: list[str] = []
        errors: list[object] = []
        page.on("request", lambda sent: asked.append(sent.url))
        page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 - it takes no built-in
        page.add_init_script(KEEP_VIOLATIONS)
        page.goto(f"{base}/ui")
        yield page
        assert page.evaluate("window.violations") == []
        assert errors == []
        assert all(url.startswith(f"{base}/") for url in asked)


def judged(page: Page, path: str, *files: FilePayload) -> Locator:
    """Choose files, have them classified, and return the section with the answers."""
    section = page.locator("section").filter(has=page.locator(f'form[data-path="{path}"]'))
    section.locator("input").set_input_files(files)
    section.get_by_role("button", name="Classify").click()
    return section


def test_one_image_and_what_each_model_said_of_it(page: Page) -> None:
    row = judged(page, "predict/single", WOMAN).locator("tbody tr")
    expect(row).to_contain_text("NSFW", timeout=MILLISECONDS)
    expect(row).to_contain_text("female_present")
    row.click()
    shown = json.loads(page.locator("dialog pre").inner_text())
    assert len(shown["results"]["triple_ensemble"]["per_model_predictions"]) == 3
    page.get_by_role("button", name="Close").click()
    expect(page.locator("dialog")).to_be_hidden()


def test_several_images(page: Page) -> None:
    section = judged(page, "predict/multi", SCENE, DAMAGED, WOMAN)
    expect(section.locator("tbody tr")).to_have_count(2, timeout=MILLISECONDS)
    expect(section).to_contain_text("2 classified, 1 of them NSFW.")
    expect(section).to_contain_text("Error processing damaged.jpg: Could not decode image file")


def test_a_stream_of_images(page: Page) -> None:
    section = judged(page, "predict/streaming", SCENE, DAMAGED, *[SCENE] * 6)
    expect(section).to_contain_text("7 classified, 0 of them NSFW.", timeout=MILLISECONDS)
    rows = section.locator("tbody tr")
    expect(rows).to_have_count(8)
    expect(rows.nth(1)).to_contain_text("Could not decode image file")
    assert section.locator("progress").evaluate("bar => [bar.value, bar.max]") == [8, 8]


def test_what_is_refused_is_told(page: Page) -> None:
    text: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"text"}
    expect(judged(page, "predict/single", text)).to_contain_text("400: Invalid image file.")


def test_health_and_configuration(page: Page) -> None:
    expect(page.locator("#health")).to_contain_text('"status": "healthy"')
    expect(page.locator("#config")).to_contain_text('"sensitivity_level": "medium"')
    page.locator("button[data-show=health]").click()
    assert json.loads(page.locator("#health").inner_text())["database"]["connected"] is True
