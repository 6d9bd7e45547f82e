"""Virtual weeks: three daemons and nine zones, and each reader gets one digest per local date."""

import os
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from digest.mail.sink import Sink
from tests.acceptance.town import Reader, Town, expected
from tests.commands import Desk

ZONES = (
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/New_York",
    "Europe/Berlin",
    "UTC",
)
FREQUENCIES = ("daily", "weekdays", "weekly")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TICK = timedelta(minutes=30)
BERLIN_FORWARD = datetime(2026, 3, 27, tzinfo=UTC)
WEEKS = (
    "2026-03-04",  # New York forward on the 8th
    "2026-03-27",  # Berlin and Troll forward on the 29th, Lord Howe back on April 5th
    "2026-10-23",  # Berlin and Troll back on the 25th, New York on November 1st
)
# Weeks differ by their calendar alone, which no engine knows: PostgreSQL has all of them in a soak.
ALL_ON_POSTGRES = int(os.environ.get("DIGEST_FAULTS_DELIVERIES", "0")) >= 10_000


def _few() -> list[Reader]:
    """Two in each zone, all at about 1:00 UTC, so that few ticks have something to do."""
    found = []
    for place, zone in enumerate(ZONES):
        hour = (BERLIN_FORWARD + HOUR).astimezone(ZoneInfo(zone)).hour
        found.append(Reader(f"{_name(zone)}0", zone, hour))
        often = FREQUENCIES[1 + place % 2]
        found.append(Reader(f"{_name(zone)}1", zone, hour, often, place % 7))
    return found


def _many() -> list[Reader]:
    """In each zone all frequencies, and hours all round the clock; the first of each is daily at 2,
    which Berlin and New York have twice one day, and not at all on another.
    """
    found = []
    for place, zone in enumerate(ZONES):
        found.append(Reader(f"{_name(zone)}0", zone, 2))
        for n in range(1, 6):
            hour = (5 * place + 7 * n) % 24
            often = FREQUENCIES[n % 3]
            found.append(Reader(f"{_name(zone)}{n}", zone, hour, often, (place + n) % 7))
    return found


def _name(zone: str) -> str:
    return zone.rpartition("/")[2].lower().replace("_", "")


@pytest.fixture(autouse=True)
def _plain_ranking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_RANKING__TIER", "core")  # no weights: when mail comes is the matter


def _judge(town: Town) -> None:
    """Everybody got what the calendar says, in one mail each, and no paper twice."""
    rows = town.sent_rows()
    wanted = {reader.email: expected(town, reader) for reader in town.readers}
    found = Counter(rows.values())
    assert found == Counter((email, day) for email, one in wanted.items() for day in one.mails)
    late = Counter(
        (email, day, "skipped late") for email, one in wanted.items() for day in one.late
    )
    assert town.other_rows() == late
    assert Counter(one.message_id for one in town.arrivals) == Counter(list(rows))
    papers: defaultdict[str, list[int]] = defaultdict(list)
    for one in town.arrivals:
        email, day = rows[one.message_id]
        assert one.mail.recipient == email
        due = wanted[email].mails[day]
        assert due.at <= one.look.at <= due.at + TICK, (email, day)
        papers[email] += one.papers
    for email, numbers in papers.items():
        assert numbers and max(Counter(numbers).values()) == 1, (email, numbers)


@pytest.mark.slow
def test_week_of_three_daemons_and_nine_zones_brings_one_digest_per_local_date(
    desk: Desk, sink: Sink
) -> None:
    town = Town(desk, sink, _few(), BERLIN_FORWARD)
    _, bert, carl = town.hosts
    town.run(town.start + 2 * DAY + HOUR, all_each=0)
    town.crash(bert)
    carl.up = False
    town.run(town.start + 4 * DAY, all_each=0)
    carl.up = True
    town.run(town.start + 7 * DAY, all_each=0)
    _judge(town)


@pytest.mark.slow
@pytest.mark.parametrize("start", WEEKS)
def test_weeks_of_crashes_sleep_and_wrong_clocks_bring_one_digest_per_local_date(
    desk: Desk, sink: Sink, start: str
) -> None:
    _hard_week(desk, sink, start)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("start", WEEKS if ALL_ON_POSTGRES else WEEKS[1:2])
def test_the_same_weeks_on_postgresql(
    desk: Desk, sink: Sink, postgres_url: str, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    monkeypatch.setenv("DIGEST_STORE__URL", postgres_url)
    _hard_week(desk, sink, start)


def _hard_week(desk: Desk, sink: Sink, start: str) -> None:
    """Each half hour somebody looks, and every two hours all who are up do, one after another."""
    town = Town(desk, sink, _many(), datetime.fromisoformat(start).replace(tzinfo=UTC))
    anna, bert, carl = town.hosts
    town.run(town.start + 2 * DAY + 7 * HOUR)
    town.crash(bert)
    carl.up = False  # sleeps for 30 hours, and nobody notices
    town.run(town.start + 3 * DAY + 13 * HOUR)
    carl.up = True
    town.run(town.start + 4 * DAY)
    anna.wrong, carl.wrong = -3 * HOUR, 2 * HOUR
    town.run(town.start + 5 * DAY)
    anna.wrong = carl.wrong = timedelta()
    town.run(town.start + 6 * DAY + 10 * HOUR)
    town.now += 30 * HOUR  # all of them sleep: this is noticed
    town.run(town.start + 9 * DAY + 12 * HOUR)
    _judge(town)
