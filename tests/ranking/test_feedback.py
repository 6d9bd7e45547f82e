"""Feedback moves a ranking: bounded, fading, explained, undone by a reset."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.domain.feedback import HALF_LIFE, Opinion, Vote, taste_sentence, weight
from digest.domain.papers import Paper, PaperId
from digest.ranking.edition import EditionRanker
from digest.ranking.feedback import SPAN, Tastes
from digest.ranking.personal import PersonalRanker
from digest.ranking.statistics import Statistics
from tests.builders import NOON, a_paper, a_subscriber

VIDEO = (
    "Video diffusion at scale", "Long video diffusion", "Faster video diffusion models",
)  # fmt: skip
OTHERS = (
    "Honey bees and their dances", "Sorting networks in hardware", "A grammar of Old Norse",
    "Protein folding with graphs", "Robots that fold laundry",
)  # fmt: skip
TITLES = (*VIDEO, *OTHERS)


def some_papers(titles: Sequence[str] = TITLES) -> list[Paper]:
    return [a_paper(title, number=n, abstract="") for n, title in enumerate(titles, start=1)]


def tastes_of(papers: Sequence[Paper]) -> Tastes:
    return Tastes(papers, Statistics.of((paper.title, paper.abstract) for paper in papers))


def a_vote(
    title: str, opinion: Opinion = Opinion.MORE, *, number: int | None = None, days: float = 0
) -> Vote:
    """A vote on a paper of that title; by default each title is a paper of its own."""
    number = crc32(title.encode()) if number is None else number
    given_at = NOON - timedelta(days=days)
    return Vote(paper_id=PaperId(number), title=title, opinion=opinion, given_at=given_at)


STATISTICS = Statistics.of((title, "") for title in TITLES)


def fresh() -> Tastes:
    return Tastes(some_papers(), STATISTICS)


def lift(*votes: Vote, now: datetime = NOON, tastes: Tastes | None = None) -> np.ndarray:
    return (tastes or fresh()).lift(votes, now)


# What it does


def test_without_votes_nothing_moves() -> None:
    assert lift().tolist() == [1.0] * len(TITLES)


def test_more_raises_the_topic_and_leaves_the_rest() -> None:
    lifted = lift(a_vote("Video diffusion with transformers"))
    assert all(lifted[:3] > 1.02)
    assert lifted[3:].tolist() == [1.0] * len(OTHERS)


def test_less_lowers_the_paper_itself_most_and_bars_nothing() -> None:
    lifted = lift(a_vote(VIDEO[0], Opinion.LESS, number=1))
    assert int(np.argmin(lifted)) == 0
    assert 1 - SPAN < lifted[0] < lifted[1] < 1
    assert lifted[3:].tolist() == [1.0] * len(OTHERS)


def test_a_near_copy_falls_as_far_as_the_paper_voted_down() -> None:
    tastes = tastes_of(some_papers((*TITLES, "Video Diffusion at Scale!")))
    lifted = lift(a_vote(VIDEO[0], Opinion.LESS, number=1), tastes=tastes)
    assert lifted[-1] == pytest.approx(lifted[0])
    assert lifted[-1] < lifted[1]


def test_one_vote_moves_but_does_not_decide_and_further_ones_add_less_and_less() -> None:
    counts = [lift(*(a_vote(VIDEO[0], number=n) for n in range(900, 900 + k)))[0] for k in range(9)]
    gains = np.diff(counts)
    assert 1.1 < counts[1] < 1.26 < counts[8] < 1 + SPAN
    assert all(gains > 0) and all(np.diff(gains) < 0)


def test_a_click_counts_as_a_weak_more() -> None:
    click, more = (lift(a_vote(VIDEO[0], opinion))[1] for opinion in (Opinion.CLICK, Opinion.MORE))
    assert 1 < click < more
    assert click - 1 < (more - 1) / 2


def test_dislike_tells_less_than_liking() -> None:
    more, less = (lift(a_vote(VIDEO[0], opinion))[0] for opinion in (Opinion.MORE, Opinion.LESS))
    assert more - 1 > 1 - less > 0


def test_what_all_papers_of_an_edition_share_moves_nobody() -> None:
    shared = [f"We present a method for {title}" for title in TITLES * 6]
    tastes = tastes_of(some_papers(shared))
    lifted = lift(a_vote("We present a method for opera"), tastes=tastes)
    assert lifted.max() < 1.02


def test_half_the_weight_is_left_after_ninety_days_and_votes_to_come_count_for_nothing() -> None:
    vote = a_vote(VIDEO[0])
    assert weight(vote, NOON) == 1
    assert weight(vote, NOON + HALF_LIFE) == pytest.approx(0.5)
    assert weight(vote, NOON - timedelta(seconds=1)) == 0
    assert lift(vote, now=NOON - timedelta(days=1)).tolist() == [1.0] * len(TITLES)
    assert lift(vote, now=NOON + HALF_LIFE)[0] < lift(vote)[0]


def test_a_vote_fades_to_no_effect() -> None:
    votes = [a_vote(VIDEO[0]), a_vote(OTHERS[0], Opinion.LESS)]
    assert lift(*votes, now=datetime(9999, 12, 31, tzinfo=UTC)).tolist() == [1.0] * len(TITLES)


def test_only_the_newest_two_hundred_votes_count() -> None:
    newest = [a_vote(OTHERS[0], number=n, days=n / 1000) for n in range(200)]
    oldest = a_vote(VIDEO[0], days=1)
    assert lift(*newest, oldest).tolist() == lift(*newest).tolist()


# Why


def test_the_words_are_those_that_both_papers_have_as_the_voted_one_spells_them() -> None:
    words = fresh().why([a_vote("VideoLM: Diffusing videos for LoRA")], 0, NOON)
    assert set(words) == {"videos", "Diffusing"}
    assert fresh().why([a_vote("Bees that dance")], 3, NOON) == ("Bees", "dance")


def test_words_that_raised_are_told_apart_from_words_that_lowered() -> None:
    votes = [a_vote("Video games", Opinion.LESS), a_vote("Diffusion of heat")]
    assert fresh().why(votes, 0, NOON) == ("Diffusion",)
    down = [a_vote("Video games", Opinion.LESS), a_vote("Heat")]
    assert fresh().why(down, 0, NOON) == ("Video",)


def test_a_paper_that_nothing_moved_has_no_words() -> None:
    assert fresh().why([a_vote("Opera")], 0, NOON) == ()
    assert fresh().why([], 0, NOON) == ()


def test_without_the_words_the_lift_is_gone() -> None:
    vote = a_vote("Video diffusion for opera")
    words = fresh().why([vote], 1, NOON)
    assert words and lift(vote)[1] > 1
    bare = vote.title
    for word in words:
        bare = bare.replace(word, "")
    assert lift(a_vote(bare))[1] == 1


def test_no_word_is_told_twice() -> None:
    titles = ("Large language models that plan", "Large language models that dream", *OTHERS)
    words = tastes_of(some_papers(titles)).why([a_vote(titles[0])], 1, NOON)
    told = " ".join(words).lower().split()
    assert len(told) == len(set(told)) and 1 <= len(words) <= 3


def test_the_reason_reads_like_a_sentence() -> None:
    liked = taste_sentence(("diffusion", "video"), raised=True)
    assert liked == "more like papers you liked: diffusion, video"
    assert taste_sentence(("LoRA",), raised=False) == "like papers you want fewer of: LoRA"
    assert taste_sentence((), raised=True) == ""


# Whatever is said


words = st.sampled_from([*TITLES, "", "of the", "持续学习", "🐝", "Video", "bees video diffusion"])
opinions = st.sampled_from(Opinion)


@st.composite
def some_votes(draw: st.DrawFn) -> list[Vote]:
    said = draw(st.lists(st.tuples(words, opinions, st.floats(0, 1000)), max_size=12))
    return [
        a_vote(title, opinion, number=n, days=days)
        for n, (title, opinion, days) in enumerate(said, start=100)
    ]


@settings(max_examples=40, deadline=None)
@given(some_votes())
def test_every_lift_is_finite_and_bounded(votes: list[Vote]) -> None:
    lifted = fresh().lift(votes, NOON)
    assert np.isfinite(lifted).all()
    assert (lifted >= 1 - SPAN).all() and (lifted <= 1 + SPAN).all()


@settings(max_examples=40, deadline=None)
@given(some_votes(), st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(votes: list[Vote], rng) -> None:
    shuffled = votes.copy()
    rng.shuffle(shuffled)
    tastes = fresh()
    assert tastes.lift(shuffled, NOON).tolist() == tastes.lift(votes, NOON).tolist()
    assert tastes.why(shuffled, 0, NOON) == tastes.why(votes, 0, NOON)


@settings(max_examples=40, deadline=None)
@given(words, opinions, st.integers(1, 30))
def test_more_equal_votes_move_no_paper_less(title: str, opinion: Opinion, count: int) -> None:
    votes = [a_vote(title, opinion, number=n) for n in range(count + 1)]
    tastes = fresh()
    fewer, more = (np.abs(tastes.lift(v, NOON) - 1) for v in (votes[:-1], votes))
    assert (more >= fewer).all()
    assert ((more > fewer) == (fewer > 0)).all()


@settings(max_examples=40, deadline=None)
@given(
    some_votes(), st.integers(0, len(TITLES) - 1), st.sampled_from([Opinion.MORE, Opinion.CLICK])
)
def test_more_on_a_paper_never_lowers_it_nor_a_copy(votes, paper: int, opinion: Opinion) -> None:
    tastes = Tastes(some_papers((*TITLES, TITLES[paper].upper())), STATISTICS)
    before = tastes.lift(votes, NOON)
    after = tastes.lift([*votes, a_vote(TITLES[paper], opinion, number=1)], NOON)
    assert after[paper] >= before[paper] - 1e-6
    assert after[-1] >= before[-1] - 1e-6


@settings(max_examples=40, deadline=None)
@given(some_votes())
def test_votes_fade_as_time_goes_by(votes: list[Vote]) -> None:
    last = fresh().lift(votes, NOON + 40 * HALF_LIFE)
    assert last == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(words, max_size=4), some_votes())
def test_an_edition_of_any_size_has_an_answer(titles: list[str], votes: list[Vote]) -> None:
    papers = [a_paper(title or "?", number=n) for n, title in enumerate(titles, 1)]
    tastes = Tastes(papers, STATISTICS)
    lifted = tastes.lift(votes, NOON)
    assert lifted.shape == (len(titles),) and np.isfinite(lifted).all()


def test_what_is_forgotten_for_room_is_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = [a_vote(title, number=n) for n, title in enumerate(TITLES * 60, start=1000)]
    small = fresh()
    small._most = 200
    small.learn(votes)
    assert len(small._voted) == 200
    for start in range(0, 400, 80):
        some = votes[start : start + 80]
        assert small.lift(some, NOON).tolist() == fresh().lift(some, NOON).tolist()
    assert len(small._voted) <= 200


# Real papers


def real_topics(shared: Path, count: int) -> tuple[list[Paper], np.ndarray, list[list[int]]]:
    """The last `count` papers, how early attention alone brings each, and topics by number."""
    folder = shared / "ranking" / "hf_daily"
    entries = [json.loads(line) for line in (folder / "papers.jsonl").read_text().splitlines()]
    entries = entries[-count:]
    numbers = {entry["id"]: number for number, entry in enumerate(entries)}
    topics: dict[str, list[int]] = defaultdict(list)
    for line in (folder / "qrels.tsv").read_text().splitlines():
        topic, paper, _ = line.split("\t")
        if paper in numbers:
            topics[topic].append(numbers[paper])
    upvotes = np.array([entry.get("upvotes") or 0 for entry in entries])
    trend = upvotes.argsort(kind="stable").argsort() / count
    papers = [
        a_paper(entry["title"], number=n, abstract=entry["abstract"])
        for n, entry in enumerate(entries)
    ]
    return papers, 0.6 + 0.4 * trend, [own for own in topics.values() if len(own) >= 10]


def mean_rank(score: np.ndarray, wanted: Sequence[int], left_out: Sequence[int]) -> float:
    order = [n for n in np.argsort(-score, kind="stable").tolist() if n not in left_out]
    return float(np.mean([order.index(n) for n in wanted])) + 1


@pytest.mark.slow
def test_five_votes_on_a_topic_bring_its_other_papers_earlier(shared: Path) -> None:
    papers, early, topics = real_topics(shared, 2000)
    tastes = tastes_of(papers)
    ranks: dict[str, list[float]] = defaultdict(list)
    for liked, others in ((own[:5], own[5:]) for own in topics):
        lifts = {"none": np.ones(len(papers))}
        for opinion in (Opinion.MORE, Opinion.LESS):
            votes = [
                Vote(
                    paper_id=papers[n].id,
                    title=papers[n].title,
                    abstract=papers[n].abstract,
                    opinion=opinion,
                    given_at=NOON,
                )
                for n in liked
            ]
            lifts[opinion] = tastes.lift(votes, NOON)
        for name, lifted in lifts.items():
            ranks[name].append(mean_rank(early * lifted, others, liked))
    before, more, less = (np.array(ranks[name]) for name in ("none", Opinion.MORE, Opinion.LESS))
    assert len(topics) >= 20
    assert (more < before).all() and (less > before).mean() > 0.95
    # measured: 947 to 671 of 1,995 by more, 1,153 by less
    assert more.mean() < 0.75 * before.mean()
    assert less.mean() > 1.15 * before.mean()


def test_a_reason_works_out_all_forgotten_votes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tastes, sizes = fresh(), worked_out(monkeypatch)
    votes = [a_vote(f"Video diffusion {n}") for n in range(9)]
    assert tastes.why(votes, 1, NOON) == fresh().why(votes, 1, NOON) != ()
    assert sizes == [9, 9]


def test_votes_beyond_what_is_kept_are_worked_out_once_for_each_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readers = [a_subscriber(f"r{n}@x.example", "video", number=n) for n in range(1, 7)]
    votes = {
        one.id: [a_vote(f"Video diffusion {one.id} {n}") for n in range(10)] for one in readers
    }
    days = {one.id: NOON.date() for one in readers}

    def digests() -> list[object]:
        ranker = PersonalRanker(EditionRanker(some_papers(), STATISTICS, {}), STATISTICS)
        return list(ranker.digests_for(readers, {}, days, votes, NOON))

    roomy, sizes = digests(), worked_out(monkeypatch)
    monkeypatch.setattr("digest.ranking.feedback.MOST_VOTES", 10)
    monkeypatch.setattr("digest.ranking.feedback._CACHE", 0)  # 2 readers' votes
    assert digests() == roomy
    assert all(pick.reason.taste for one in roomy for pick in one.picks)  # type: ignore[attr-defined]
    assert sizes == [20, 20, 20]


def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many votes were worked out at a time, from now on."""
    sizes: list[int] = []
    real = Tastes._worked_out

    def noted(self: Tastes, votes: Sequence[Vote]) -> object:
        sizes.append(len(votes))
        return real(self, votes)

    monkeypatch.setattr(Tastes, "_worked_out", noted)
    return sizes
