"""The oracle's calendar: it asks a zone for nothing but what its clocks show at an instant.

So it shares no rule with the code that it judges: a day is what was shown, quarter by quarter.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def shown(instant: datetime, zone: str) -> datetime:
    """What the clocks of that zone show."""
    return instant.astimezone(ZoneInfo(zone))


def day_of(instant: datetime, zone: str) -> date:
    return shown(instant, zone).date()


@dataclass(frozen=True)
class LocalDay:
    """A local date as it was seen: its first instant, and that of each hour that was shown."""

    begins: datetime
    hours: dict[int, datetime]


@cache
def local_days(zone: str, first: date, count: int = 40) -> dict[date, LocalDay]:
    """The dates that began within so many days from the UTC day `first` on."""
    found: dict[date, LocalDay] = {}
    instant = datetime(first.year, first.month, first.day, tzinfo=UTC) - DAY
    partial = day_of(instant, zone)
    end = instant + (count + 1) * DAY
    while instant < end:
        local = shown(instant, zone)
        if (day := local.date()) != partial:
            if day not in found:
                found[day] = LocalDay(begins=instant, hours={})
            found[day].hours.setdefault(local.hour, instant)
        instant += QUARTER
    return found


def local_day(zone: str, day: date) -> LocalDay | None:
    """That date in that zone; None where the zone left it out."""
    return local_days(zone, date(day.year, day.month, 1)).get(day)


def end_of(zone: str, day: date) -> datetime | None:
    """When the next date begins there, one that is left out passed over."""
    later = (local_day(zone, day + ahead * DAY) for ahead in (1, 2))
    return next((one.begins for one in later if one), None)


def due_at(zone: str, hour: int, day: date) -> datetime | None:
    """When a digest falls due there: as that hour is first shown. One that is left out comes when
    clocks that nobody had set forward would show it.
    """
    found = local_day(zone, day)
    if found is None:
        return None
    if hour in found.hours:
        return found.hours[hour]
    earlier = [h for h in found.hours if h < hour]
    if not earlier:
        return found.begins
    return found.hours[max(earlier)] + (hour - max(earlier)) * HOUR
