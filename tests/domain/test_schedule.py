"""Due instants through the oddities of real zones."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.domain.schedule import (
    DueDates,
    Frequency,
    Schedule,
    due_dates,
    first_due,
    instant_on,
    is_chosen,
    local_date,
    next_after,
)
from digest.errors import InvalidInput

WEEKLY = Frequency.WEEKLY


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def on(text):
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "hour", "day", "instant"),
    [
        ("Europe/Paris", 8, "2026-03-28", "2026-03-28T07:00"),
        ("Europe/Paris", 8, "2026-03-29", "2026-03-29T06:00"),
        ("Europe/Paris", 2, "2026-03-29", "2026-03-29T01:00"),  # no 2:00: it is 3:00
        ("Europe/Paris", 2, "2026-10-25", "2026-10-25T00:00"),  # 2:00 twice: the first
        ("Australia/Lord_Howe", 2, "2026-10-04", "2026-10-03T15:30"),  # half an hour: 2:30
        ("Australia/Lord_Howe", 1, "2026-04-05", "2026-04-04T14:00"),
        ("America/Santiago", 0, "2026-09-06", "2026-09-06T04:00"),  # no midnight: 1:00
        ("America/Santiago", 23, "2026-04-04", "2026-04-05T02:00"),  # 23:00 twice
        ("America/Nuuk", 23, "2026-03-28", "2026-03-29T00:00"),  # no 23:00, then Sunday: 22:00
        ("America/Nuuk", 22, "2026-03-28", "2026-03-29T00:00"),
        ("Pacific/Kiritimati", 0, "2026-01-01", "2025-12-31T10:00"),
        ("Pacific/Kiritimati", 8, "1994-12-31", None),
        ("Pacific/Apia", 8, "2011-12-29", "2011-12-29T18:00"),
        ("Pacific/Apia", 8, "2011-12-30", None),
        ("Pacific/Apia", 0, "2011-12-30", None),
        ("Pacific/Apia", 23, "2011-12-30", None),
        ("Pacific/Apia", 8, "2011-12-31", "2011-12-30T18:00"),
        ("Asia/Kathmandu", 6, "2024-02-29", "2024-02-29T00:15"),
    ],
)
def test_each_local_date_has_one_instant_unless_the_zone_skips_it(zone, hour, day, instant):
    found = instant_on(Schedule(timezone=zone, hour=hour), on(day))
    assert found == (at(instant) if instant else None)


@pytest.mark.parametrize("zone", ["America/Nuuk", "America/Santiago", "Africa/Cairo", "Asia/Gaza"])
def test_no_zone_with_late_changes_loses_a_day_at_any_hour(zone):
    for hour in range(24):
        schedule = Schedule(timezone=zone, hour=hour)
        days = [on("2025-01-01") + timedelta(days=n) for n in range(730)]
        instants = [instant_on(schedule, day) for day in days]
        assert [i and local_date(schedule, i) for i in instants] == days
        assert instants == sorted(instants)


def test_a_skipped_date_is_passed_over_and_no_day_has_two():
    schedule = Schedule(timezone="Pacific/Apia", hour=8)
    assert next_after(schedule, on("2011-12-29")) == at("2011-12-30T18:00")


@pytest.mark.parametrize(
    ("frequency", "weekday", "after", "expected"),
    [
        (Frequency.DAILY, 0, "2024-02-28", "2024-02-29T08:00"),
        (Frequency.DAILY, 0, "2023-02-28", "2023-03-01T08:00"),
        (Frequency.WEEKDAYS, 0, "2026-03-12", "2026-03-13T08:00"),
        (Frequency.WEEKDAYS, 0, "2026-03-13", "2026-03-16T08:00"),  # over the weekend
        (WEEKLY, 0, "2026-03-12", "2026-03-16T08:00"),  # a Monday
        (WEEKLY, 6, "2026-03-15", "2026-03-22T08:00"),
        (WEEKLY, 3, "2024-02-22", "2024-02-29T08:00"),
    ],
)
def test_the_next_date_follows_the_frequency(frequency, weekday, after, expected):
    schedule = Schedule(frequency=frequency, weekday=weekday)
    assert next_after(schedule, on(after)) == at(expected)


def test_weekdays_are_those_of_the_subscriber_s_zone():
    schedule = Schedule(timezone="Pacific/Kiritimati", hour=5, frequency=Frequency.WEEKDAYS)
    # Monday 5:00 there is Sunday 15:00 UTC
    assert next_after(schedule, on("2026-03-13")) == at("2026-03-15T15:00")


@pytest.mark.parametrize(
    ("now", "has_row", "expected"),
    [
        ("2026-03-12T07:59", False, "2026-03-12T08:00"),
        ("2026-03-12T08:00", False, "2026-03-12T08:00"),
        ("2026-03-12T20:00", False, "2026-03-12T20:00"),  # the hour has passed, no row: now
        ("2026-03-12T20:00", True, "2026-03-13T08:00"),
        ("2026-03-12T07:00", True, "2026-03-13T08:00"),
    ],
)
def test_the_first_digest_comes_at_the_next_hour_or_now(now, has_row, expected):
    assert first_due(Schedule(), at(now), has_row_today=has_row) == at(expected)


def test_a_day_that_is_not_chosen_is_not_due_now():
    weekly = Schedule(frequency=WEEKLY, weekday=0)
    assert first_due(weekly, at("2026-03-12T20:00"), has_row_today=False) == at("2026-03-16T08:00")


@pytest.mark.parametrize(
    ("due", "now", "late_on", "digest_on", "next_at"),
    [
        # in time, and hours late on the same date
        ("2026-03-12T08:00", "2026-03-12T08:00", None, "2026-03-12", "2026-03-13T08:00"),
        ("2026-03-12T08:00", "2026-03-12T23:59", None, "2026-03-12", "2026-03-13T08:00"),
        # joined at noon, before any hour of their own
        ("2026-03-12T12:00", "2026-03-12T12:01", None, "2026-03-12", "2026-03-13T08:00"),
        # slept past one date, and past many: one late row, today's digest if its hour has passed
        ("2026-03-12T08:00", "2026-03-13T07:59", "2026-03-12", None, "2026-03-13T08:00"),
        ("2026-03-12T08:00", "2026-03-13T08:00", "2026-03-12", "2026-03-13", "2026-03-14T08:00"),
        ("2026-03-01T08:00", "2026-03-12T09:00", "2026-03-01", "2026-03-12", "2026-03-13T08:00"),
    ],
)
def test_what_was_slept_past_is_late_and_today_is_composed(due, now, late_on, digest_on, next_at):
    assert due_dates(Schedule(), at(due), at(now)) == DueDates(
        late_on=on(late_on) if late_on else None,
        digest_on=on(digest_on) if digest_on else None,
        next_at=at(next_at),
    )


def test_a_weekly_digest_slept_past_is_late_and_not_sent_on_another_day():
    weekly = Schedule(frequency=WEEKLY, weekday=0)
    found = due_dates(weekly, at("2026-03-09T08:00"), at("2026-03-12T09:00"))
    assert found == DueDates(
        late_on=on("2026-03-09"), digest_on=None, next_at=at("2026-03-16T08:00")
    )


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})),
    hour=st.integers(0, 23),
    frequency=st.sampled_from(Frequency),
    weekday=st.integers(0, 6),
    joined=st.integers(0, 10 * 366 * 86_400),
    sleeps=st.lists(st.integers(0, 100 * 3600), min_size=1, max_size=12),
)
def test_whoever_sleeps_however_long_gets_each_date_at_most_once(
    zone, hour, frequency, weekday, joined, sleeps
):
    schedule = Schedule(timezone=zone, hour=hour, frequency=frequency, weekday=weekday)
    now = at("2020-01-01T00:00") + timedelta(seconds=joined)
    due_at = first_due(schedule, now, has_row_today=False)
    rows = []
    for sleep in sleeps:
        now = max(now, due_at) + timedelta(seconds=sleep)
        found = due_dates(schedule, due_at, now)
        assert found.next_at > now
        rows += [day for day in (found.late_on, found.digest_on) if day]
        due_at = found.next_at
    assert rows == sorted(set(rows))
    assert all(is_chosen(schedule, day) for day in rows)


@pytest.mark.parametrize(
    "name",
    (
        *("Mars/Base", "", "../etc/passwd", "/etc/localtime", "Europe", "localtime", "posixrules"),
        *("right/UTC", "posix/UTC", "a" * 5000, "Europe/Paris\0", "\udcff", "zone.tab", "Factory"),
    ),
)
def test_a_zone_that_is_no_iana_name_is_refused_in_one_short_line(name):
    with pytest.raises(InvalidInput, match="give an IANA name") as refused:
        Schedule(timezone=name)
    assert len(str(refused.value)) < 200 and "\0" not in str(refused.value)


@pytest.mark.parametrize("wrong", [{"hour": 24}, {"hour": -1}, {"weekday": 7}])
def test_hours_and_weekdays_out_of_range_are_refused(wrong):
    with pytest.raises(InvalidInput, match="give"):
        Schedule(**wrong)


def test_the_end_of_the_calendar_is_an_error_and_not_a_crash():
    with pytest.raises(InvalidInput, match="end of the calendar"):
        next_after(Schedule(timezone="Etc/GMT+12"), on("9999-12-31"))
