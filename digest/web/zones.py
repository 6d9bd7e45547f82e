"""The time zones that a form offers."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files


def choices(chosen: str) -> Sequence[str]:
    """Names of zones in order, UTC first, and `chosen` wherever it comes from.

    They are the one or more that stand for each country (zone.tab); others, such as old names of
    the same zones, are understood but not offered.
    """
    known = _offered()
    return known if chosen in known else (chosen, *known)


@cache
def _offered() -> tuple[str, ...]:
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8")
    lines = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return ("UTC", *sorted(columns[2] for columns in lines))
