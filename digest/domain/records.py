"""Subscribers as records of a CSV or JSONL file: cells or keys ↔ values (CONTRACT §4).

Within a CSV cell the items of a list are separated by `;`, which is `\\;` inside an item; what a
spreadsheet would take for a formula bears a leading `'`, at the begin of a cell and after a `;`, by
which those of countries with decimal commas tell cells. JSONL has real lists instead.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from digest.domain.interests import (
    Interest,
    InterestKind,
    distinct,
    in_its_list,
    interest,
    plain_number,
)
from digest.domain.schedule import WEEKDAYS, Frequency, Schedule
from digest.domain.subscribers import EmptyDay, Preferences, Status, Subscriber, address
from digest.errors import InvalidInput

# column: what an interest in it is where it names no field, and whether all of them exclude
LISTS: dict[str, tuple[InterestKind, bool]] = {
    "interests": (InterestKind.PHRASE, False),
    "exclude": (InterestKind.PHRASE, True),
    "authors": (InterestKind.AUTHOR, False),
    "categories": (InterestKind.CATEGORY, False),
}
COLUMNS = (
    *("email", *LISTS, "timezone", "hour", "frequency", "max_papers", "status"),
    *("weekday", "threshold", "empty_day", "min_matches", "text_only"),
)

Setting = str | int | float | bool | None
Json = Setting | list[str]

_COLUMN = {InterestKind.AUTHOR: "authors", InterestKind.CATEGORY: "categories"}

_Member = TypeVar("_Member", bound=StrEnum)

_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_NUMBER = re.compile(r"[0-9]{0,20}\.?[0-9]{1,20}")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_SEPARATOR = re.compile(r"(\\*);")
# OWASP, "CSV injection": what makes a spreadsheet run a cell; and control characters
_FORMULA = r"(?=[' ]*[=+\-@\x00-\x1f\x7f-\x9f])"
_OPEN, _GUARDED = re.compile(rf"(^|;){_FORMULA}"), re.compile(rf"(^|;)'{_FORMULA}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What one row says of a subscriber: only the lists and settings it has."""

    email: str
    status: Status | None = None
    lists: Mapping[str, tuple[Interest, ...]] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def interests(self, held: tuple[Interest, ...] = ()) -> tuple[Interest, ...]:
        """All interests in the order of the columns: the row's lists over those `held`.

        Each stands with its like, whichever list named it: `author:Y. LeCun` among the authors.
        """
        old = by_column(held)
        given = distinct(tuple(i for name in LISTS for i in self.lists.get(name, old[name])))
        return tuple(i for items in by_column(given).values() for i in items)

    def preferences(self, base: Preferences) -> Preferences:
        """The row's settings over those of `base`. Raises InvalidInput for one out of range."""
        return _preferences(_settings(base) | dict(self.settings))


def checked_header(names: Sequence[str]) -> tuple[str, ...]:
    """The columns of a file. Raises InvalidInput that names what is unknown, double or missing."""
    columns = tuple(name.strip() for name in names)
    _refuse_unknown(columns)
    if double := next((name for name in columns if columns.count(name) > 1), None):
        raise InvalidInput(f"column {double!r} stands twice in the header")
    if "email" not in columns:
        raise InvalidInput("the header has no column 'email': it is the one that must be there")
    return columns


def from_cells(columns: Sequence[str], cells: Sequence[str]) -> Record:
    """The record of a CSV row. An empty list cell is no interests, an empty `threshold` the
    service's default; any other empty cell says nothing.
    """
    if len(cells) != len(columns):
        raise InvalidInput(f"{len(cells)} cells, but the header has {len(columns)} columns")
    values = {name: unguarded(cell.strip(" ")) for name, cell in zip(columns, cells, strict=True)}
    lists = {name: split_list(values[name]) for name in LISTS if name in values}
    rest = {name: value for name, value in values.items() if name not in LISTS}
    said = {name: value for name, value in rest.items() if value or name == "threshold"}
    return _record(lists, said)


def from_object(value: object) -> Record:
    """The record of one JSONL object; a key with null says what an empty cell says."""
    if not isinstance(value, dict):
        raise InvalidInput("the line is no JSON object")
    _refuse_unknown(tuple(value))
    lists = {name: _strings(name, value[name]) for name in LISTS if name in value}
    rest = {name: item for name, item in value.items() if name not in LISTS}
    said = {name: item for name, item in rest.items() if item is not None or name == "threshold"}
    return _record(lists, said)


def to_cells(subscriber: Subscriber) -> list[str]:
    """The CSV row of a subscriber, in the order of COLUMNS, safe for spreadsheets."""
    values = to_object(subscriber)
    return [guarded(_cell(values[name])) for name in COLUMNS]


def to_object(subscriber: Subscriber) -> dict[str, Json]:
    """The JSONL object of a subscriber, in the order of COLUMNS."""
    lists = by_column(subscriber.interests)
    values: dict[str, Json] = dict(_settings(subscriber.preferences))
    values |= {name: [in_its_list(item) for item in items] for name, items in lists.items()}
    values |= {"email": subscriber.email, "status": subscriber.status.value}
    return {name: values[name] for name in COLUMNS}


def by_column(interests: tuple[Interest, ...]) -> dict[str, tuple[Interest, ...]]:
    """The interests by the list they stand in, in the order of LISTS; what is excluded has one,
    whatever its kind.
    """
    lists: dict[str, list[Interest]] = {name: [] for name in LISTS}
    for item in interests:
        lists["exclude" if item.excluded else _COLUMN.get(item.kind, "interests")].append(item)
    return {name: tuple(items) for name, items in lists.items()}


