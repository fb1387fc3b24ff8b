from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.support.moderation_models import colour_model

from menagerie_inference.domains.nsfw import Member
from menagerie_inference.errors import ManifestError, ModelFailed

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_inference.engine.local import LocalEngine


@pytest.mark.parametrize(
    ("calibration", "expected"),
    [
        ({"weight": 0.4}, (0.4, None, False)),
        ({"weight": 0.3, "face_margin": 0.2}, (0.3, 0.2, False)),
        ({"weight": 0, "fallback": 1}, (0, None, True)),
    ],
)
async def test_the_calibration_says_how_a_model_counts(
    engine: LocalEngine, tmp_path: Path, calibration: dict[str, float], expected: tuple[object, ...]
) -> None:
    member = Member(await engine.load(colour_model(tmp_path, "one", {"adult": "red"}, **calibration)))
    assert (member.weight, member.face_margin, member.takes_over) == expected
    assert (member.role, member.name, member.questions) == ("nsfw-one", "one", ("adult",))


@pytest.mark.parametrize(
    ("questions", "calibration", "text"),
    [
        ({"cats": "red"}, {"weight": 0.5}, "outputs answer none of"),
        ({"adult": "red"}, {}, "gives it no weight"),
        ({"adult": "red"}, {"weight": 0}, "gives it no weight"),
        ({"adult": "red"}, {"weight": -1, "fallback": 1}, "gives it no weight"),
    ],
)
async def test_a_manifest_that_does_not_make_a_member_is_refused(
    engine: LocalEngine,
    tmp_path: Path,
    questions: dict[str, str],
    calibration: dict[str, float],
    text: str,
) -> None:
    model = await engine.load(colour_model(tmp_path, "one", questions, **calibration))
    with pytest.raises(ManifestError, match=text):
        Member(model)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.01, 1.01])
async def test_what_is_no_probability_is_refused(engine: LocalEngine, tmp_path: Path, value: float) -> None:
    member = Member(await engine.load(colour_model(tmp_path, "one", {"adult": "red"}, weight=1)))
    assert member.answers({"adult": np.array([0.0, 1.0])})["adult"].tolist() == [0, 1]
    with pytest.raises(ModelFailed, match="one answered 'adult' with what is no probability"):
        member.answers({"adult": np.array([0.5, value])})
