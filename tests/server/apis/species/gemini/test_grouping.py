from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from menagerie_server.apis.species.gemini.grouping import LABEL_KEYS, AnsweredImage, group, label_of

if TYPE_CHECKING:
    from menagerie_server.apis.species.gemini.json_object import JsonObject


@pytest.mark.parametrize(
    ("response", "label"),
    [
        ({"category_label": "deer"}, "deer"),
        ({"category_label": " deer\n"}, "deer"),
        ({"title": "a", "name": "b", "species": "c"}, "c"),
        ({"category_label": " ", "label": "deer"}, "deer"),
        ({"category_label": 7, "label": None, "title": "deer"}, "deer"),
        ({"results": [{"x": 1}, {"name": "deer"}, {"category_label": "fox"}]}, "deer"),
        ({"results": ["deer", {"title": "fox"}]}, "fox"),
        ({"results": {"title": "fox"}}, None),
        ({"details": {"species": "deer"}}, "deer"),
        ({"details": {"species": "deer"}, "results": [{"title": "fox"}]}, "fox"),
        ({"details": {"species": "deer"}, "title": "fox"}, "fox"),
        ({"details": [{"species": "deer"}]}, None),
        ({"text": "deer"}, None),
        ({}, None),
    ],
)
def test_the_label_of_an_answer(response: JsonObject, label: str | None) -> None:
    assert label_of(response) == label


@pytest.mark.parametrize(("stronger", "weaker"), list(pairwise(LABEL_KEYS)))
def test_the_order_of_the_keys(stronger: str, weaker: str) -> None:
    assert label_of({weaker: "weaker", stronger: "stronger"}) == "stronger"


def test_groups_come_in_the_order_of_their_first_image() -> None:
    responses: list[JsonObject] = [{"label": "fox"}, {}, {"label": "deer"}, {"label": "fox"}, {"text": "?"}]
    images = [AnsweredImage(index, "a.jpg", 1, response) for index, response in enumerate(responses)]
    groups = {one.label: [image.index for image in one.images] for one in group(images)}
    assert groups == {"fox": [0, 3], "group_2": [1], "deer": [2], "group_5": [4]}
    assert list(groups) == ["fox", "group_2", "deer", "group_5"]