def split_list(cell: str) -> list[str]:
    """The items of a list cell, without the empty ones.

    Backslashes mean something only before a `;`: two are one, an odd one makes the `;` a letter.
    """
    items, rest, item = [], 0, ""
    for found in _SEPARATOR.finditer(cell):
        strokes = len(found[1])
        item += cell[rest : found.start()] + "\\" * (strokes // 2)
        rest = found.end()
        if strokes % 2:
            item += ";"
        else:
            items.append(item)
            item = ""
    items.append(item + cell[rest:])
    return [item for item in items if item.strip()]


def join_list(items: Sequence[str]) -> str:
    """The list cell that `split_list` reads as these items."""
    escaped = [re.sub(r"(\\*);", r"\1\1\\;", item) for item in items]
    for index, item in enumerate(escaped[:-1]):
        strokes = len(item) - len(item.rstrip("\\"))
        escaped[index] = item + "\\" * strokes
    return ";".join(escaped)


def guarded(cell: str) -> str:
    """The cell with a `'` before whatever a spreadsheet would take for a formula."""
    return _OPEN.sub(r"\1'", cell)


def unguarded(cell: str) -> str:
    """The cell as it was before `guarded`; a `'` before anything else is the cell's own."""
    return _GUARDED.sub(r"\1", cell)


def _refuse_unknown(names: Sequence[str]) -> None:
    if unknown := [repr(name[:60]) for name in names if name not in COLUMNS][:20]:
        known = ", ".join(COLUMNS)
        raise InvalidInput(f"unknown column {', '.join(unknown)}: there are {known}")


def _record(lists: Mapping[str, Sequence[str]], said: Mapping[str, object]) -> Record:
    settings = {name: _READ[name](name, value) for name, value in said.items() if name in _READ}
    record = Record(
        email=address(_text("email", said.get("email", ""))),
        status=_member("status", said["status"], Status) if "status" in said else None,
        lists={
            name: tuple(interest(text, LISTS[name][0], excluded=LISTS[name][1]) for text in texts)
            for name, texts in lists.items()
        },
        settings=settings,
    )
    record.interests()  # what is wrong of itself is wrong whoever the subscriber is
    record.preferences(Preferences())
    return record


def _settings(wanted: Preferences) -> dict[str, Setting]:
    return {
        "timezone": wanted.schedule.zone_name,
        "hour": wanted.schedule.hour,
        "frequency": wanted.schedule.frequency.value,
        "weekday": WEEKDAYS[wanted.schedule.weekday],
        "max_papers": wanted.max_papers,
        "threshold": wanted.threshold,
        "empty_day": wanted.empty_day.value,
        "min_matches": wanted.min_matches,
        "text_only": wanted.text_only,
    }


def _preferences(values: Mapping[str, Setting]) -> Preferences:
    threshold = values["threshold"]
    return Preferences(
        schedule=Schedule(
            timezone=str(values["timezone"]),
            hour=int(values["hour"] or 0),
            frequency=Frequency(str(values["frequency"])),
            weekday=WEEKDAYS.index(str(values["weekday"])),
        ),
        max_papers=int(values["max_papers"] or 0),
        threshold=None if threshold is None else float(threshold),
        empty_day=EmptyDay(str(values["empty_day"])),
        min_matches=int(values["min_matches"] or 0),
        text_only=bool(values["text_only"]),
    )


def _cell(value: Json) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return plain_number(value)
        case list():
            return join_list(value)
        case _:
            return str(value)


def _strings(name: str, value: object) -> list[str]:
    items = [] if value is None else value
    if isinstance(items, list) and all(isinstance(item, str) for item in items):
        return items
    raise InvalidInput(f"{name}: give a list of strings")


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value.strip(" ")
    raise InvalidInput(f"{name} {str(value)[:60]!r}: give a string")


def _member(name: str, value: object, members: type[_Member]) -> _Member:
    try:
        return members(_text(name, value).lower())
    except ValueError as exc:
        known = ", ".join(member.value for member in members)
        raise InvalidInput(f"{name} {str(value)[:60]!r}: give one of {known}") from exc


def _timezone(name: str, value: object) -> Setting:
    return _text(name, value)


def _frequency(name: str, value: object) -> Setting:
    return _member(name, value, Frequency).value


def _empty_day(name: str, value: object) -> Setting:
    return _member(name, value, EmptyDay).value


def _weekday(name: str, value: object) -> Setting:
    day = _text(name, value).lower()
    if day not in WEEKDAYS:
        raise InvalidInput(f"{name} {day[:60]!r}: give monday to sunday")
    return day


def _whole(name: str, value: object) -> Setting:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip(" ")):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return value
    raise InvalidInput(f"{name} {str(value)[:60]!r}: give a whole number")


def _fraction(name: str, value: object) -> Setting:
    if value is None or value == "":
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip(" ")):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise InvalidInput(f"{name} {str(value)[:60]!r}: give a number from 0 to 1")


def _flag(name: str, value: object) -> Setting:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and (said := value.strip(" ").lower()) in _TRUE + _FALSE:
        return said in _TRUE
    raise InvalidInput(f"{name} {str(value)[:60]!r}: give true or false")


_READ = {
    "timezone": _timezone,
    "hour": _whole,
    "frequency": _frequency,
    "weekday": _weekday,
    "max_papers": _whole,
    "threshold": _fraction,
    "empty_day": _empty_day,
    "min_matches": _whole,
    "text_only": _flag,
}
