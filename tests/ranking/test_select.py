"""Selection: relevance decides whether, trend how early; every interest is served."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.ranking.match import Row
from digest.ranking.select import Selection, Wish, select, trending

PAPERS = 12


def a_wish(relevance: dict[int, float], *, weight: float = 1.0, certain: bool = False) -> Wish:
    numbers = sorted(relevance)
    values = np.array([relevance[n] for n in numbers], np.float64)
    row = Row(papers=np.array(numbers, np.int64), relevance=values, certain=certain)
    return Wish(row=row, weight=weight)


def selected(
    *wishes: Wish,
    barred: tuple[int, ...] = (),
    trend: dict[int, float] | None = None,
    threshold: float = 0.25,
    max_papers: int = 10,
    alike: tuple[tuple[int, int], ...] = (),
) -> Selection:
    mask = np.zeros(PAPERS, np.bool_)
    mask[list(barred)] = True
    level = np.array([(trend or {}).get(n, 0.0) for n in range(PAPERS)])
    return select(
        wishes,
        mask,
        level,
        threshold=threshold,
        max_papers=max_papers,
        alike=lambda a, b: (min(a, b), max(a, b)) in alike,
    )


def papers(found: Selection) -> list[int]:
    return [choice.paper for choice in found.choices]


def test_more_relevant_papers_come_first() -> None:
    assert papers(selected(a_wish({0: 0.4, 1: 0.9, 2: 0.6}))) == [1, 2, 0]


def test_trend_decides_how_early_but_never_whether() -> None:
    loud = {0: 1.0, 3: 1.0}
    assert papers(selected(a_wish({0: 0.6, 1: 0.7, 3: 0.2}), trend=loud)) == [0, 1]


def test_the_score_is_the_formula_worked_out_by_hand() -> None:
    found = selected(a_wish({0: 0.5}, weight=2), a_wish({0: 0.2}), trend={0: 0.5}, threshold=0.1)
    assert found.choices[0].score == pytest.approx((1 - 0.5**2 * 0.8) * (0.6 + 0.4 * 0.5))
    assert found.choices[0].relevance == 0.5
    assert found.choices[0].wish == 0


def test_every_interest_gets_its_best_paper_before_any_gets_its_third() -> None:
    loud = a_wish(dict.fromkeys(range(8), 0.9))
    quiet, faint = a_wish({8: 0.3, 9: 0.28}), a_wish({10: 0.26})
    assert set(papers(selected(loud, quiet, faint, max_papers=3))) >= {8, 10}
    assert {8, 10} < set(papers(selected(loud, quiet, faint, max_papers=5)))


def test_where_room_is_short_the_best_of_the_interests_come() -> None:
    wishes = [a_wish({n: 0.3 + n / 20}) for n in range(6)]
    assert papers(selected(*wishes, max_papers=2)) == [5, 4]


def test_a_loud_interest_is_faded_against_one_nearly_as_good() -> None:
    loud = a_wish(dict.fromkeys(range(6), 0.8))
    other = a_wish(dict.fromkeys(range(6, 12), 0.7))
    assert len(set(papers(selected(loud, other, max_papers=6))) & set(range(6, 12))) >= 2


def test_a_weight_puts_an_interest_first_without_lifting_it_over_the_threshold() -> None:
    found = selected(a_wish({0: 0.5, 1: 0.2}, weight=5), a_wish({2: 0.6}))
    assert papers(found) == [0, 2]


def test_the_threshold_is_of_relevance_and_does_not_weigh_facts() -> None:
    author = a_wish({5: 0.4}, certain=True)
    assert papers(selected(a_wish({0: 0.69, 1: 0.7}), author, threshold=0.7)) == [1, 5]


def test_what_is_barred_never_comes() -> None:
    assert papers(selected(a_wish({0: 0.9, 1: 0.5}), barred=(0,))) == [1]
    assert papers(selected(a_wish({0: 0.9}), barred=(0,))) == []


def test_of_near_copies_one_comes() -> None:
    found = selected(a_wish({0: 0.9, 1: 0.8, 2: 0.5}), alike=((0, 1),))
    assert papers(found) == [0, 2]
    assert papers(selected(a_wish({0: 0.9}), a_wish({1: 0.8}), alike=((0, 1),))) == [0]


def test_no_wishes_and_no_matches_give_nothing() -> None:
    assert selected() == selected(a_wish({})) == Selection(choices=(), matches=0)


def test_matches_are_counted_beyond_what_is_chosen() -> None:
    assert selected(a_wish(dict.fromkeys(range(7), 0.5)), max_papers=2).matches == 7


def test_trending_takes_the_order_without_barred_and_near_copies() -> None:
    mask = np.array([False, True, False, False])
    assert trending([1, 3, 2, 0], mask, 2, lambda a, b: {a, b} == {2, 3}) == [3, 0]


_rows = st.dictionaries(st.integers(0, PAPERS - 1), st.floats(0.01, 0.99), max_size=PAPERS)
_wishes = st.lists(
    st.builds(lambda row, weight: a_wish(row, weight=weight), _rows, st.floats(0.01, 10)),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(_wishes, st.sets(st.integers(0, PAPERS - 1)), st.integers(1, 8), st.floats(0, 1))
def test_any_selection_is_fair_clean_and_in_order(
    wishes: list[Wish], barred: set[int], most: int, trend: float
) -> None:
    found = selected(*wishes, barred=tuple(barred), max_papers=most, trend={1: trend, 2: 1.0})
    chosen = papers(found)
    scores = [choice.score for choice in found.choices]
    assert len(chosen) == len(set(chosen)) == min(most, found.matches)
    assert not barred & set(chosen)
    assert scores == sorted(scores, reverse=True) and all(0 < score <= 1 for score in scores)
    matched = [
        {int(n) for n, r in zip(w.row.papers, w.row.relevance, strict=True) if r >= 0.25} - barred
        for w in wishes
    ]
    led = [sum(choice.wish == n for choice in found.choices) for n in range(len(wishes))]
    if max(led, default=0) >= 3 and len(wishes) <= most:
        assert all(not own or own & set(chosen) for own in matched)
