"""The daemon's daily pruning: in the quiet hour, once, and stopped when it is told to stop."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.app import App
from digest.daemon.jobs import JOBS
from digest.daemon.pruning import LOOK_S, Pruning
from digest.domain.subscribers import Channel
from digest.services.subscribe import subscribe
from digest.settings import load
from digest.store.database import reading, transaction
from digest.store.subscribers import status_counts
from tests.commands import Desk

START = datetime(2026, 3, 12, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(desk: Desk, clock: Clock) -> App:
    return App(load(), clock)


def never(app: App) -> None:
    """Somebody who was asked to confirm forty days ago, whose mail was given up."""
    with transaction(app.engine) as session:
        at = app.clock() - timedelta(days=40)
        email = f"never{at.timestamp():.0f}@example.com"
        person = subscribe(session, email, channel=Channel.FORM, now=at, keys=app.keys)
        session.connection().exec_driver_sql("UPDATE deliveries SET state = 'failed'")
        assert person.id


def people(app: App) -> int:
    with reading(app.engine) as session:
        return sum(status_counts(session).values())


def test_it_is_one_of_the_daemons_jobs() -> None:
    (job,) = [job for job in JOBS if job.name == "prune"]
    assert timedelta(seconds=LOOK_S) < HOUR
    assert [name for name, _ in job.steps] == ["prune"]


def test_it_prunes_in_the_quiet_hour_of_each_day_and_in_no_other(app: App, clock: Clock) -> None:
    pruning, hours = Pruning(), []
    pruning(app, lambda: False)
    while clock.now < START + timedelta(days=3):
        clock.now += HOUR / 2
        never(app)
        pruning(app, lambda: False)
        if not people(app):
            hours.append(clock.now.hour)
    assert hours == [13, 3, 3, 3]


def test_a_machine_that_sleeps_at_that_hour_prunes_when_it_wakes(app: App, clock: Clock) -> None:
    pruning = Pruning()
    pruning(app, lambda: False)
    clock.now += timedelta(days=2, hours=1)
    never(app)
    pruning(app, lambda: False)
    assert people(app) == 0


def test_the_hour_is_a_setting(
    app: App, clock: Clock, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_RETENTION__HOUR", "15")
    moved, pruning = App(load(), clock), Pruning()
    pruning(moved, lambda: False)
    clock.now += timedelta(hours=1)
    pruning(moved, lambda: False)
    never(moved)
    clock.now += timedelta(hours=2, minutes=5)
    pruning(moved, lambda: False)
    assert people(moved) == 0


def test_a_daemon_told_to_stop_stops_between_two_parts(app: App, clock: Clock) -> None:
    pruning = Pruning()
    pruning(app, lambda: False)
    clock.now += timedelta(days=1)
    never(app)
    asked = []

    def stop() -> bool:
        asked.append(None)
        return True

    pruning(app, stop)
    assert (people(app), len(asked)) == (1, 1)
