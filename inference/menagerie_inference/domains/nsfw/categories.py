"""The three categories of an image, and how two questions about it make their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

ADULT: Final = "adult"
"""The question whether an image is explicit, or shows an adult toy."""

FEMALE: Final = "female"
"""The question whether an image that is not adult shows a woman or a girl."""

QUESTIONS: Final = (ADULT, FEMALE)

ADULT_OBJECT: Final = "adult_object"
FEMALE_PRESENT: Final = "female_present"
MALE_ONLY: Final = "male_only"
"""The category of everything safe, scenes without people included."""


@dataclass(frozen=True)
class CategoryProbabilities:
    """The probability of each category, from 0 to 1; together they are 1."""

    male_only: float
    female_present: float
    adult_object: float

    @classmethod
    def of(cls, *, adult: float, female: float) -> Self:
        """Make a, (1-a)f and (1-a)(1-f) of the answers to the two questions, each from 0 to 1."""
        return cls(
            male_only=(1 - adult) * (1 - female), female_present=(1 - adult) * female, adult_object=adult
        )

    @property
    def unsafe(self) -> float:
        """The probability that the image is in one of the two unsafe categories."""
        return min(self.adult_object + self.female_present, 1.0)

    @property
    def unsafe_category(self) -> str:
        """The likelier one of the two unsafe categories."""
        return ADULT_OBJECT if self.adult_object >= self.female_present else FEMALE_PRESENT

    @property
    def likeliest(self) -> str:
        """The likeliest category; of several, the unsafe ones come first."""
        return self.unsafe_category if self.of_category(self.unsafe_category) >= self.male_only else MALE_ONLY

    def of_category(self, category: str) -> float:
        """Return the probability of a category by its name."""
        return {
            MALE_ONLY: self.male_only,
            FEMALE_PRESENT: self.female_present,
            ADULT_OBJECT: self.adult_object,
        }[category]
