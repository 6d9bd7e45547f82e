"""From papers and a subscriber to a digest whose reasons are true, or to the reason for none."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from digest.domain.digests import Digest, Skip, SkipReason, Where, reason_sentence
from digest.domain.interests import Interest, InterestKind, interest
from digest.domain.papers import Paper, PaperId
from digest.domain.subscribers import EmptyDay, Preferences, Subscriber
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


def test_an_interest_named_beforehand_and_one_that_comes_later_rank_alike() -> None:
    statistics = Statistics.of(())
    told = EditionRanker(POOL, statistics, TRENDS, interests=[interest("continual learning")])
    asked = EditionRanker(POOL, statistics, TRENDS)
    subscriber = wanting(interest("continual learning"))
    assert told.digest_for(subscriber, set(), DAY) == asked.digest_for(subscriber, set(), DAY)
