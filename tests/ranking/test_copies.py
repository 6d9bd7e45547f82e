"""Near-copies by title: what shares four fifths of its words, found without comparing all pairs."""

import time
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.ranking.copies import ALIKE, Copies


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def test_titles_that_share_four_fifths_of_their_words_are_near_copies() -> None:
    copies = Copies.of([words("a b c d e"), words("a b c d"), words("a b c x"), words("q r")])
    assert copies.are_alike(0, 1) and copies.are_alike(1, 0)
    assert not copies.are_alike(0, 2) and not copies.are_alike(1, 2)
    assert copies.are_alike(3, 3)


def test_same_words_are_one_title_and_no_words_are_like_nothing() -> None:
    copies = Copies.of([words("a b"), words(""), words("b a"), words("")])
    assert copies.title[0] == copies.title[2]
    assert not copies.are_alike(1, 3)


def test_no_papers_have_no_copies() -> None:
    assert len(Copies.of([]).near) == 0
    assert len(Copies.of([frozenset()]).title) == 1


_titles = st.lists(st.frozensets(st.sampled_from("abcdefgh"), max_size=8), max_size=40)


@settings(max_examples=200, deadline=None)
@given(_titles)
def test_the_pairs_found_are_those_of_comparing_all(titles: list[frozenset[str]]) -> None:
    copies = Copies.of(titles)
    for one, other in combinations(range(len(titles)), 2):
        a, b = titles[one], titles[other]
        expected = bool(a) and len(a & b) >= ALIKE * len(a | b)
        assert copies.are_alike(one, other) == copies.are_alike(other, one) == expected


def test_a_series_of_thousands_counts_as_one_title_in_seconds() -> None:
    common = "proceedings of the annual workshop on very large neural models volume"
    series = [words(f"{common} {n}") for n in range(10_000)]
    began = time.process_time()
    copies = Copies.of([*series, words("sleep of owls")])
    assert time.process_time() - began < 20
    assert copies.are_alike(0, 9_999) and copies.are_alike(4_000, 4_001)
    assert not copies.are_alike(0, 10_000)
    assert len(copies.near) < 10_000
