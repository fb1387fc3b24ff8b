from __future__ import annotations

from pathlib import Path

from menagerie_inference.domains.species import Box
from menagerie_training.evaluation.boxes import BoxOutcome
from menagerie_training.evaluation.labels import LabelledPhoto
from menagerie_training.evaluation.metrics import Outcome
from menagerie_training.evaluation.report import Report


def outcome(
    name: str, kind: str, predicted: str, *, targets: tuple[str, ...] = (), rank: int | None = None
) -> Outcome:
    return Outcome(
        LabelledPhoto(Path(name), kind, targets),
        predicted,
        animal_detected=predicted == "animal",
        names=("duck", "swan"),
        rank=rank,
        score=0.9 if rank == 1 else 0.4,
    )


OUTCOMES = (
    outcome("pond.jpg", "animal", "animal", targets=("duck",), rank=1),
    outcome("river.jpg", "animal", "animal", targets=("duck",), rank=2),
    outcome("tree.jpg", "animal", "blank", targets=("koala", "bear")),
    outcome("lawn.jpg", "blank", "blank"),
    outcome("street.jpg", "human", "blank"),
)
PASTED = Box(0.0, 0.0, 0.5, 0.5)
BOXES = (
    BoxOutcome(Path("duck.jpg"), Path("lawn.jpg"), PASTED, found=PASTED),
    BoxOutcome(Path("duck.jpg"), Path("sky.jpg"), PASTED, found=None),
)


def test_the_report_says_it_all_in_aligned_columns() -> None:
    assert (
        str(Report("tiny-v1", Path("photos"), OUTCOMES, BOXES))
        == """\
model        tiny-v1
photographs  photos, 5

measure                    share  right  n
labelled animals: top-1    0.333  1      3
labelled animals: top-5    0.667  2      3
animals detected           0.667  2      3
animal predicted animal    0.667  2      3
human predicted human      0.000  0      1
vehicle predicted vehicle  -      0      0
blank predicted blank      1.000  1      1

labelled \\ predicted  animal  human  vehicle  blank  unknown
animal                2       0      0        1      0
human                 0       0      0        1      0
vehicle               0       0      0        0      0
blank                 0       0      0        1      0

labelled animal  top-1  top-5  n
duck             1      2      2
koala|bear       0      0      1

score of the first class    mean   right  n
0.4 to 0.5                  0.400  0.000  2
0.9 to 1.0                  0.900  1.000  1
expected calibration error  0.300         3

box of 1 cut-outs pasted on 2 scenes  mean IoU  IoU >= .5  IoU >= .3  n
where an animal was detected          1.000     1.000      1.000      1
all; 0 where none was                 0.500     0.500      0.500      2
the whole photograph                  0.250     0.000      0.000      2

not top-1  accepted    answered
river.jpg  duck        duck, swan
tree.jpg   koala|bear  duck, swan"""
    )


def test_what_cannot_be_measured_is_said_or_left_out() -> None:
    report = str(Report("tiny-v1", Path("photos"), OUTCOMES[3:]))
    assert "labelled animals: top-1    -      0      0" in report
    assert "boxes  not measured: no cut-out animals" in report
    assert "calibration" not in report


def test_boxes_of_animals_that_were_never_detected_are_no_figure() -> None:
    report = str(Report("tiny-v1", Path("photos"), OUTCOMES, BOXES[1:]))
    assert "where an animal was detected          -         -          -          0" in report
