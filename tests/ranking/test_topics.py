"""Topics: how close papers are to what an interest is about, what that weighs, what it relates."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.ranking.compounds import Compounds
from digest.ranking.corpus import Corpus
from digest.ranking.statistics import Statistics, Text
from digest.ranking.topics import (
    ENOUGH,
    LEAST_HOLDERS,
    MOST_RELATED,
    RELATED_FROM,
    RELATED_PAPERS,
    Topic,
    Topics,
)
from tests.ranking.corpora import corpus_of
from tests.ranking.topical import PHRASE, holders, relatives, strangers


def topic(texts: Sequence[Text], phrase: str = PHRASE, earlier: Sequence[Text] = ()) -> Topic:
    (found,) = Topics(corpus_of(texts, earlier=earlier)).of([phrase])
    assert found is not None
    return found


def a_topic(*closeness: float, trust: float) -> Topic:
    return Topic(closeness=np.array(closeness), trust=trust, related={})


def weighed(relevance: float, closeness: float, trust: float) -> float:
    found = a_topic(closeness, trust=trust).weighed(np.array([0]), np.array([relevance]))
    return float(found[0])


# What closeness means


def test_closeness_is_0_in_the_middle_of_the_pool_and_1_in_that_of_the_holders() -> None:
    same = [("Speculative decoding", "Drafted tokens are verified in parallel.")] * 6
    half = ("Drafted tokens of another kind", "Owls.")
    found = topic([*same, half, *strangers(12)])
    assert found.closeness[:6] == pytest.approx(np.ones(6))
    assert 0 < found.closeness[6] < 1
    assert not found.closeness[7:].any()


def test_papers_of_earlier_days_teach_and_are_not_in_the_result() -> None:
    pool = [*relatives(1), *strangers(8)]
    found = topic(pool, earlier=holders(6))
    assert found.closeness.shape == (9,)
    assert found.closeness[0] > 1 and found.closeness[1:].max() < 0.5
    assert list(found.related) == [0]


def test_closeness_ends_at_three() -> None:
    apart = [(f"Kind {n}", f"Speculative decoding of {'xyz'[n % 3] * (n + 3)}") for n in range(8)]
    found = topic([*apart, ("Speculative decoding", ""), *strangers(20)])
    assert found.closeness.max() <= 3.0


# What it weighs


@pytest.mark.parametrize(
    ("closeness", "trust", "expected"),
    [
        (0.0, 1.0, 1 / 3),  # half of 1 : 1 is 1 : 2
        (0.5, 1.0, 1 / 3),
        (1.0, 1.0, 0.5),
        (1.5, 1.0, 0.6),
        (3.0, 1.0, 0.6),
        (3.0, 0.5, 1.5**0.5 / (1 + 1.5**0.5)),
        (0.0, 0.5, 0.5**0.5 / (1 + 0.5**0.5)),
        (0.0, 0.0, 0.5),
    ],
)
def test_evidence_counts_a_half_to_one_and_a_half_times_by_closeness_and_trust(
    closeness: float, trust: float, expected: float
) -> None:
    assert weighed(0.5, closeness, trust) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "trust"), [(5, 0.5), (15, 0.75), (20, 0.8), (30, 0.8)])
def test_trust_grows_with_the_papers_that_teach(count: int, trust: float) -> None:
    assert topic([*holders(count), *strangers(40)]).trust == pytest.approx(trust)


@given(st.floats(1e-6, 0.99), st.floats(0, 3), st.floats(0, 1))
def test_relevance_stays_between_0_and_1_and_its_order_is_that_of_closeness(
    relevance: float, closeness: float, trust: float
) -> None:
    found = weighed(relevance, closeness, trust)
    assert 0 < found < 1
    assert found <= weighed(relevance, min(closeness + 0.1, 3), trust) + 1e-12
    assert weighed(relevance, 1.0, trust) == pytest.approx(relevance)


def test_fewer_than_five_holders_teach_nothing() -> None:
    few = [*holders(LEAST_HOLDERS - 1), *relatives(2), *strangers(20)]
    assert Topics(corpus_of(few)).of([PHRASE]) == [None]
    assert topic([*few, *holders(1, first=90)]).trust == 0.5


# What it relates


def test_a_paper_that_talks_as_the_holders_do_is_related_and_its_words_are_told() -> None:
    texts = [*holders(6), *relatives(1), *strangers(12)]
    found = topic(texts)
    ((paper, columns),) = found.related.items()
    assert paper == 6 and found.closeness[paper] >= RELATED_FROM
    vectors = corpus_of(texts).vectors[paper]
    assert columns and set(columns) <= set(vectors.indices.tolist())


def test_at_most_three_are_related_the_closest_first() -> None:
    found = topic([*holders(10), *relatives(5), *strangers(90)])
    related = list(found.related)
    assert len(related) == RELATED_PAPERS
    near = found.closeness[10:15]
    assert found.closeness[related].tolist() == sorted(near.tolist(), reverse=True)[:3]


def test_what_holds_the_phrase_is_never_related() -> None:
    for count in (5, 8, ENOUGH):
        found = topic([*relatives(2), *holders(count), *strangers(40)])
        assert found.related and set(found.related) <= {0, 1}


def test_where_enough_papers_hold_the_phrase_none_is_related() -> None:
    for count, some in ((ENOUGH, True), (ENOUGH + 1, False)):
        assert bool(topic([*holders(count), *relatives(2), *strangers(40)]).related) is some


def test_earlier_holders_do_not_make_it_enough() -> None:
    pool = [*holders(2), *relatives(1), *strangers(12)]
    assert list(topic(pool, earlier=holders(ENOUGH, first=50)).related) == [2]


def test_a_holder_gains_nothing_by_having_taught() -> None:
    pool = [*holders(1), *strangers(12)]
    taught = topic(pool, earlier=holders(9, first=50))
    assert taught.closeness[0] == pytest.approx(1.0, abs=0.02)


@given(st.floats(RELATED_FROM, 3))
def test_a_related_paper_comes_but_counts_less_than_a_rare_phrase(closeness: float) -> None:
    relevance = a_topic(closeness, trust=0.5).relevance(0)
    assert 0.25 < relevance <= MOST_RELATED < 0.5


def test_stop_words_are_about_nothing_whoever_holds_them() -> None:
    texts = [*holders(6), *relatives(2), *strangers(12)]
    found = Topics(corpus_of(texts)).of(["of the", "the", "", "🦙", "持" * 64])
    assert found == [None] * 5


# Whatever the papers


BARE = ("", "")
_TEXTS = st.lists(
    st.sampled_from([*holders(6), *relatives(3), *strangers(6), BARE, ("持续学习", "🦙")]),
    unique=True,
    max_size=16,
)


@settings(max_examples=60, deadline=None)
@given(_TEXTS, st.lists(st.sampled_from([*holders(6), BARE]), max_size=8), st.randoms())
def test_closeness_is_finite_and_does_not_depend_on_the_order_of_papers(
    pool: list[Text], earlier: list[Text], dice: object
) -> None:
    # equals go by number: a text that stands twice may teach once or twice
    earlier = [text for text in dict.fromkeys(earlier) if text not in pool]
    mixed = list(pool)
    dice.shuffle(mixed)  # type: ignore[attr-defined]
    (one,) = Topics(corpus_of(pool, earlier=earlier)).of([PHRASE])
    (other,) = Topics(corpus_of(mixed, earlier=earlier[::-1])).of([PHRASE])
    assert (one is None) is (other is None)
    if one is None or other is None:
        return
    assert one.closeness.shape == (len(pool),) and np.isfinite(one.closeness).all()
    assert (one.closeness >= 0).all() and (one.closeness <= 3).all()
    assert one.trust == other.trust
    there = [mixed.index(text) for text in pool]
    assert other.closeness[there] == pytest.approx(one.closeness, abs=1e-9)


RELATED_WORDS = ("draft", "proposes", "tokens", "target", "verifies", "parallel", "model")


@settings(max_examples=40, deadline=None)
@given(st.sets(st.sampled_from(RELATED_WORDS), min_size=1))
def test_with_others_for_the_words_it_shares_a_related_paper_is_less_close(gone: set[str]) -> None:
    texts = [*holders(6), *strangers(12), *relatives(1)]
    statistics = Statistics.of(texts)

    def close(last: Text) -> float:
        (found,) = Topics(Corpus([*texts[:-1], last], statistics, Compounds())).of([PHRASE])
        assert found is not None
        return float(found.closeness[-1])

    (title, abstract) = texts[-1]
    for word in gone:
        title, abstract = (
            re.sub(rf"\b{word}\b", f"{word}zz", t, flags=re.I) for t in (title, abstract)
        )
    assert close((title, abstract)) < close(texts[-1])


def test_no_pool_no_papers_and_no_phrases_are_no_harm() -> None:
    assert Topics(corpus_of([])).of([PHRASE, "the"]) == [None, None]
    assert Topics(corpus_of(holders(6))).of([]) == []
    found = topic([], earlier=holders(6))
    assert (found.closeness.shape, found.related) == ((0,), {})
    alone = topic(relatives(1), earlier=holders(6))
    assert alone.closeness.tolist() == [0.0]  # it is itself the middle of the pool
