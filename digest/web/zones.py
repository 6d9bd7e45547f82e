"""The time zones that a form offers."""

from functools import cache
from importlib.resources import files

from markupsafe import Markup


def options(chosen: str) -> Markup:
    """The options of a list of zones, `chosen` selected: UTC first, then by name.

    They are the one or more that stand for each country (zone.tab); others, such as old names of
    the same zones, are understood but not offered, and come first where they are `chosen`.
    """
    if not chosen:
        return Markup('<option value="" selected>Choose</option>\n') + _offered()
    selected = Markup("<option selected>{}</option>").format(chosen)
    if chosen not in _names():
        return selected + "\n" + _offered()
    # writing some 400 options anew took longer than all else on a page
    return _offered().replace(_option(chosen), selected, 1)


@cache
def _offered() -> Markup:
    return Markup("\n").join(map(_option, _names()))


def _option(name: str) -> Markup:
    return Markup("<option>{}</option>").format(name)


@cache
def _names() -> tuple[str, ...]:
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8")
    lines = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return ("UTC", *sorted(columns[2] for columns in lines))
