from __future__ import annotations

from menagerie_server.apis.species.gemini.prompt import image_prompt


def test_the_prompt_names_the_image() -> None:
    assert image_prompt("Which deer?", 0, "a.jpg") == "Which deer?\nImage index: 1\nFilename: a.jpg"


def test_a_nameless_image_has_a_name() -> None:
    assert image_prompt("Which deer?", 1, "") == "Which deer?\nImage index: 2\nFilename: upload"
