"""One digest per local date, whatever zones, people and clocks do: the rules played through.

A reader here has a ledger of dates and the instant of the next look, as in the store; what plays is
the schedule alone.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.domain.schedule import (
    Frequency,
    Schedule,
    due_dates,
    first_due,
    instant_on,
    is_chosen,
    local_date,
    next_after,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HALF = timedelta(minutes=30)
# zones with every kind of change: at midnight, by half an hour, by two hours, across the date line
RESTLESS = (
    *("Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe"),
    *("Antarctica/Troll", "America/Asuncion", "America/Santiago", "Asia/Beirut", "Africa/Cairo"),
    *("Pacific/Apia", "Pacific/Kiritimati", "America/Nuuk", "Atlantic/Azores", "Asia/Kathmandu"),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def on(text: str) -> date:
    return date.fromisoformat(text)


@dataclass
class Reader:
    """What the store would hold: the plan, the mails by date, the dates that were late."""

    schedule: Schedule
    next_at: datetime
    mails: dict[date, datetime] = field(default_factory=dict)
    late: list[date] = field(default_factory=list)

    def look(self, now: datetime) -> None:
        """One tick of a daemon that believes it is `now`."""
        if self.next_at > now:
            return
        found = due_dates(self.schedule, self.next_at, now)
        rows = self.rows()
        if found.late_on and found.late_on not in rows:
            self.late.append(found.late_on)
        if found.digest_on and found.digest_on not in rows:
            self.mails[found.digest_on] = now
        self.next_at = found.next_at

    def change(self, schedule: Schedule, now: datetime) -> None:
        """Another zone, hour or frequency, as the preferences page sets it."""
        self.schedule, rows = schedule, self.rows()
        today = local_date(schedule, now)
        self.next_at = first_due(schedule, now, has_row_today=today in rows, taken=rows)

    def rows(self) -> set[date]:
        return {*self.mails, *self.late}


def joined(now: str, **schedule: object) -> Reader:
    wanted = Schedule(**schedule)  # type: ignore[arg-type]
    return Reader(wanted, first_due(wanted, at(now), has_row_today=False))


def watch(reader: Reader, start: str, until: str, every: timedelta = HALF) -> None:
    now = at(start)
    while now < at(until):
        reader.look(now)
        now += every


def span(first: str, last: str) -> list[date]:
    return [on(first) + n * DAY for n in range((on(last) - on(first)).days + 1)]


@pytest.mark.parametrize(
    ("zone", "hour", "start", "until", "day", "mailed"),
    [
        # no 2:00 on this date: it comes at 3:00
        ("Europe/Berlin", 2, "2026-03-28", "2026-03-31", "2026-03-29", "2026-03-29T01:00"),
        ("America/New_York", 2, "2026-03-07", "2026-03-10", "2026-03-08", "2026-03-08T07:00"),
        # clocks jump by two hours, so 2:00 is 4:00
        ("Antarctica/Troll", 2, "2026-03-28", "2026-03-31", "2026-03-29", "2026-03-29T02:00"),
        # no midnight: the date begins with 1:00
        ("Asia/Beirut", 0, "2026-03-28", "2026-03-31", "2026-03-29", "2026-03-28T22:00"),
        ("America/Santiago", 0, "2026-09-05", "2026-09-08", "2026-09-06", "2026-09-06T04:00"),
        # 2:00 and 1:00 twice: the first
        ("Europe/Berlin", 2, "2026-10-24", "2026-10-27", "2026-10-25", "2026-10-25T00:00"),
        ("America/New_York", 1, "2026-10-31", "2026-11-03", "2026-11-01", "2026-11-01T05:00"),
        # 23:00 twice, as midnight falls back to it: the first
        ("Asia/Beirut", 23, "2026-10-23", "2026-10-26", "2026-10-24", "2026-10-24T20:00"),
        ("America/Santiago", 23, "2026-04-03", "2026-04-06", "2026-04-04", "2026-04-05T02:00"),
        # a leap day, and the turn of a year
        ("Asia/Kathmandu", 6, "2028-02-27", "2028-03-02", "2028-02-29", "2028-02-29T00:30"),
        ("Pacific/Kiritimati", 0, "2026-12-30", "2027-01-02", "2027-01-01", "2026-12-31T10:00"),
    ],
)
def test_gap_fold_leap_day_and_new_year_bring_one_mail_each(
    zone: str, hour: int, start: str, until: str, day: str, mailed: str
) -> None:
    reader = joined(start, timezone=zone, hour=hour)
    watch(reader, start, until)
    assert reader.mails[on(day)] == at(mailed)
    days = sorted(reader.mails)
    assert days == [days[0] + n * DAY for n in range(len(days))] and not reader.late


def test_asuncion_without_midnight_has_its_digest_at_one() -> None:
    # Paraguay's clocks changed at midnight until it kept summer time for good in October 2024
    reader = joined("2023-09-29T04:00", timezone="America/Asuncion", hour=0)
    watch(reader, "2023-09-29T04:00", "2023-10-03T02:30")
    assert sorted(reader.mails) == span("2023-09-29", "2023-10-02")
    assert reader.mails[on("2023-10-01")] == at("2023-10-01T04:00")


def test_date_that_apia_skipped_has_neither_mail_nor_late_row() -> None:
    reader = joined("2011-12-28T00:00", timezone="Pacific/Apia", hour=8)
    watch(reader, "2011-12-28T00:00", "2012-01-02T00:00")
    assert sorted(reader.mails) == [
        *span("2011-12-27", "2011-12-29"),
        *span("2011-12-31", "2012-01-02"),
    ]
    assert not reader.late


def test_a_weekday_that_apia_skipped_is_not_made_up_for() -> None:
    # 2011-12-30 was a Friday
    weekly = joined(
        "2011-12-20T00:00",
        timezone="Pacific/Apia",
        hour=8,
        frequency=Frequency.WEEKLY,
        weekday=4,
    )
    watch(weekly, "2011-12-20T00:00", "2012-01-10T00:00")
    assert sorted(weekly.mails) == [on("2011-12-23"), on("2012-01-06")]


def test_move_to_the_west_after_todays_digest_brings_no_second_one_for_that_date() -> None:
    reader = joined("2026-05-03T00:00", timezone="Pacific/Auckland", hour=8)
    watch(reader, "2026-05-03T00:00", "2026-05-05T22:00")
    assert max(reader.mails) == on("2026-05-06")  # Auckland's date
    away = Schedule(timezone="America/New_York", hour=8)
    reader.change(away, at("2026-05-05T22:00"))  # there it is the 5th, which has its mail
    assert reader.next_at == at("2026-05-07T12:00")  # neither the 5th nor the 6th again
    watch(reader, "2026-05-05T22:00", "2026-05-09T00:00")
    assert sorted(reader.mails) == span("2026-05-03", "2026-05-08")


def test_move_to_the_east_brings_the_new_date_at_once_when_its_hour_has_passed() -> None:
    reader = joined("2026-05-04T00:00", timezone="America/New_York", hour=8)
    watch(reader, "2026-05-04T00:00", "2026-05-05T21:00")
    east = Schedule(timezone="Pacific/Auckland", hour=8)
    reader.change(east, at("2026-05-05T21:00"))  # the 6th there, 9:00
    assert reader.next_at == at("2026-05-05T21:00")
    watch(reader, "2026-05-05T21:00", "2026-05-08T00:00")
    assert sorted(reader.mails) == span("2026-05-03", "2026-05-08")


def test_move_to_the_east_before_its_hour_waits_for_it() -> None:
    reader = joined("2026-05-04T00:00", timezone="America/New_York", hour=8)
    watch(reader, "2026-05-04T00:00", "2026-05-05T14:00")
    reader.change(Schedule(timezone="Pacific/Auckland", hour=8), at("2026-05-05T14:00"))
    assert reader.next_at == at("2026-05-05T20:00")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"hour": 20}, "2026-05-06T20:00"),  # today has its mail: a later hour brings no second
        ({"hour": 6}, "2026-05-06T06:00"),
        ({"frequency": Frequency.WEEKDAYS}, "2026-05-06T08:00"),
        ({"frequency": Frequency.WEEKLY, "weekday": 1}, "2026-05-12T08:00"),  # today is a Tuesday
        ({"frequency": Frequency.WEEKLY, "weekday": 0}, "2026-05-11T08:00"),
    ],
)
def test_another_hour_or_frequency_counts_from_the_next_date_on(
    changes: dict[str, object], expected: str
) -> None:
    reader = joined("2026-05-05T08:00")
    reader.look(at("2026-05-05T08:00"))
    reader.change(replace(reader.schedule, **changes), at("2026-05-05T12:00"))  # type: ignore[arg-type]
    assert reader.next_at == at(expected)


def test_clock_set_back_over_midnight_brings_no_second_mail() -> None:
    reader = joined("2026-05-05T00:00", hour=0)
    watch(reader, "2026-05-05T00:00", "2026-05-07T01:00")
    watch(reader, "2026-05-06T22:00", "2026-05-09T00:00")  # three hours back
    assert sorted(reader.mails) == span("2026-05-05", "2026-05-08") and not reader.late


def test_clock_two_days_ahead_mails_one_date_early_and_none_twice() -> None:
    reader = joined("2026-05-05T00:00", hour=8)
    watch(reader, "2026-05-05T00:00", "2026-05-05T12:00")
    reader.look(at("2026-05-07T12:00"))  # two days ahead, for one look
    watch(reader, "2026-05-05T12:30", "2026-05-10T00:00")
    assert sorted(reader.mails) == [on("2026-05-05"), *span("2026-05-07", "2026-05-09")]
    assert reader.late == [on("2026-05-06")]


def test_zone_whose_offset_changed_since_is_asked_again_at_the_planned_instant() -> None:
    # planned for 8:00 by rules that were an hour off: it is 7:00 only
    wanted = Schedule(timezone="Europe/Paris", hour=8)
    planned = at("2026-05-05T05:00")
    found = due_dates(wanted, planned, planned)
    assert (found.late_on, found.digest_on, found.next_at) == (None, None, planned + HOUR)


def test_changed_offset_moves_no_weekly_digest_to_another_day() -> None:
    wanted = Schedule(timezone="Europe/Paris", hour=0, frequency=Frequency.WEEKLY, weekday=0)
    sunday = at("2026-05-03T21:00")  # planned as Monday 0:00 by rules an hour off: Sunday 23:00
    found = due_dates(wanted, sunday, sunday)
    assert (found.late_on, found.digest_on, found.next_at) == (None, None, sunday + HOUR)
    asleep = due_dates(wanted, sunday, at("2026-05-05T12:00"))
    assert asleep.late_on == on("2026-05-04")  # Monday was slept past, not Sunday


@pytest.mark.parametrize(
    ("old", "new"),
    [("Asia/Calcutta", "Asia/Kolkata"), ("Europe/Kiev", "Europe/Kyiv"), ("US/Eastern", None)],
)
def test_renamed_zone_goes_on_under_its_old_name(old: str, new: str | None) -> None:
    day = on("2026-07-01")
    today = instant_on(Schedule(timezone=old), day)
    assert today == instant_on(Schedule(timezone=new or "America/New_York"), day)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(RESTLESS),
    hour=st.integers(0, 23),
    month=st.integers(0, 12 * 18 - 1),
    frequency=st.sampled_from(Frequency),
    weekday=st.integers(0, 6),
)
def test_daemon_that_never_sleeps_mails_every_chosen_date_within_a_tick_of_its_hour(
    zone: str, hour: int, month: int, frequency: Frequency, weekday: int
) -> None:
    wanted = Schedule(timezone=zone, hour=hour, frequency=frequency, weekday=weekday)
    start = datetime(2010 + month // 12, 1 + month % 12, 1, tzinfo=UTC)
    reader = Reader(wanted, first_due(wanted, start, has_row_today=False))
    now = start
    while now < start + 32 * DAY:
        reader.look(now)
        now += HALF
    first, last = local_date(wanted, start), local_date(wanted, now - HALF)
    between = [first + n * DAY for n in range(1, (last - first).days)]
    chosen = [day for day in between if is_chosen(wanted, day) and _exists(day, zone)]
    assert [day for day in sorted(reader.mails) if first < day < last] == chosen
    assert not reader.late
    for day in chosen:
        local = reader.mails[day].astimezone(ZoneInfo(zone))
        assert local.date() == day
        # at most one tick late, and an hour or two where clocks jump over the hour
        assert hour - 1 <= local.hour <= min(hour + 2, 23)


def _exists(day: date, zone: str) -> bool:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone))
    return noon.astimezone(UTC).astimezone(ZoneInfo(zone)).date() == day


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_moves_changes_sleep_and_wrong_clocks_never_bring_a_date_twice_nor_silence(
    seed: int,
) -> None:
    rng = random.Random(seed)
    now = at("2026-02-20T00:00") + rng.randrange(300) * DAY
    reader = Reader(Schedule(), now)
    reader.change(_any_schedule(rng), now)
    sent: list[date] = []
    for _ in range(200):
        now += rng.choice((HALF, HOUR, 5 * HOUR, 31 * HOUR))
        if rng.random() < 0.1:
            reader.change(_any_schedule(rng), now)
        before = set(reader.mails)
        reader.look(now + rng.choice((0, 0, 0, -3, 2)) * HOUR)
        sent += set(reader.mails) - before
        assert reader.next_at < now + 11 * DAY
    assert len(sent) == len(set(sent)) and not set(sent) & set(reader.late)


def _any_schedule(rng: random.Random) -> Schedule:
    return Schedule(
        timezone=rng.choice(RESTLESS),
        hour=rng.randrange(24),
        frequency=rng.choice(list(Frequency)),
        weekday=rng.randrange(7),
    )


@pytest.mark.parametrize("zone", RESTLESS)
def test_next_instants_go_on_for_ever_and_only_forwards(zone: str) -> None:
    schedule = Schedule(timezone=zone, hour=2)
    day, instants = on("2026-01-01"), []
    for _ in range(366):
        instants.append(next_after(schedule, day))
        day = local_date(schedule, instants[-1])
    steps = {later - earlier for earlier, later in pairwise(instants)}
    assert min(steps) >= 22 * HOUR and max(steps) <= 26 * HOUR
