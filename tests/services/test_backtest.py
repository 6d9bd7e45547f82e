"""Backtests: each day as it stood, nothing twice, nothing written."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from digest.domain.digests import Digest, Skip, SkipReason, reason_sentence
from digest.domain.feedback import Opinion
from digest.domain.interests import interest
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import Channel, EmptyDay, Preferences, Status
from digest.errors import InvalidInput, NotFound
from digest.services import feedback
from digest.services.backtest import Backtest, BacktestDay, Terms, backtest
from digest.services.collect import keep
from digest.services.compose import Composer, Policy, Who
from digest.store import subscribers
from digest.store.database import reading, transaction
from digest.store.papers import recent_papers
from digest.store.subscribers import NewSubscriber, add_many
from tests.builders import NOON, a_batch, a_listing, attention, some_interests

TERMS = Terms(lookback_days=7, threshold=0.25)
POLICY = Policy(lookback_days=7, threshold=0.25, domain="papers.example", secret="s" * 32)
EMAIL = "ada@example.com"


def _papers(engine: Engine, at: datetime, *titles: str) -> None:
    keep(engine, a_batch(*(a_listing(title) for title in titles), fetched_at=at), at)


def _reader(engine: Engine, *phrases: str, **changes: Any) -> None:
    preferences = {"schedule": Schedule(hour=8), "empty_day": EmptyDay.SKIP}
    values: dict[str, Any] = {
        "status": Status.ACTIVE,
        "interests": some_interests(*phrases),
        "preferences": Preferences(**preferences | changes.pop("preferences", {})),
        "next_digest_at": NOON - timedelta(days=30),
    }
    with transaction(engine) as session:
        add_many(session, [NewSubscriber(email=EMAIL, **values | changes)], NOON)


def _run(engine: Engine, days: int = 3, now: datetime = NOON, terms: Terms = TERMS) -> Backtest:
    return backtest(engine, EMAIL, days, now, terms)


def _titles(done: Backtest, day: BacktestDay) -> list[str]:
    picks = day.content.picks if isinstance(day.content, Digest) else ()
    return [done.papers[pick.paper_id].title for pick in picks]


def test_each_day_has_what_had_come_by_its_hour_and_no_paper_twice(engine: Engine) -> None:
    eight = NOON.replace(hour=8)
    _papers(engine, eight - timedelta(days=2, hours=1), "Learning to swim")
    _papers(engine, eight - timedelta(days=2) + timedelta(minutes=1), "Learning to read")
    _papers(engine, eight - timedelta(hours=1), "Learning to wait")
    _papers(engine, eight + timedelta(hours=1), "Learning too late")
    _reader(engine, "learning")
    done = _run(engine)
    assert [day.digest_on for day in done.days] == [date(2026, 3, d) for d in (10, 11, 12)]
    assert [_titles(done, day) for day in done.days] == [
        ["Learning to swim"],
        ["Learning to read"],
        ["Learning to wait"],
    ]
    assert [day.considered for day in done.days] == [1, 2, 3]
    assert done.days[0].at == eight - timedelta(days=2)


def test_papers_first_seen_more_than_the_window_ago_are_gone(engine: Engine) -> None:
    _papers(engine, NOON - timedelta(days=9), "Learning to swim")
    _reader(engine, "learning")
    done = _run(engine, 9)
    assert [day.considered for day in done.days] == [1] * 7 + [0] * 2
    assert done.days[-1].content == Skip(digest_on=date(2026, 3, 12), reason=SkipReason.NO_PAPERS)


def test_trends_are_those_of_that_day(engine: Engine) -> None:
    paper = "Learning to swim"
    others = [a_listing(f"Tea {n}", attention=attention(upvotes=n)) for n in range(9)]
    for days, votes in ((2, 0), (0, 90)):
        at = NOON.replace(hour=7) - timedelta(days=days)
        listing = a_listing(paper, attention=attention(upvotes=votes), listed_on=at.date())
        listed = [*others, listing] if days else [listing]
        keep(engine, a_batch(*listed, fetched_at=at), at)
    _reader(engine, "swim")
    first = _run(engine).days[0].content
    assert isinstance(first, Digest)
    assert first.picks[0].reason.upvotes in (0, None)


def test_what_the_ledger_sent_does_not_count_as_sent(engine: Engine) -> None:
    _papers(engine, NOON - timedelta(hours=6), "Learning to swim")
    _reader(engine, "learning")
    Composer(engine, POLICY).compose(Who(only=(EMAIL,)), NOON)
    done = _run(engine, 1)
    assert _titles(done, done.days[0]) == ["Learning to swim"]


def test_a_day_is_what_composing_gave_that_day(engine: Engine) -> None:
    titles = [f"Learning of kind {n}" for n in "abcdefgh"]
    _papers(engine, NOON.replace(hour=7), *titles, "Tea")
    _reader(engine, "learning", "kind b", preferences={"max_papers": 3})
    composed: list[Any] = []
    Composer(engine, POLICY).compose(Who(only=(EMAIL,)), NOON.replace(hour=8), each=composed.append)
    (day,) = _run(engine, 1).days
    assert isinstance(day.content, Digest)
    assert day.content.picks == composed[0].content.picks


def test_nothing_is_written(engine: Engine) -> None:
    _papers(engine, NOON - timedelta(hours=6), "Learning to swim")
    _reader(engine, "learning")
    tables = ("deliveries", "editions", "subscribers", "signals", "batches", "papers")

    def everything() -> list[Any]:
        with reading(engine) as session:
            return [session.execute(text(f"SELECT * FROM {name}")).all() for name in tables]

    before = everything()
    _run(engine)
    assert everything() == before


def test_only_chosen_days_count_and_today_only_after_its_hour(engine: Engine) -> None:
    schedule = Schedule(hour=9, frequency=Frequency.WEEKDAYS, timezone="Asia/Tokyo")
    _reader(engine, "learning", preferences={"schedule": schedule})
    monday = datetime(2026, 3, 16, tzinfo=UTC)  # nine o'clock in Tokyo
    days = [day.digest_on.day for day in _run(engine, 4, monday).days]
    assert days == [13, 16]
    assert [d.digest_on.day for d in _run(engine, 4, monday - timedelta(minutes=1)).days] == [
        12,
        13,
    ]


def test_weekly_reader_without_a_day_in_the_span_gets_no_day(engine: Engine) -> None:
    _reader(
        engine, "tea", preferences={"schedule": Schedule(frequency=Frequency.WEEKLY, weekday=0)}
    )
    assert _run(engine, 3).days == ()  # Tuesday to Thursday


def test_interest_that_never_matched_is_named_even_if_excluded_papers_would(engine: Engine) -> None:
    _papers(engine, NOON.replace(hour=7), "Learning to swim", "Tea: a survey")
    never = interest("survey", excluded=True)
    _reader(engine, interests=(*some_interests("learning", "tea", "robots"), never))
    done = _run(engine)
    assert [one.text for one in done.silent] == ["tea", "robots"]
    assert [one.text for one in done.days[-1].matched] == ["learning"]


def test_matched_interest_whose_papers_were_sent_before_is_not_silent(engine: Engine) -> None:
    _papers(engine, NOON.replace(hour=7) - timedelta(days=1), "Learning to swim")
    _reader(engine, "learning")
    done = _run(engine, 2)
    assert [day.picks for day in done.days] == [1, 0]
    assert done.days[1].matched == some_interests("learning")
    assert done.silent == ()


def test_max_papers_replaces_what_was_chosen(engine: Engine) -> None:
    _papers(engine, NOON.replace(hour=7), "Learning to swim", "Learning to read")
    _reader(engine, "learning")
    done = _run(engine, 1, terms=Terms(lookback_days=7, threshold=0.25, max_papers=1))
    assert [day.picks for day in done.days] == [1]


def test_feedback_counts_from_the_instant_it_was_given(engine: Engine) -> None:
    eight = NOON.replace(hour=8)
    _papers(engine, NOON - timedelta(days=40), *(f"Video diffusion of {n}" for n in "abcde"))
    for back in (1, 0):
        at = eight - timedelta(days=back)
        _papers(engine, at - timedelta(hours=3), f"Learning by video diffusion, part {back}")
        _papers(engine, at - timedelta(hours=2), f"Learning by robots of laundry, part {back}")
    _reader(engine, "learning")
    before = _run(engine, 2)
    assert [_titles(before, day)[0][:18] for day in before.days] == ["Learning by robots"] * 2
    _like_videos(engine, eight + timedelta(seconds=1))
    assert _run(engine, 2) == before
    _reset(engine)
    _like_videos(engine, eight)
    done = _run(engine, 2)
    assert done.days[0] == before.days[0]
    assert _titles(done, done.days[1])[0] == "Learning by video diffusion, part 0"
    assert done.days[1].matched == before.days[1].matched
    composed: list[Any] = []
    Composer(engine, POLICY).compose(Who(only=(EMAIL,)), eight, each=composed.append)
    now = [pick for pick in composed[0].content.picks if pick.paper_id in _picked(done.days[1])]
    assert isinstance(done.days[1].content, Digest)
    assert tuple(now) == done.days[1].content.picks
    assert "more like papers you liked: " in reason_sentence(now[0].reason)


def _like_videos(engine: Engine, at: datetime) -> None:
    with reading(engine) as session:
        ada = subscribers.by_email(session, EMAIL).id
        papers = [p.id for p in recent_papers(session, 0) if p.title.startswith("Video")]
    for paper in papers:
        feedback.record(engine, ada, paper, Opinion.MORE, at=at, channel=Channel.CLI)


def _reset(engine: Engine) -> None:
    with reading(engine) as session:
        ada = subscribers.by_email(session, EMAIL).id
    feedback.reset(engine, ada)


def _picked(day: BacktestDay) -> set[int]:
    return {p.paper_id for p in day.content.picks} if isinstance(day.content, Digest) else set()


@pytest.mark.parametrize("status", [Status.PENDING, Status.PAUSED, Status.UNSUBSCRIBED])
def test_status_does_not_matter(engine: Engine, status: Status) -> None:
    _papers(engine, NOON.replace(hour=7), "Learning to swim")
    _reader(engine, "learning", status=status, next_digest_at=None)
    assert [day.picks for day in _run(engine, 1).days] == [1]


@pytest.mark.parametrize("days", [0, -1, 367])
def test_days_out_of_bounds_are_refused(engine: Engine, days: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 366"):
        _run(engine, days)


def test_unknown_address_is_not_found(engine: Engine) -> None:
    with pytest.raises(NotFound, match="no subscriber"):
        _run(engine)


def test_each_day_is_told_as_soon_as_it_is_done(engine: Engine) -> None:
    _reader(engine, "learning")
    told: list[BacktestDay] = []
    done = backtest(engine, EMAIL, 5, NOON, TERMS, each=told.append)
    assert tuple(told) == done.days
    assert len(told) == 5
