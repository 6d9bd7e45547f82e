"""From papers and a subscriber to a digest whose reasons are true, or to the reason for none."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from digest.domain.digests import Digest, Skip, SkipReason, Where, reason_sentence
from digest.domain.interests import Interest, InterestKind, interest
from digest.domain.papers import Paper, PaperId
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import EmptyDay, Preferences, Subscriber, SubscriberId
from digest.domain.trends import Trend
from digest.ranking.edition import EditionRanker
from digest.ranking.statistics import Statistics
from tests.builders import NOON, a_paper, a_subscriber

DAY = date(2026, 3, 12)
POOL = (
    a_paper("Continual Learning of Robots", number=1, abstract="Few-shot transfer, too."),
    a_paper("Sparse Attention", number=2, abstract="A note on continual learning.", authors=()),
    a_paper("Protein Folding with Diffusion Models", number=3, categories=("q-bio.BM",)),
    a_paper("A Survey of Sleep", number=4, authors=("Jürgen Schmidhuber",), categories=()),
    a_paper("Graph Networks", number=5, abstract="", authors=("Grace Hopper",)),
)
TRENDS = {
    PaperId(4): Trend(score=0.9, upvotes=63, rising=True),
    PaperId(3): Trend(score=0.5, upvotes=9),
}


def digest(
    subscriber: Subscriber,
    *sent: int,
    pool: Iterable[Paper] = POOL,
    trends: dict[PaperId, Trend] = TRENDS,
) -> Digest | Skip:
    known = list(pool)
    statistics = Statistics.of((paper.title, paper.abstract) for paper in known)
    ranker = EditionRanker(known, statistics, trends)
    return ranker.digest_for(subscriber, {PaperId(n) for n in sent}, DAY)


def ids(found: Digest | Skip) -> list[int]:
    assert isinstance(found, Digest), found
    assert found.digest_on == DAY
    return [pick.paper_id for pick in found.picks]


def wanting(*interests: Interest, **preferences: object) -> Subscriber:
    chosen = Preferences(**preferences)  # type: ignore[arg-type]
    return replace(a_subscriber(), interests=interests, preferences=chosen)


def without(text: str, kind: InterestKind = InterestKind.PHRASE) -> Interest:
    return interest(text, kind, excluded=True)


def test_matching_papers_come_best_first_each_with_its_reason() -> None:
    found = digest(wanting(interest("Continual-learning")))
    assert ids(found) == [1, 2]
    assert isinstance(found, Digest) and not found.trending_only
    first, second = (pick.reason for pick in found.picks)
    assert (first.where, first.interest) == (Where.TITLE, "Continual-learning")
    assert first.words == ("Continual Learning",)
    assert (second.where, second.words) == (Where.ABSTRACT, ("continual learning",))


def test_the_reason_names_interest_place_and_attention() -> None:
    found = digest(wanting(interest("sleep")))
    assert isinstance(found, Digest)
    assert reason_sentence(found.picks[0].reason) == (
        "matches sleep in the title · 63 upvotes, rising"
    )


def test_each_subscriber_reads_their_own_spelling_of_a_shared_interest() -> None:
    ranker = EditionRanker(POOL, Statistics.of(()), TRENDS)
    for spelling in ("sleep", "SLEEP", "Sleep"):
        found = ranker.digest_for(wanting(interest(spelling)), set(), DAY)
        assert isinstance(found, Digest)
        assert found.picks[0].reason.interest == spelling


@pytest.mark.parametrize("name", ["jurgen schmidhuber", "J. Schmidhuber", "Schmidhuber, Jürgen"])
def test_an_author_is_followed_by_any_spelling(name: str) -> None:
    found = digest(wanting(interest(name, InterestKind.AUTHOR)))
    assert ids(found) == [4]
    assert isinstance(found, Digest)
    reason = found.picks[0].reason
    assert (reason.where, reason.words) == (Where.AUTHOR, ("Jürgen Schmidhuber",))


@pytest.mark.parametrize("name", ["q-bio.BM", "Q-BIO.bm", "q-bio", "q-bio.*"])
def test_a_category_is_followed_by_name_or_archive(name: str) -> None:
    found = digest(wanting(interest(name, InterestKind.CATEGORY)))
    assert ids(found) == [3]
    assert isinstance(found, Digest)
    assert found.picks[0].reason.where is Where.CATEGORY
    assert isinstance(digest(wanting(interest("q", InterestKind.CATEGORY))), Digest)


def test_part_of_a_category_name_is_not_the_category() -> None:
    found = digest(wanting(interest("q-b", InterestKind.CATEGORY), empty_day=EmptyDay.SKIP))
    assert found == Skip(digest_on=DAY, reason=SkipReason.NO_MATCHES)


@pytest.mark.parametrize(
    "excluded",
    [
        without("few shot"),
        without("Robot"),
        without("Ada Lovelace", InterestKind.AUTHOR),
        without("cs", InterestKind.CATEGORY),
    ],
)
def test_what_is_excluded_never_comes(excluded: Interest) -> None:
    assert 1 not in ids(digest(wanting(interest("continual learning"), excluded, min_matches=1)))


def test_exclusions_hold_on_the_trending_list_too() -> None:
    assert ids(digest(wanting(without("sleep")))) == [3, 5, 2, 1]
    assert ids(digest(wanting(interest("nothing here"), without("sleep")))) == [3, 5, 2, 1]


def test_nothing_comes_twice() -> None:
    assert ids(digest(wanting(interest("continual learning")), 1)) == [2]
    assert ids(digest(wanting(), 4, 99)) == [3, 5, 2, 1]


def test_without_interests_the_trending_list_comes_without_apology() -> None:
    found = digest(wanting())
    assert ids(found) == [4, 3, 5, 2, 1]
    assert isinstance(found, Digest) and not found.trending_only
    assert {pick.reason.where for pick in found.picks} == {Where.TRENDING}
    assert found.picks[0].reason.interest is None
    assert reason_sentence(found.picks[0].reason) == "trending now · 63 upvotes, rising"


def test_of_equal_trend_the_latest_seen_comes_first() -> None:
    pool = [
        a_paper("Old", number=9, first_seen_at=NOON - timedelta(days=2)),
        a_paper("New one", number=3, first_seen_at=NOON),
    ]
    assert ids(digest(wanting(), pool=pool, trends={})) == [3, 9]


def test_a_day_without_matches_brings_the_trending_list_and_says_so() -> None:
    found = digest(wanting(interest("quantum gravity")))
    assert isinstance(found, Digest) and found.trending_only
    assert ids(found)[0] == 4


def test_a_day_without_matches_is_skipped_where_that_is_wanted() -> None:
    found = digest(wanting(interest("quantum gravity"), empty_day=EmptyDay.SKIP))
    assert found == Skip(digest_on=DAY, reason=SkipReason.NO_MATCHES)


def test_too_few_matches_count_as_none() -> None:
    few = {"min_matches": 3, "empty_day": EmptyDay.SKIP}
    assert isinstance(digest(wanting(interest("continual learning"), **few)), Skip)
    assert isinstance(digest(wanting(interest("continual learning"), min_matches=2)), Digest)


def test_where_everything_was_sent_or_nothing_came_there_are_no_papers() -> None:
    none = Skip(digest_on=DAY, reason=SkipReason.NO_PAPERS)
    assert digest(wanting(), 1, 2, 3, 4, 5) == none
    assert digest(wanting(interest("sleep")), pool=[], trends={}) == none


def test_where_everything_unsent_is_excluded_nothing_matches() -> None:
    found = digest(wanting(interest("sleep"), without("sleep")), 1, 2, 3, 5)
    assert found == Skip(digest_on=DAY, reason=SkipReason.NO_MATCHES)


def test_max_papers_bounds_both_lists() -> None:
    assert ids(digest(wanting(interest("continual learning"), max_papers=1))) == [1]
    assert len(ids(digest(wanting(max_papers=2)))) == 2


def test_the_subscribers_threshold_goes_before_the_services() -> None:
    assert ids(digest(wanting(interest("continual learning"), threshold=0.7))) == [1]


def test_near_copies_by_title_come_once() -> None:
    pool = [
        a_paper("A Large Survey of Sleep in Owls", number=1),
        a_paper("A large survey of sleep in owls (v2)", number=2),
    ]
    assert len(ids(digest(wanting(interest("sleep")), pool=pool, trends={}))) == 1
    assert len(ids(digest(wanting(), pool=pool, trends={}))) == 1


def test_compounds_meet_however_they_are_written() -> None:
    pool = [
        a_paper("Metalearning at scale", number=1, abstract=""),
        a_paper("Meta-learning for owls", number=2, abstract=""),
        a_paper("Meta learning again", number=3, abstract=""),
    ]
    for spelling in ("metalearning", "meta-learning", "Meta Learning"):
        found = digest(wanting(interest(spelling)), pool=pool, trends={})
        assert sorted(ids(found)) == [1, 2, 3]
    assert isinstance(found, Digest)
    assert {pick.reason.words for pick in found.picks} == {
        ("Metalearning",), ("Meta-learning",), ("Meta learning",),
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["the", "of the", "持续学习" * 16, "a 🦙", "x" * 64, "C++", "1", "%_\\"[:1] + "a"]
)
def test_odd_interests_have_a_quiet_answer(text: str) -> None:
    pool = [*POOL, a_paper("🦙 " * 20, number=6, abstract=""), a_paper("", number=7, abstract="")]
    assert isinstance(digest(wanting(interest(text), without(text)), pool=pool), Digest)


def test_fifty_interests_are_served_within_the_room_there_is() -> None:
    pool = [a_paper(f"Topic{n} in owls", number=n, abstract="") for n in range(1, 51)]
    wishes = tuple(interest(f"topic{n}") for n in range(1, 51))
    assert len(set(ids(digest(wanting(*wishes, max_papers=20), pool=pool, trends={})))) == 20
    assert len(set(ids(digest(wanting(*wishes, max_papers=50), pool=pool, trends={})))) == 50


def test_interests_matched_beforehand_and_later_rank_alike() -> None:
    wanted = [interest("continual learning"), interest("neural networks")]
    told, asked = (EditionRanker(POOL, Statistics.of(()), TRENDS) for _ in range(2))
    told.learn(wanted)
    subscriber = wanting(*wanted)
    assert told.digest_for(subscriber, set(), DAY) == asked.digest_for(subscriber, set(), DAY)


@pytest.mark.parametrize(
    ("never", "title"),
    [
        ("autoencoders", "Masked AutoEncoder is scalable"),
        ("autoencoder", "Masked AutoEncoders are scalable"),
        ("embeddings", "A SURVEY of EMBEDDING methods"),
        ("transformers", "TRANSFORMER models for owls"),
        ("GAMES", "Agents that play games"),
        ("AGENTS", "Agents that play games"),
        ("agent", "AGENTS that play games"),
        ("meta learning", "Metalearning for robots"),
        ("meta-learning", "Metalearning for robots"),
        ("metalearning", "Meta-learning for robots"),
    ],
)
def test_an_excluded_word_stays_out_however_it_is_spelled(never: str, title: str) -> None:
    pool = [a_paper(title, number=1, abstract=""), a_paper("Owls", number=2, abstract="")]
    assert ids(digest(wanting(without(never)), pool=pool, trends={})) == [2]
    assert ids(digest(wanting(interest(never)), pool=pool, trends={}))[0] == 1


BEYOND = {
    PaperId(4): Trend(score=0.9, upvotes=63, rising=True),
    PaperId(3): Trend(score=0.6, upvotes=9),
    PaperId(5): Trend(score=0.4, upvotes=3),
}


def beyond(
    subscriber: Subscriber, *sent: int, trends: dict[PaperId, Trend] = BEYOND, most: int = 1
) -> Digest | Skip:
    ranker = EditionRanker(POOL, Statistics.of(()), trends, beyond=most)
    return ranker.digest_for(subscriber, {PaperId(n) for n in sent}, DAY)


def test_a_paper_that_trends_closes_the_digest_and_says_that_it_does_not_match() -> None:
    found = beyond(wanting(interest("continual learning")))
    assert ids(found) == [1, 2, 4]
    assert isinstance(found, Digest) and not found.trending_only
    last = found.picks[-1]
    assert (last.score, last.relevance, last.trend) == (0.0, 0.0, 0.9)
    assert (last.reason.where, last.reason.interest) == (Where.BEYOND, None)
    assert reason_sentence(last.reason) == "trending beyond your interests · 63 upvotes, rising"


def test_as_many_trending_papers_come_as_are_asked_for_and_trend_enough() -> None:
    wish = wanting(interest("continual learning"))
    assert ids(beyond(wish, most=0)) == [1, 2]
    assert ids(beyond(wish, most=3)) == [1, 2, 4, 3]


def test_what_is_sent_excluded_or_matched_does_not_come_from_beyond() -> None:
    wish = interest("continual learning")
    assert ids(beyond(wanting(wish), 4)) == [1, 2, 3]
    assert ids(beyond(wanting(wish, without("sleep")))) == [1, 2, 3]
    assert ids(beyond(wanting(wish, interest("sleep")))) == [4, 1, 2, 3]


def test_a_day_without_trends_has_nothing_beyond() -> None:
    wish = wanting(interest("continual learning"))
    listed = {PaperId(n): Trend(score=0.6, listings=1) for n in (3, 4, 5)}
    quiet = {PaperId(4): Trend(score=0.3, upvotes=1)}
    for trends in ({}, listed, quiet):
        assert ids(beyond(wish, trends=trends)) == [1, 2]


def test_where_nothing_matches_the_trending_list_stays_as_it_is() -> None:
    found = beyond(wanting(interest("quantum gravity")))
    assert isinstance(found, Digest) and found.trending_only
    assert {pick.reason.where for pick in found.picks} == {Where.TRENDING}
    assert isinstance(beyond(wanting(interest("gravity"), empty_day=EmptyDay.SKIP)), Skip)


def carried(title: str, number: int, **age: float) -> Paper:
    return a_paper(title, number=number, abstract="", first_seen_at=NOON - timedelta(**age))


def on(schedule: Schedule, *pool: Paper) -> list[int]:
    ranker = EditionRanker(pool, Statistics.of(()), {}, cutoff_at=NOON)
    found = ranker.digest_for(wanting(interest("sleep"), schedule=schedule), set(), DAY)
    return ids(found)


def test_of_equals_todays_paper_comes_before_one_carried_over() -> None:
    pool = carried("Sleep of owls", 9, hours=30), carried("Sleep of cats", 1, hours=2)
    assert on(Schedule(), *pool) == [1, 9]


def test_a_strong_paper_of_yesterday_comes_before_a_weak_one_of_today() -> None:
    weak = a_paper("Owls", number=1, abstract="On tea. In passing, sleep.", first_seen_at=NOON)
    assert on(Schedule(), weak, carried("Sleep", 2, hours=30)) == [2, 1]


def test_each_day_carried_weighs_and_a_first_day_does_not() -> None:
    pool = [carried(f"Sleep of {name}", n, days=n - 0.5) for n, name in enumerate("abcd", 1)]
    ranker = EditionRanker(pool, Statistics.of(()), {}, cutoff_at=NOON)
    found = ranker.digest_for(wanting(interest("sleep")), set(), DAY)
    assert isinstance(found, Digest)
    scores = [pick.score for pick in found.picks]
    assert [score / scores[0] for score in scores] == pytest.approx([1, 0.85, 0.85**2, 0.85**3])


def test_what_came_since_a_weekly_readers_last_digest_is_new_to_them() -> None:
    pool = carried("Sleep of cats", 1, days=5), carried("Sleep", 2, days=1.5)
    ranker = EditionRanker(pool, Statistics.of(()), {}, cutoff_at=NOON)
    weekly = Schedule(frequency=Frequency.WEEKLY, weekday=DAY.weekday())
    subscribers = [
        replace(wanting(interest("sleep"), schedule=schedule), id=SubscriberId(n))
        for n, schedule in enumerate((weekly, Schedule()))
    ]
    first, second = ranker.digests_for(subscribers, {}, dict.fromkeys((0, 1), DAY))  # type: ignore[arg-type]
    assert isinstance(first, Digest) and isinstance(second, Digest)
    of_weekly, of_daily = ({p.paper_id: p.score for p in d.picks} for d in (first, second))
    assert of_daily[PaperId(1)] == pytest.approx(of_weekly[PaperId(1)] * 0.85**4)


def test_a_chunk_of_subscribers_gets_what_each_would_get_alone() -> None:
    ranker = EditionRanker(POOL, Statistics.of(()), BEYOND, beyond=1, cutoff_at=NOON)
    wishes = [(), ("sleep",), ("continual learning", "protein folding"), ("nothing",)]
    subscribers = [
        a_subscriber(f"s{n}@example.com", *phrases, number=n) for n, phrases in enumerate(wishes)
    ]
    subscribers.append(replace(wanting(interest("graph"), without("sleep")), id=SubscriberId(9)))
    sent = {SubscriberId(1): {PaperId(4)}, SubscriberId(2): {PaperId(n) for n in range(1, 6)}}
    days = {one.id: DAY + timedelta(days=one.id) for one in subscribers}
    together = ranker.digests_for(subscribers, sent, days)
    alone = [ranker.digest_for(one, sent.get(one.id, set()), days[one.id]) for one in subscribers]
    assert together == alone
    assert [content.digest_on for content in together] == list(days.values())
    assert ranker.digests_for([], {}, {}) == []


def test_feedback_moves_a_subscribers_own_digest_alone() -> None:
    pool = [a_paper("Sleep of owls", number=1), a_paper("Sleep of cats", number=2)]
    ranker = EditionRanker(pool, Statistics.of(()), {})
    ada, bob = (a_subscriber(f"{n}@example.com", "sleep", number=n) for n in (1, 2))
    plain = ids(ranker.digest_for(bob, set(), DAY))
    lift = np.array([0.5 if paper == plain[0] else 1.5 for paper in ranker.papers])
    first, second = ranker.digests_for([ada, bob], {}, {ada.id: DAY, bob.id: DAY}, {ada.id: lift})
    assert (ids(first), ids(second)) == (plain[::-1], plain)


def test_a_trend_that_is_no_number_leaves_no_trace() -> None:
    trends = {PaperId(n): Trend(score=float("nan"), upvotes=9) for n in range(1, 6)}
    for subscriber in (wanting(interest("continual learning")), wanting()):
        found = beyond(subscriber, trends=trends)
        assert isinstance(found, Digest)
        for pick in found.picks:
            assert 0 <= pick.score <= 1 and pick.trend == 0


@pytest.mark.slow
def test_ten_thousand_papers_of_a_day_are_one_edition() -> None:
    rng = np.random.default_rng(5)
    names = [f"w{n}" for n in range(3_000)]
    titles = [" ".join(names[n] for n in row) for row in rng.integers(0, 3_000, (10_000, 8))]
    pool = [a_paper(title, number=n, abstract="") for n, title in enumerate(titles, 1)]
    ranker = EditionRanker(pool, Statistics.of(()), {})
    word = titles[0].split()[0]
    found = ids(ranker.digest_for(wanting(interest(word)), set(), DAY))
    assert len(found) == 10
    assert all(word in titles[number - 1].split() for number in found)
