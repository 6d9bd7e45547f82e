"""Selection: relevance decides whether, trend how early; every interest is served."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.ranking.copies import Copies
from digest.ranking.select import trending
from tests.ranking.readers import PAPERS, Chosen, Reader, Shelf, Wish, by_the_rule, chosen


def a_wish(relevance: dict[int, float], *, weight: float = 1.0, certain: bool = False) -> Wish:
    return Wish(relevance=relevance, weight=weight, certain=certain)


def selected(*wishes: Wish, shelf: Shelf | None = None, **reader: object) -> Chosen:
    one = Reader(wishes=wishes, **reader)  # type: ignore[arg-type]
    return chosen(shelf or Shelf(), [one])[0]


def papers(*wishes: Wish, shelf: Shelf | None = None, **reader: object) -> list[int]:
    return selected(*wishes, shelf=shelf, **reader).papers


def a_pair(one: int, other: int) -> frozenset[frozenset[int]]:
    return frozenset({frozenset({one, other})})


def test_more_relevant_papers_come_first() -> None:
    assert papers(a_wish({0: 0.4, 1: 0.9, 2: 0.6})) == [1, 2, 0]


def test_trend_decides_how_early_but_never_whether() -> None:
    loud = Shelf(trend={0: 1.0, 3: 1.0})
    assert papers(a_wish({0: 0.6, 1: 0.7, 3: 0.2}), shelf=loud) == [0, 1]


def test_the_score_is_the_formula_worked_out_by_hand() -> None:
    shelf = Shelf(trend={0: 0.5}, carried=({0: 2.0},))
    wishes = (a_wish({0: 0.5}, weight=2), a_wish({0: 0.2}))
    found = selected(*wishes, shelf=shelf, threshold=0.1, lift={0: 1.2})
    by_hand = (1 - 0.5**2 * 0.8) * (0.6 + 0.4 * 0.5) * 0.85**2 * 1.2
    assert found.scores == [pytest.approx(by_hand)]
    assert found.relevance == [0.5]
    assert found.wishes == [0]


def test_every_interest_gets_its_best_paper_before_any_gets_its_third() -> None:
    loud = a_wish(dict.fromkeys(range(8), 0.9))
    quiet, faint = a_wish({8: 0.3, 9: 0.28}), a_wish({10: 0.26})
    assert set(papers(loud, quiet, faint, most=3)) >= {8, 10}
    assert {8, 10} < set(papers(loud, quiet, faint, most=5))


def test_where_room_is_short_the_best_of_the_interests_come() -> None:
    wishes = [a_wish({n: 0.3 + n / 20}) for n in range(6)]
    assert papers(*wishes, most=2) == [5, 4]


def test_a_loud_interest_is_faded_against_one_nearly_as_good() -> None:
    loud = a_wish(dict.fromkeys(range(6), 0.8))
    other = a_wish(dict.fromkeys(range(6, 12), 0.7))
    assert len(set(papers(loud, other, most=6)) & set(range(6, 12))) >= 2


def test_a_weight_puts_an_interest_first_without_lifting_it_over_the_threshold() -> None:
    assert papers(a_wish({0: 0.5, 1: 0.2}, weight=5), a_wish({2: 0.6})) == [0, 2]


def test_the_threshold_is_of_relevance_and_does_not_weigh_facts() -> None:
    author = a_wish({5: 0.4}, certain=True)
    assert papers(a_wish({0: 0.69, 1: 0.7}), author, threshold=0.7) == [1, 5]


def test_what_is_barred_never_comes() -> None:
    assert papers(a_wish({0: 0.9, 1: 0.5}), barred=frozenset({0})) == [1]
    assert papers(a_wish({0: 0.9}), barred=frozenset({0})) == []


def test_of_near_copies_one_comes_and_never_two_or_three() -> None:
    two = Shelf(alike=a_pair(0, 1))
    assert papers(a_wish({0: 0.9, 1: 0.8, 2: 0.5}), shelf=two) == [0, 2]
    assert papers(a_wish({0: 0.9}), a_wish({1: 0.8}), shelf=two) == [0]
    three = Shelf(alike=a_pair(0, 1) | a_pair(1, 2) | a_pair(0, 2))
    assert papers(a_wish({0: 0.6, 1: 0.8, 2: 0.7, 3: 0.3}), shelf=three) == [1, 3]


def test_an_interest_whose_best_is_a_near_copy_gets_its_next_best() -> None:
    shelf = Shelf(alike=a_pair(0, 1))
    first, second = a_wish({0: 0.9, 2: 0.8, 3: 0.8}), a_wish({1: 0.7, 5: 0.4, 4: 0.4})
    assert papers(first, second, shelf=shelf, most=2) == [0, 4]


def test_a_carried_paper_comes_behind_its_equal_and_before_a_weak_new_one() -> None:
    yesterday = Shelf(carried=({0: 1.0, 1: 1.0},))
    assert papers(a_wish({0: 0.9, 1: 0.5, 2: 0.9, 3: 0.6}), shelf=yesterday) == [2, 0, 3, 1]


def test_carrying_differs_with_how_often_readers_get_a_digest() -> None:
    shelf = Shelf(carried=({0: 3.0}, {}))
    wish = a_wish({0: 0.9, 1: 0.8})
    daily, weekly = (Reader(wishes=(wish,), group=group) for group in (0, 1))
    assert [found.papers for found in chosen(shelf, [daily, weekly])] == [[1, 0], [0, 1]]


def test_feedback_lifts_within_bounds_and_for_its_reader_alone() -> None:
    wish = a_wish({0: 0.6, 1: 0.7})
    readers = [Reader(wishes=(wish,), lift={0: 9.0}), Reader(wishes=(wish,))]
    first, second = chosen(Shelf(), readers)
    assert (first.papers, second.papers) == ([0, 1], [1, 0])
    assert first.scores[0] == pytest.approx(0.6 * 0.6 * 1.5)
    nobody = Reader(wishes=(wish,), lift={1: float("nan")})
    assert chosen(Shelf(), [nobody]) == [second]


def test_no_score_is_above_one_however_it_is_lifted() -> None:
    certain = a_wish({0: 1.0, 1: 0.99}, weight=10)
    found = selected(certain, shelf=Shelf(trend={0: 1.0, 1: 1.0}), lift={0: 1.5, 1: 1.4})
    assert (found.papers, found.scores) == ([0, 1], [1.0, 1.0])


def test_a_trending_paper_beyond_the_matches_comes_last() -> None:
    shelf = Shelf(trend={7: 0.9, 8: 0.8}, hot=(7, 8))
    found = selected(a_wish({0: 0.5, 1: 0.6}), shelf=shelf, beyond=1)
    assert (found.papers, found.beyond) == ([1, 0], [7])
    both = selected(a_wish({0: 0.5, 1: 0.6}), shelf=shelf, beyond=3)
    assert (both.papers, both.beyond) == ([1, 0], [7, 8])
    assert selected(a_wish({0: 0.5}), shelf=shelf).beyond == []


def test_what_matches_is_barred_or_copies_a_match_does_not_come_from_beyond() -> None:
    shelf = Shelf(hot=(7, 8, 9), alike=a_pair(0, 9))
    found = selected(a_wish({0: 0.5, 7: 0.6}), shelf=shelf, beyond=1, barred=frozenset({8}))
    assert (found.papers, found.beyond) == ([7, 0], [])


def test_a_full_digest_gives_up_its_last_matches_and_no_more_than_a_third() -> None:
    shelf = Shelf(hot=(9, 10, 11))
    wish = a_wish({n: 0.9 - n / 20 for n in range(8)})
    for most, matched, beyond in ((6, 4, 2), (3, 2, 1), (2, 2, 0), (1, 1, 0)):
        found = selected(wish, shelf=shelf, most=most, beyond=3)
        assert (len(found.papers), len(found.beyond)) == (matched, beyond)
        assert found.papers == list(range(matched))
    assert len(selected(a_wish({0: 0.5}), shelf=shelf, most=2, beyond=3).beyond) == 1


def test_a_place_kept_for_a_paper_that_copies_a_match_goes_to_a_match() -> None:
    shelf = Shelf(hot=(9,), alike=a_pair(0, 9))
    wish = a_wish({n: 0.9 - n / 20 for n in range(8)})
    found = selected(wish, shelf=shelf, most=6, beyond=1)
    assert (found.papers, found.beyond) == ([0, 1, 2, 3, 4, 5], [])


def test_without_a_match_nothing_comes_from_beyond() -> None:
    assert selected(a_wish({}), shelf=Shelf(hot=(7,)), beyond=3).beyond == []


def test_no_wishes_and_no_matches_give_nothing() -> None:
    nothing = Chosen(papers=[], wishes=[], scores=[], relevance=[], beyond=[], matches=0)
    assert selected() == selected(a_wish({})) == nothing
    assert chosen(Shelf(), []) == []


def test_matches_are_counted_beyond_what_is_chosen() -> None:
    assert selected(a_wish(dict.fromkeys(range(7), 0.5)), most=2).matches == 7


def test_trending_takes_the_order_without_barred_and_near_copies() -> None:
    copies = Copies.of([{"a"}, {"b"}, {"same", "words"}, {"words", "same"}])
    assert trending([1, 3, 2, 0], {1}, 2, copies) == [3, 0]


_numbers = st.integers(0, PAPERS - 1)
_relevance = st.sampled_from([0.01, 0.25, 0.3, 0.5, 0.5, 0.7, 0.99, 1.0]) | st.floats(0.01, 1)
_wishes = st.builds(
    Wish,
    relevance=st.dictionaries(_numbers, _relevance, max_size=PAPERS),
    weight=st.sampled_from([1.0, 1.0, 2.0, 0.5]) | st.floats(0.01, 10),
    certain=st.booleans(),
)
_readers = st.builds(
    Reader,
    wishes=st.lists(_wishes, max_size=5).map(tuple),
    barred=st.frozensets(_numbers, max_size=6),
    lift=st.dictionaries(_numbers, st.floats(0.5, 1.5), max_size=4),
    group=st.integers(0, 1),
    threshold=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    most=st.integers(1, 8),
    beyond=st.integers(0, 3),
)
_pairs = st.frozensets(_numbers, min_size=2, max_size=2)
_shelves = st.builds(
    Shelf,
    trend=st.dictionaries(_numbers, st.floats(0, 1)),
    carried=st.tuples(*[st.dictionaries(_numbers, st.integers(0, 6).map(float))] * 2),
    alike=st.frozensets(_pairs, max_size=6),
    hot=st.lists(_numbers, max_size=3, unique=True).map(tuple),
)


@settings(max_examples=300, deadline=None)
@given(_shelves, st.lists(_readers, max_size=3))
def test_the_loop_chooses_what_the_rule_says(shelf: Shelf, readers: list[Reader]) -> None:
    assert chosen(shelf, readers) == [by_the_rule(shelf, reader) for reader in readers]


@pytest.mark.slow  # compiling takes seconds
@settings(max_examples=300, deadline=None)
@given(_shelves, st.lists(_readers, max_size=8))
def test_compiled_it_chooses_the_same(shelf: Shelf, readers: list[Reader]) -> None:
    assert chosen(shelf, readers, compiled=True) == chosen(shelf, readers)


_WILD = [-1e308, -1.0, 0.0, 5e-324, 1e-300, 1.0, 1e308, float("inf"), float("nan")]
_wild = st.sampled_from(_WILD)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(_numbers, _wild),
    st.dictionaries(_numbers, _wild),
    st.lists(st.tuples(_wild, st.dictionaries(_numbers, _wild, max_size=6)), max_size=4),
    st.dictionaries(_numbers, _wild, max_size=4),
    _wild,
)
def test_whatever_comes_in_every_score_is_a_number_from_0_to_1(
    trend: dict[int, float],
    carried: dict[int, float],
    wishes: list[tuple[float, dict[int, float]]],
    lift: dict[int, float],
    threshold: float,
) -> None:
    some = tuple(a_wish(relevance, weight=weight) for weight, relevance in wishes)
    shelf = Shelf(trend=trend, carried=(carried,), hot=(3,))
    found = selected(*some, shelf=shelf, lift=lift, threshold=threshold, beyond=1)
    values = [*found.scores, *found.relevance]
    assert all(0 <= value <= 1 for value in values)
    assert found.scores == sorted(found.scores, reverse=True)
