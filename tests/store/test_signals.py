"""Signals are runs of equal counts, by source and the source's day."""

from datetime import UTC, date, datetime, timedelta

from digest.domain.papers import PaperId
from digest.store.merge import merge_batch
from digest.store.papers import recent_papers
from digest.store.signals import listing_day, signals_around, signals_of
from tests.builders import NOON, a_batch, a_listing, attention

DAY = date(2026, 3, 12)


def read(session, upvotes, hours=0, *, source="huggingface", arxiv="2603.00001", **changes):
    listing = a_listing(arxiv=arxiv, attention=attention(upvotes=upvotes), **changes)
    at = NOON + timedelta(hours=hours)
    return merge_batch(session, a_batch(listing, source=source, fetched_at=at), at)


def runs(session):
    ids = [paper.id for paper in recent_papers(session, limit=0)]
    return [
        (s.attention.upvotes, _hours(s.read_at), _hours(s.held_until))
        for signals in signals_of(session, ids).values()
        for s in signals
    ]


def _hours(instant):
    assert instant.tzinfo is UTC
    return (instant - NOON) / timedelta(hours=1)


def test_unchanged_counts_prolong_their_run(session):
    read(session, 5)
    read(session, 5, hours=1)
    assert read(session, 5, hours=3).changed_signals == 0
    assert runs(session) == [(5, 0, 3)]


def test_changed_counts_begin_a_run(session):
    read(session, 5)
    read(session, 5, hours=1)
    assert read(session, 8, hours=2).changed_signals == 1
    assert read(session, 8, hours=3).changed_signals == 0
    assert runs(session) == [(5, 0, 1), (8, 2, 3)]


def test_counts_that_return_are_a_third_run(session):
    for hours, upvotes in enumerate((5, 8, 5)):
        read(session, upvotes, hours=hours)
    assert runs(session) == [(5, 0, 0), (8, 1, 1), (5, 2, 2)]


def test_a_listing_without_counts_is_one_signal(session):
    read(session, None)
    read(session, None, hours=1)
    assert runs(session) == [(None, 0, 1)]


def test_sources_and_days_have_runs_of_their_own(session):
    read(session, 5)
    read(session, 5, source="mirror")
    assert read(session, 5, hours=1, listed_on=date(2026, 3, 13)).changed_signals == 1
    (paper,) = recent_papers(session)
    found = [(s.source, s.listed_on) for s in signals_of(session, [paper.id])[paper.id]]
    assert sorted(found) == [
        ("huggingface", DAY),
        ("huggingface", date(2026, 3, 13)),
        ("mirror", DAY),
    ]


def test_two_listings_of_one_paper_in_one_batch_are_one_reading_of_the_higher_counts(session):
    pair = [
        a_listing(arxiv="2603.00001", attention=attention(upvotes=n, comments=c))
        for n, c in ((3, 9), (7, None))
    ]
    for hours in (0, 1):
        at = NOON + timedelta(hours=hours)
        merge_batch(session, a_batch(*pair, fetched_at=at), at)
    (paper,) = recent_papers(session)
    (signal,) = signals_of(session, [paper.id])[paper.id]
    assert signal.attention == attention(upvotes=7, comments=9)
    assert signal.held_until == NOON + timedelta(hours=1)


def test_a_second_word_on_the_same_instant_raises_the_counts(session):
    read(session, 5)
    assert read(session, 8).changed_signals == 1
    assert read(session, 5).changed_signals == 0
    assert runs(session) == [(8, 0, 0)]


def test_an_older_reading_is_history_and_never_the_latest_word(session):
    read(session, 5, hours=2)
    read(session, 5, hours=4)
    read(session, 9, hours=3)  # inside a run that already covers it
    read(session, 2, hours=0)
    read(session, 2, hours=1)
    assert runs(session) == [(2, 0, 1), (5, 2, 4)]


def test_signals_around_a_paper_are_all_of_its_source_days_and_no_others(session):
    read(session, 5)
    read(session, 50, arxiv="2603.00002", title="Rival")
    read(session, 7, arxiv="2603.00003", title="Next Day", listed_on=date(2026, 3, 13))
    read(session, 9, arxiv="2603.00004", title="Elsewhere", source="mirror")
    mine = next(p.id for p in recent_papers(session) if p.title == "Learning to Wait")
    around = signals_around(session, [mine])
    assert [(s.source, s.attention.upvotes) for s in around] == [
        ("huggingface", 5),
        ("huggingface", 50),
    ]
    assert signals_around(session, []) == []
    assert signals_around(session, [PaperId(10**6)]) == []


def test_the_day_of_a_listing():
    fetched = datetime(2026, 3, 12, 23, 30, tzinfo=UTC)

    def day(batch_on=None, **changes):
        batch = a_batch(fetched_at=fetched, batch_on=batch_on)
        return listing_day(batch, a_listing(**{"listed_on": None} | changes))

    published = {"published_on": date(2026, 2, 1)}
    assert day() == DAY
    assert day(**published) == date(2026, 2, 1)
    assert day(listed_on=date(2026, 3, 11), **published) == date(2026, 3, 11)
    assert day(date(2026, 3, 1), listed_on=date(2026, 3, 11)) == date(2026, 3, 1)
    assert day(listed_on=date(9999, 12, 31)) == DAY  # a mistake, not a day
    assert day(listed_on=date(2026, 3, 13)) == date(2026, 3, 13)  # already so east of here


def test_the_day_of_the_fetch_is_its_day_in_utc():
    from zoneinfo import ZoneInfo

    local = datetime(2026, 3, 13, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert listing_day(a_batch(fetched_at=local), a_listing(listed_on=None)) == DAY
