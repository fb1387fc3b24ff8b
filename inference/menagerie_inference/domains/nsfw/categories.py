"""The three categories of an image, and their probabilities from the answers to two questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

ADULT: Final = "adult"
"""The question whether an image is explicit or shows a sex toy."""

FEMALE: Final = "female"
"""The question whether an image that is not adult shows a woman or a girl."""

QUESTIONS: Final = (ADULT, FEMALE)

ADULT_OBJECT: Final = "adult_object"
FEMALE_PRESENT: Final = "female_present"
MALE_ONLY: Final = "male_only"
"""The category of everything safe, scenes without people included."""


@dataclass(frozen=True)
class CategoryProbabilities:
    """The probabilities of the three categories; their sum is 1."""

    male_only: float
    female_present: float
    adult_object: float

    @classmethod
    def of(cls, *, adult: float, female: float) -> Self:
        """Combine the answers a and f to the two questions: a, (1-a)f and (1-a)(1-f), by the product rule.

        Args:
            adult: P(adult), 0 to 1.
            female: P(female | not adult), 0 to 1.
        """
        return cls(
            male_only=(1 - adult) * (1 - female), female_present=(1 - adult) * female, adult_object=adult
        )

    @property
    def unsafe(self) -> float:
        """The probability of the two unsafe categories together."""
        return min(self.adult_object + self.female_present, 1.0)

    @property
    def unsafe_category(self) -> str:
        """The more probable of the two unsafe categories."""
        return ADULT_OBJECT if self.adult_object >= self.female_present else FEMALE_PRESENT

    @property
    def likeliest(self) -> str:
        """The most probable category; ties go to an unsafe one."""
        return self.unsafe_category if self.of_category(self.unsafe_category) >= self.male_only else MALE_ONLY

    def of_category(self, category: str) -> float:
        """Return the probability of a category by its name."""
        return {
            MALE_ONLY: self.male_only,
            FEMALE_PRESENT: self.female_present,
            ADULT_OBJECT: self.adult_object,
        }[category]
