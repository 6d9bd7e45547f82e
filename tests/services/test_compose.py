"""Composing: who is due gets one row a date, and nothing is picked that must not be."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from digest.domain.deliveries import Delivery, State
from digest.domain.digests import Digest, SkipReason
from digest.domain.interests import interest
from digest.domain.papers import Alias, Scheme
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import EmptyDay, Preferences, Status
from digest.ranking.edition import EditionRanker
from digest.services import subscribe
from digest.services.collect import keep
from digest.services.compose import ComposedDigest, Composer, Policy, Who
from digest.services.subscribe import Keys
from digest.store import subscribers
from digest.store.contents import paper_ids
from digest.store.database import open_engine, reading, transaction
from digest.store.ledger_read import list_deliveries
from digest.store.subscribers import NewSubscriber, add_many
from tests.builders import NOON, a_batch, a_listing, attention, some_interests

TODAY = date(2026, 3, 12)
KEYS = Keys(pepper="p" * 32, secret="s" * 32, domain="papers.example")
POLICY = Policy(lookback_days=7, threshold=0.25, domain="papers.example", secret="s" * 32)


def _composer(engine: Engine) -> Composer:
    return Composer(engine, POLICY)


def _papers(engine: Engine, *titles: str, at: datetime = NOON - timedelta(hours=1)) -> None:
    keep(engine, a_batch(*(a_listing(title) for title in titles), fetched_at=at), at)


def _reader(engine: Engine, email: str, *phrases: str, **changes: Any) -> None:
    values: dict[str, Any] = {
        "status": Status.ACTIVE,
        "interests": some_interests(*phrases),
        "preferences": Preferences(schedule=Schedule(hour=8)),
        "next_digest_at": NOON - timedelta(hours=4),
    }
    with transaction(engine) as session:
        add_many(session, [NewSubscriber(email=email, **values | changes)], NOON)


def _rows(engine: Engine, email: str = "") -> list[Delivery]:
    with reading(engine) as session:
        found = list_deliveries(session, limit=0)
    return [row for row in reversed(found) if not email or row.email == email]


def _titles(engine: Engine, row: Delivery) -> list[str]:
    from digest.store.papers import papers_by_id

    with reading(engine) as session:
        papers = papers_by_id(session, paper_ids(row.picks))
    return [papers[number].title for number in paper_ids(row.picks)]


def test_due_reader_gets_what_matches_and_the_next_instant(engine: Engine) -> None:
    _papers(engine, "Continual learning for robots", "A survey of tea")
    _reader(engine, "ada@example.com", "continual learning")
    done = _composer(engine).compose(Who(), NOON)
    (row,) = _rows(engine)
    assert (done.due, done.composed, done.papers) == (1, 1, 2)
    assert (row.state, row.digest_on) == (State.QUEUED, TODAY)
    assert _titles(engine, row) == ["Continual learning for robots"]
    with reading(engine) as session:
        ada = subscribers.by_email(session, "ada@example.com")
    assert ada.next_digest_at == NOON + timedelta(hours=20)
    assert _composer(engine).compose(Who(), NOON + timedelta(minutes=1)).due == 0


def test_excluded_never_comes_not_even_in_the_trending_list(engine: Engine) -> None:
    _papers(engine, "Continual learning surveyed", "Continual learning: a survey", "Tea survey")
    never = interest("survey", excluded=True)
    wanted = some_interests("continual learning")
    _reader(engine, "ada@example.com", interests=(*wanted, never))
    _reader(engine, "bob@example.com", interests=(never,))
    _composer(engine).compose(Who(), NOON)
    for row in _rows(engine):
        assert _titles(engine, row) == ["Continual learning surveyed"]


def test_good_paper_that_found_no_room_comes_the_next_day_and_none_twice(engine: Engine) -> None:
    _papers(engine, *(f"Continual learning, part {n}" for n in range(5)))
    _reader(
        engine,
        "ada@example.com",
        "continual learning",
        preferences=Preferences(schedule=Schedule(hour=8), max_papers=2, empty_day=EmptyDay.SKIP),
    )
    composer = _composer(engine)
    for days in range(4):
        composer.compose(Who(), NOON + timedelta(days=days))
    rows = _rows(engine)
    assert [len(paper_ids(row.picks)) for row in rows] == [2, 2, 1, 0]
    assert len({paper for row in rows for paper in paper_ids(row.picks)}) == 5
    assert (rows[3].state, rows[3].reason) == (State.SKIPPED, SkipReason.NO_PAPERS)


def test_replaced_version_and_other_spelling_are_not_sent_again(engine: Engine) -> None:
    first = a_listing("Few-shot learning of tea", arxiv="2603.00001")
    keep(engine, a_batch(first), NOON - timedelta(hours=1))
    _reader(engine, "ada@example.com", "few-shot learning")
    composer = _composer(engine)
    composer.compose(Who(), NOON)
    again = [
        a_listing("Few-Shot Learning of Tea, Revised", arxiv="2603.00001"),
        a_listing("FEW SHOT LEARNING OF TEA"),
    ]
    keep(engine, a_batch(*again, source="arxiv"), NOON + timedelta(hours=3))
    composer.compose(Who(), NOON + timedelta(days=1))
    assert [row.state for row in _rows(engine)] == [State.QUEUED, State.SKIPPED]


def test_paper_older_than_the_lookback_is_no_candidate(engine: Engine) -> None:
    _papers(engine, "Continual learning, old", at=NOON - timedelta(days=8))
    _papers(engine, "Continual learning, new")
    _reader(engine, "ada@example.com", "continual learning")
    _composer(engine).compose(Who(), NOON)
    assert _titles(engine, _rows(engine)[0]) == ["Continual learning, new"]


def test_new_interest_matches_what_the_store_already_holds(engine: Engine) -> None:
    _papers(engine, "Continual learning", at=NOON - timedelta(days=6))
    _reader(engine, "ada@example.com", "continual learning")
    _composer(engine).compose(Who(), NOON)
    assert _titles(engine, _rows(engine)[0]) == ["Continual learning"]


@pytest.mark.parametrize(
    ("empty_day", "state"), [(EmptyDay.SKIP, State.SKIPPED), (EmptyDay.TRENDING, State.QUEUED)]
)
def test_day_without_matches_is_what_the_reader_chose(
    engine: Engine, empty_day: EmptyDay, state: State
) -> None:
    _papers(engine, "A survey of tea")
    preferences = Preferences(schedule=Schedule(hour=8), empty_day=empty_day)
    _reader(engine, "ada@example.com", "quantum gravity", preferences=preferences)
    seen: list[ComposedDigest] = []
    _composer(engine).compose(Who(), NOON, each=seen.append)
    assert _rows(engine)[0].state is state
    if isinstance(seen[0].content, Digest):
        assert seen[0].content.trending_only


def test_reader_without_interests_gets_what_trends_first(engine: Engine) -> None:
    listings = [
        a_listing(f"Paper {n}", attention=attention(upvotes=n * 10)) for n in (1, 5, 3, 2, 4)
    ]
    keep(engine, a_batch(*listings), NOON - timedelta(hours=1))
    preferences = Preferences(schedule=Schedule(hour=8), max_papers=3)
    _reader(engine, "ada@example.com", preferences=preferences)
    _composer(engine).compose(Who(), NOON)
    assert _titles(engine, _rows(engine)[0]) == ["Paper 5", "Paper 4", "Paper 3"]


def test_one_readers_fault_stops_nobody_else_and_is_named(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _papers(engine, "Continual learning")
    for name in ("ada", "bad", "eve"):
        _reader(engine, f"{name}@example.com", "continual learning")
    honest = EditionRanker.digests_for

    def faulty(self: EditionRanker, some: Any, *rest: Any) -> Any:
        if any(one.email.startswith("bad") for one in some):
            raise ZeroDivisionError("planted")
        return honest(self, some, *rest)

    monkeypatch.setattr(EditionRanker, "digests_for", faulty)
    done = _composer(engine).compose(Who(), NOON)
    assert (done.composed, done.failed) == (
        2,
        [("bad@example.com", "ZeroDivisionError: planted")],
    )
    monkeypatch.setattr(EditionRanker, "digests_for", honest)
    assert _composer(engine).compose(Who(), NOON).composed == 1


def test_two_composers_at_once_write_each_date_once(engine: Engine) -> None:
    _papers(engine, "Continual learning")
    for n in range(30):
        _reader(engine, f"reader{n}@example.com", "continual learning")
    composers = [_composer(engine) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda composer: composer.compose(Who(), NOON), composers))
    assert sum(one.composed for one in done) == 30
    assert len(_rows(engine)) == 30


@pytest.mark.postgres
def test_composing_passes_over_who_is_held_elsewhere_and_waits_for_nobody(
    postgres_url: str,
) -> None:
    engine = open_engine(postgres_url)
    _papers(engine, "Continual learning")
    for name in ("ada", "bob"):
        _reader(engine, f"{name}@example.com", "continual learning")
    with transaction(engine) as other:
        assert subscribers.find_by_email(other, "ada@example.com", lock=True)
        assert _composer(engine).compose(Who(), NOON).composed == 1
    assert _composer(engine).compose(Who(), NOON).composed == 1
    engine.dispose()


def test_dated_composing_is_for_those_whose_schedule_chooses_the_date(engine: Engine) -> None:
    _papers(engine, "Continual learning")
    sunday = date(2026, 3, 15)
    for name, frequency, weekday in (
        ("daily", Frequency.DAILY, 0),
        ("weekdays", Frequency.WEEKDAYS, 0),
        ("monday", Frequency.WEEKLY, 0),
        ("sunday", Frequency.WEEKLY, 6),
    ):
        schedule = Schedule(hour=23, frequency=frequency, weekday=weekday)
        preferences = Preferences(schedule=schedule)
        _reader(engine, f"{name}@example.com", "learning", preferences=preferences)
    composer = _composer(engine)
    done = composer.compose(Who(digest_on=sunday), NOON)
    assert (done.due, done.composed) == (2, 2)
    assert {row.email for row in _rows(engine)} == {"daily@example.com", "sunday@example.com"}
    assert composer.compose(Who(digest_on=sunday), NOON).due == 0


def test_only_replaces_a_skip_and_never_a_digest(engine: Engine) -> None:
    _reader(engine, "ada@example.com", "continual learning")
    composer = _composer(engine)
    composer.compose(Who(), NOON)
    assert _rows(engine)[0].state is State.SKIPPED
    _papers(engine, "Continual learning", at=NOON + timedelta(minutes=1))
    only = Who(only=("ada@example.com",))
    assert composer.compose(only, NOON + timedelta(minutes=2)).composed == 1
    (row,) = _rows(engine)
    assert row.state is State.QUEUED
    again = composer.compose(only, NOON + timedelta(minutes=3))
    assert (again.composed, again.already) == (0, 1)
    assert _rows(engine) == [row]


def test_paused_reader_is_refused_by_name_and_the_others_go_on(engine: Engine) -> None:
    _papers(engine, "Continual learning")
    _reader(engine, "ada@example.com", "learning")
    _reader(engine, "bob@example.com", status=Status.PAUSED, next_digest_at=None)
    done = _composer(engine).compose(Who(only=("bob@example.com", "ada@example.com")), NOON)
    assert done.composed == 1
    assert done.failed == [("bob@example.com", "bob@example.com is paused: no digest for it")]


def test_who_was_erased_or_rescheduled_meanwhile_is_left_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _papers(engine, "Continual learning")
    for name in ("ada", "gone", "moved"):
        _reader(engine, f"{name}@example.com", "continual learning")
    evening = Schedule(hour=20)

    def meanwhile(self: EditionRanker, _interests: Any) -> None:
        with transaction(engine) as session:
            gone = subscribers.by_email(session, "gone@example.com")
            subscribe.erase(session, gone.id, now=NOON, keys=KEYS)
            moved = subscribers.by_email(session, "moved@example.com")
            wanted = Preferences(schedule=evening)
            subscribe.edit(session, moved.id, preferences=wanted, now=NOON)

    monkeypatch.setattr(EditionRanker, "learn", meanwhile)
    assert _composer(engine).compose(Who(), NOON).composed == 1
    assert [row.email for row in _rows(engine)] == ["ada@example.com"]
    with reading(engine) as session:
        moved = subscribers.by_email(session, "moved@example.com")
    assert moved.next_digest_at == NOON + timedelta(hours=8)


def test_papers_united_while_an_edition_lasts_are_not_sent_again(engine: Engine) -> None:
    named = a_listing("Continual learning for robots", arxiv="2603.00001")
    by_doi = a_listing(
        "Robots that learn continually", aliases=(Alias(scheme=Scheme.DOI, value="10.5555/1"),)
    )
    keep(engine, a_batch(named), NOON - timedelta(hours=2))
    keep(engine, a_batch(by_doi), NOON - timedelta(hours=1))
    preferences = Preferences(schedule=Schedule(hour=8), max_papers=1, empty_day=EmptyDay.SKIP)
    _reader(engine, "ada@example.com", "robots", preferences=preferences)
    composer = _composer(engine)
    composer.compose(Who(), NOON)
    both = (*named.aliases, *by_doi.aliases)
    keep(engine, a_batch(replace(named, aliases=both)), NOON + timedelta(minutes=5))
    tomorrow = Who(digest_on=TODAY + timedelta(days=1))
    composer.compose(tomorrow, NOON + timedelta(minutes=6))
    assert [row.state for row in _rows(engine)] == [State.QUEUED, State.SKIPPED]
