from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_inference.domains.whales.ranking import Match, Ranker, Ranking
from menagerie_inference.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from menagerie_inference.manifest import Manifest

    Make = Callable[..., Manifest]

matches = st.lists(
    st.builds(
        Match,
        st.sampled_from([f"{number:012x}" for number in range(9)]),
        st.sampled_from(["", "beluga", "humpback_whale"]),
        st.floats(-1, 1),
    ),
    max_size=30,
)


@pytest.fixture
def ranker(manifest: Make) -> Ranker:
    return Ranker.of(manifest(embedding=(8,)))


def match(individual: str, similarity: float, species: str = "beluga") -> Match:
    return Match(individual, species, similarity)


def ids(ranking: Ranking) -> list[str]:
    return [candidate.class_animal for candidate in ranking.candidates]


def test_nobody_is_known(ranker: Ranker) -> None:
    ranking = ranker.rank([])
    assert ranking == Ranking((), 1.0)
    assert not ranking.is_confident
    assert ranking.species == "unknown"


def test_the_nearest_comes_first(ranker: Ranker) -> None:
    ranking = ranker.rank([match("a", 0.7), match("b", 0.9), match("c", 0.8)])
    assert ids(ranking) == ["b", "c", "a"]
    assert ranking.is_confident


def test_at_most_five_candidates(ranker: Ranker) -> None:
    assert ids(ranker.rank([match(name, 0.9) for name in "gfedcba"])) == list("abcde")


def test_one_at_the_similarity_of_a_new_one_is_as_likely_as_that(ranker: Ranker) -> None:
    ranking = ranker.rank([match("a", 0.6)])
    assert ranking.candidates[0].probability == pytest.approx(0.5)
    assert ranking.new == pytest.approx(0.5)


def test_the_temperature_divides_the_similarities(ranker: Ranker) -> None:
    # 0.7 and 0.6 are a temperature of 0.1 apart: e times as likely.
    ranking = ranker.rank([match("a", 0.7)])
    assert ranking.candidates[0].probability / ranking.new == pytest.approx(2.718281828)


def test_an_individual_is_as_near_as_its_nearest_photograph(ranker: Ranker) -> None:
    few = ranker.rank([match("a", 0.8), match("b", 0.7)])
    more = ranker.rank([match("a", -0.5), match("a", 0.8), match("a", 0.1), match("b", 0.7)])
    assert more == few


def test_none_is_near(ranker: Ranker) -> None:
    ranking = ranker.rank([match("a", 0.5), match("b", 0.1)])
    assert not ranking.is_confident
    assert ids(ranking) == ["a", "b"]


def test_the_species_of_several_may_be_sure_where_the_individual_is_not(ranker: Ranker) -> None:
    likely = [match(name, 0.59) for name in "abcd"]
    ranking = ranker.rank(likely)
    assert not ranking.is_confident
    assert ranking.species == "beluga"


def test_the_species_of_a_few_is_not_sure(ranker: Ranker) -> None:
    assert ranker.rank([match("a", 0.59), match("b", 0.59, "orca")]).species == "unknown"


def test_a_species_that_nobody_named_is_unknown(ranker: Ranker) -> None:
    ranking = ranker.rank([match("a", 0.9, "")])
    assert ranking.candidates[0].id_animal == "unknown"
    assert ranking.species == "unknown"


@pytest.mark.parametrize("missing", ["new_similarity", "match_temperature"])
def test_an_embedder_says_how_near_is_near(manifest: Make, missing: str) -> None:
    numbers = {"new_similarity": 0.6, "match_temperature": 0.1}
    del numbers[missing]
    with pytest.raises(ManifestError, match=missing):
        Ranker.of(manifest(numbers, embedding=(8,)))


def test_a_temperature_of_nothing(manifest: Make) -> None:
    with pytest.raises(ManifestError, match="above 0"):
        Ranker.of(manifest({"new_similarity": 0.6, "match_temperature": 0.0}, embedding=(8,)))


temperatures = st.floats(0.001, 10)


@given(matches, temperatures)
def test_the_probabilities_are_some_of_one(found: list[Match], temperature: float) -> None:
    ranking = Ranker(0.6, temperature).rank(found)
    probabilities = [candidate.probability for candidate in ranking.candidates]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(0 <= probability <= 1 for probability in [*probabilities, ranking.new])
    total = ranking.new + sum(probabilities)
    assert total <= 1 + 1e-9
    if len({one.individual_id for one in found}) <= 5:
        assert total == pytest.approx(1)


@given(matches, temperatures, st.randoms(use_true_random=False))
def test_the_order_in_which_they_are_found_does_not_matter(
    found: list[Match], temperature: float, random: Random
) -> None:
    found = [Match(one.individual_id, "beluga", one.similarity) for one in found]
    shuffled = random.sample(found, len(found))
    assert Ranker(0.6, temperature).rank(shuffled) == Ranker(0.6, temperature).rank(found)


@given(matches, temperatures)
def test_an_individual_is_named_only_where_it_is_no_further_than_a_new_one(
    found: list[Match], temperature: float
) -> None:
    ranking = Ranker(0.6, temperature).rank(found)
    nearest = max((one.similarity for one in found), default=-1.0)
    if nearest < 0.6 - 1e-6:
        assert not ranking.is_confident
    if nearest >= 0.6:
        assert ranking.is_confident
