from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from menagerie_server.apis.species.gemini.answers import LABEL_KEYS, AnsweredImage, analyse, group, label_of
from menagerie_server.apis.species.gemini.client import Answer
from menagerie_server.apis.species.gemini.submission import Submission, SubmittedImage
from menagerie_server.uploads import SpooledFile

if TYPE_CHECKING:
    from menagerie_server.apis.species.gemini.json_object import JsonObject

IMAGE = SubmittedImage("image/jpeg", SpooledFile("a.jpg", io.BytesIO(), 0, 7))


def submission(count: int) -> Submission:
    return Submission("?", {}, (IMAGE,) * count)


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


@pytest.mark.parametrize(
    ("versions", "shown"),
    [(["v1"], "v1"), (["", "v2", "v3"], "v2"), ([""], "asked-for"), (["ж", "a\nb", "v3"], "v3")],
)
def test_the_version_is_the_first_that_a_header_can_carry(versions: list[str], shown: str) -> None:
    answers = [Answer("{}", version) for version in versions]
    analysis = analyse(submission(len(answers)), answers, "asked-for")
    assert (analysis.model, analysis.model_version) == ("asked-for", shown)


def test_images_keep_their_place_name_and_size() -> None:
    analysis = analyse(submission(2), [Answer("a deer"), Answer("{}")], "m")
    images = [image for group in analysis.groups for image in group.images]
    assert [(image.index, image.filename, image.size) for image in images] == [
        (0, "a.jpg", 7),
        (1, "a.jpg", 7),
    ]
    assert images[0].response == {"text": "a deer"}
