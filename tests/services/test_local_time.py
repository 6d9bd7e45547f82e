"""What a store keeps of time, when zones, hosts and clocks change under it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from digest.domain.deliveries import State
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import Preferences, Status, Subscriber
from digest.services import subscribe
from digest.services.collect import keep
from digest.services.compose import Composed, Composer, Policy, Who
from digest.store import subscribers
from digest.store.database import reading, transaction
from digest.store.ledger_read import list_deliveries
from digest.store.subscribers import NewSubscriber, add_many
from tests.builders import NOON, a_batch, a_listing, some_interests

TODAY = date(2026, 3, 12)
DAY = timedelta(days=1)
POLICY = Policy(lookback_days=7, threshold=0.25, domain="papers.example", secret="s" * 32)


@pytest.fixture
def town(engine: Engine) -> Engine:
    """A store with papers enough for some days."""
    listings = [a_listing(f"Continual learning, part {n}") for n in range(30)]
    early = NOON - 2 * DAY
    keep(engine, a_batch(*listings, fetched_at=early), early)
    return engine


def _add(engine: Engine, email: str, **schedule: Any) -> None:
    wanted = Preferences(schedule=Schedule(**schedule), max_papers=2)
    new = NewSubscriber(
        email=email,
        status=Status.ACTIVE,
        interests=some_interests("continual learning"),
        preferences=wanted,
        next_digest_at=NOON,
    )
    with transaction(engine) as session:
        add_many(session, [new], NOON)


def _sql(engine: Engine, statement: str, **values: object) -> None:
    with transaction(engine) as session:
        session.execute(text(statement), values)


def _move(engine: Engine, email: str, now: datetime, **schedule: Any) -> Subscriber:
    wanted = Preferences(schedule=Schedule(**schedule), max_papers=2)
    with transaction(engine) as session:
        who = subscribers.by_email(session, email).id
        return subscribe.edit(session, who, preferences=wanted, now=now)


def _compose(engine: Engine, now: datetime) -> Composed:
    return Composer(engine, POLICY).compose(Who(), now)


def _ada(engine: Engine) -> Subscriber:
    with reading(engine) as session:
        return subscribers.by_email(session, "ada@example.com")


def _dates(engine: Engine, state: State = State.QUEUED) -> Sequence[date | None]:
    with reading(engine) as session:
        found = list_deliveries(session, limit=0)
    return sorted(row.digest_on for row in found if row.digest_on and row.state is state)


def test_unknown_zone_is_an_error_for_its_reader_alone(town: Engine) -> None:
    _add(town, "ada@example.com")
    _add(town, "eve@example.com")
    _sql(town, "UPDATE subscribers SET timezone = 'Mars/Base' WHERE email LIKE 'eve%'")
    done = _compose(town, NOON)
    assert (done.composed, [email for email, _ in done.failed]) == (1, ["eve@example.com"])
    assert "'Mars/Base' is unknown to this host" in done.failed[0][1]
    assert "tzdata" in done.failed[0][1]


def test_reader_of_a_zone_that_was_unknown_gets_todays_digest_once_it_is_known(
    town: Engine,
) -> None:
    _add(town, "ada@example.com")
    _sql(town, "UPDATE subscribers SET timezone = 'Mars/Base'")
    assert _compose(town, NOON).composed == 0
    _sql(town, "UPDATE subscribers SET timezone = 'Europe/Paris'")
    assert _compose(town, NOON + timedelta(hours=1)).composed == 1
    assert _dates(town) == [TODAY]


def test_unknown_zone_keeps_its_name_when_something_else_is_changed(town: Engine) -> None:
    _add(town, "ada@example.com")
    _sql(town, "UPDATE subscribers SET timezone = 'Mars/Base'")
    with transaction(town) as session:
        interests = some_interests("tea")
        subscribe.edit(session, _ada(town).id, interests=interests, now=NOON)
    assert _ada(town).preferences.schedule.zone_name == "Mars/Base"
    assert _move(town, "ada@example.com", NOON).preferences.schedule.zone_name == "UTC"


def test_move_to_the_west_names_the_first_date_that_has_no_digest_yet(town: Engine) -> None:
    _add(town, "ada@example.com", timezone="Pacific/Auckland", hour=0)
    _compose(town, NOON)  # the 13th there
    assert _dates(town) == [TODAY + DAY]
    hour_ago = NOON - timedelta(hours=1)
    moved = _move(town, "ada@example.com", hour_ago, timezone="America/New_York", hour=8)
    # the 12th there has no digest and its hour comes; then the 14th, for the 13th has one
    assert moved.next_digest_at == NOON
    _compose(town, NOON)
    moved = _move(town, "ada@example.com", NOON, timezone="America/New_York", hour=9)
    assert moved.next_digest_at == NOON + 2 * DAY + timedelta(hours=1)
    assert _dates(town) == [TODAY, TODAY + DAY]


@pytest.mark.parametrize("ahead", [timedelta(days=400), timedelta(days=20)])
def test_clock_that_was_far_ahead_silences_nobody(town: Engine, ahead: timedelta) -> None:
    _add(town, "ada@example.com")
    _compose(town, NOON)
    _compose(town, NOON + ahead)  # a host with an empty battery
    assert (_ada(town).next_digest_at or NOON) > NOON + ahead
    _compose(town, NOON + timedelta(hours=2))
    # the wrong clock called the 13th late
    assert _ada(town).next_digest_at == NOON + 2 * DAY - timedelta(hours=4)
    for days in range(1, 4):
        _compose(town, NOON + days * DAY)
    assert _dates(town) == [TODAY, TODAY + 2 * DAY, TODAY + 3 * DAY]


def test_weekly_reader_is_dated_no_farther_than_believed(town: Engine) -> None:
    _add(town, "ada@example.com", frequency=Frequency.WEEKLY, weekday=3, hour=8)
    _compose(town, NOON)
    before = _ada(town).next_digest_at
    _compose(town, NOON - 2 * DAY)  # a host two days behind changes nothing
    assert _ada(town).next_digest_at == before == NOON + 7 * DAY - timedelta(hours=4)
