"""Schedule arithmetic: at which UTC instant a subscriber's next digest falls due.

A schedule speaks in local days and hours; instants are computed day by day through the zone's own
rules, so an hour that daylight saving removes or repeats still gives exactly one instant per local
date, and a date that a zone skips (Apia, 2011-12-30) gives none.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, reset_tzpath

from digest.errors import InvalidInput

# Zones come from the pinned package `tzdata` alone: two hosts whose systems have other data would
# disagree about when a digest is due.
reset_tzpath(())

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Frequency(StrEnum):
    """daily, Monday to Friday, or once a week on a chosen day, all in the subscriber's zone."""

    DAILY = "daily"
    WEEKDAYS = "weekdays"
    WEEKLY = "weekly"


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When a digest is wanted, in `timezone`: `hour` 0 to 23, `weekday` from Monday 0 to 6.

    `unknown` is the zone that the store names and this host's data lacks; `timezone` is UTC then.
    """

    timezone: str = "UTC"
    hour: int = 8
    frequency: Frequency = Frequency.DAILY
    weekday: int = 0
    unknown: str = ""

    def __post_init__(self) -> None:
        zone(self.timezone)
        if not 0 <= self.hour <= 23:
            raise InvalidInput(f"hour {self.hour}: give 0 to 23")
        if not 0 <= self.weekday <= 6:
            raise InvalidInput(f"weekday {self.weekday}: give monday to sunday")

    @property
    def zone_name(self) -> str:
        """The zone as it was chosen, whether this host knows it or not."""
        return self.unknown or self.timezone


@cache
def zone(name: str) -> ZoneInfo:
    """The IANA zone of that name; raises InvalidInput for one that does not exist."""
    unknown = f"time zone {name[:60]!r} is unknown: give an IANA name such as Europe/Paris"
    # what a machine has beside the IANA names: its own zone, and zones that count leap seconds
    if name.startswith(("posix/", "right/")) or name in {"localtime", "posixrules", "Factory"}:
        raise InvalidInput(unknown)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise InvalidInput(unknown) from exc


def local_date(schedule: Schedule, now: datetime) -> date:
    """The subscriber's date at the instant `now`."""
    return now.astimezone(zone(schedule.timezone)).date()


def is_chosen(schedule: Schedule, day: date) -> bool:
    """Whether the schedule wants a digest on this local date."""
    match schedule.frequency:
        case Frequency.DAILY:
            return True
        case Frequency.WEEKDAYS:
            return day.weekday() < 5
        case Frequency.WEEKLY:
            return day.weekday() == schedule.weekday


def instant_on(schedule: Schedule, day: date) -> datetime | None:
    """The UTC instant of the chosen hour on `day`, or None where the zone skips that date whole.

    In a fold it is the first of the two (PEP 495, fold=0). In a gap it is reckoned with the offset
    from before the gap, which lies after it; where that is the next date already (Nuuk, whose clock
    jumps from 23:00 to midnight) with the offset from behind it, which lies before the gap.
    """
    tz = zone(schedule.timezone)
    wall = datetime.combine(day, time(schedule.hour), tz)
    for fold in (0, 1):
        instant = wall.replace(fold=fold).astimezone(UTC)
        if instant.astimezone(tz).date() == day:
            return instant
    return None


def begin_of(schedule: Schedule, day: date) -> datetime:
    """The UTC instant with which a local date begins, whatever its clocks do at midnight; where the
    zone skips that date whole, with which the next one begins.
    """
    midnight = replace(schedule, hour=0, frequency=Frequency.DAILY)
    return instant_on(midnight, day) or begin_of(schedule, day + timedelta(days=1))


def next_after(schedule: Schedule, day: date) -> datetime:
    """The instant of the first chosen local date after `day`."""
    return next(instant for on, instant in _chosen_from(schedule, day) if on > day)


def first_due(
    schedule: Schedule, now: datetime, *, has_row_today: bool, taken: Container[date] = ()
) -> datetime:
    """When a subscriber who has just become active, or changed schedule, gets the next digest.

    That is the next chosen hour; where today's chosen hour has passed and today has no row in the
    ledger yet, it is now (CONTRACT: "Due"). `taken` are later dates that have their rows already,
    as after a move to the west.
    """
    today = local_date(schedule, now)
    day, instant = next(
        (day, instant)
        for day, instant in _chosen_from(schedule, today)
        if day not in taken and not (has_row_today and day == today)
    )
    return now if day == today and instant <= now else instant


@dataclass(frozen=True, kw_only=True, slots=True)
class DueDates:
    """What a due subscriber gets at an instant.

    `late_on` is the first chosen date that was slept past (one skip row), None where none was;
    `digest_on` is the date to compose for now, None where today is not due; `next_at` is what
    follows.
    """

    late_on: date | None
    digest_on: date | None
    next_at: datetime


def due_dates(schedule: Schedule, due_at: datetime, now: datetime) -> DueDates:
    """Resolve a subscriber whose `next_digest_at` is `due_at`, at `now` ≥ `due_at`.

    Today's date is composed if it is chosen and its hour has passed, however late; earlier chosen
    dates since `due_at` are late. What `due_at` was reckoned from may have changed since, as zones
    do: the zone's present rules decide.
    """
    today = local_date(schedule, now)
    due_on = local_date(schedule, due_at)
    if due_on > today:  # clocks went back over midnight: today's date is already behind the plan
        return DueDates(late_on=None, digest_on=None, next_at=next_after(schedule, today))
    first, _ = next(_chosen_from(schedule, due_on))
    instant = instant_on(schedule, today) if is_chosen(schedule, today) else None
    ready = instant is not None and instant <= now
    return DueDates(
        late_on=first if first < today else None,
        digest_on=today if ready else None,
        next_at=next_after(schedule, today if ready else today - timedelta(days=1)),
    )


def _chosen_from(schedule: Schedule, day: date) -> Iterator[tuple[date, datetime]]:
    try:
        while True:
            if is_chosen(schedule, day) and (instant := instant_on(schedule, day)) is not None:
                yield day, instant
            day += timedelta(days=1)
    except OverflowError as exc:
        raise InvalidInput(
            f"{day} is too near the end of the calendar: give an earlier date"
        ) from exc
