"""What the tests ask, and the texts that they expect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.contract.cases.species import RECIPE
from tests.support import images

from menagerie.species.v1.species_pb2 import GeminiAnalyzeRequest as Request
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from tests.support.fake_gemini import Asked


GEMINI = "/gemini/analyze/"
IDLE_SECONDS = 4
GEMINI_SECONDS = 2.5

NO_KEY = "GOOGLE_API_KEY environment variable is required for Gemini endpoint."
FAILED = "Gemini API call failed. Check server logs for details."
OVERLOADED = "Gemini model overloaded. Please try again later."
WRONG_TYPE = "Invalid file type. Only JPG, PNG, WEBP allowed."
TOO_LARGE = "File too large. Maximum size is 5MB."

JPEG = images.jpeg()


def ask(client: httpx.Client, count: int = 1, **fields: str) -> httpx.Response:
    files = [("files", (f"camera-trap-{number + 1}.jpg", JPEG, "image/jpeg")) for number in range(count)]
    return client.post(GEMINI, data={"prompt": RECIPE} | fields, files=files)


def messages(count: int = 1, *, schema_json: str = "") -> Iterator[Request]:
    yield Request(prompt=RECIPE, schema_json=schema_json)
    for number in range(count):
        image = Image(content=JPEG, filename=f"camera-trap-{number + 1}.jpg", content_type="image/jpeg")
        yield Request(image=image)


def by_image(one: Asked) -> str:
    """Answer the document's example: a recipe, whose name differs from image to image."""
    return json.dumps({"recipe_name": "soup" if "index: 1" in one.text else "pie"})
