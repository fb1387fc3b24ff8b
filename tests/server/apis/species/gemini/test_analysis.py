from __future__ import annotations

import pytest

from menagerie_server.apis.species.gemini.analysis import analyse
from menagerie_server.apis.species.gemini.calls import Answer
from menagerie_server.apis.species.gemini.intake import StoredImage
from menagerie_server.apis.species.gemini.spool import Extent
from menagerie_server.apis.species.gemini.submission import Submission

IMAGE = StoredImage("a.jpg", "image/jpeg", Extent("", 0, 7))


def submission(count: int) -> Submission:
    return Submission("?", {}, "{}", (IMAGE,) * count)


@pytest.mark.parametrize(
    ("versions", "shown"),
    [(["v1"], "v1"), (["", "v2", "v3"], "v2"), ([""], "asked-for"), (["ж", "a\nb", "v3"], "v3")],
)
def test_the_version_is_the_first_that_a_header_can_carry(versions: list[str], shown: str) -> None:
    answers = [Answer(text="{}", model_version=version) for version in versions]
    analysis = analyse(submission(len(answers)), answers, "asked-for")
    assert (analysis.model, analysis.model_version) == ("asked-for", shown)


def test_images_keep_their_place_name_and_size() -> None:
    analysis = analyse(submission(2), [Answer(text="a deer"), Answer(text="{}")], "m")
    images = [image for group in analysis.groups for image in group.images]
    assert [(image.index, image.filename, image.size) for image in images] == [
        (0, "a.jpg", 7),
        (1, "a.jpg", 7),
    ]
    assert images[0].response == {"text": "a deer"}
