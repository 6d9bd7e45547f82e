"""The form of somebody's settings: what they hold as text fields, and text fields as wishes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from digest.domain.interests import Interest, InterestError, distinct, in_its_list, interest
from digest.domain.records import LISTS, by_column, from_object, to_object
from digest.domain.subscribers import Preferences, Subscriber
from digest.errors import InvalidInput
from digest.web.forms import Form

# setting: what to say where it was filled in wrongly
_SAY = {
    "timezone": "We do not know this time zone. Choose one such as Europe/Paris.",
    "hour": "Choose an hour of the day.",
    "frequency": "Choose how often the mail should come.",
    "weekday": "Choose a day of the week.",
    "max_papers": "Give a whole number from 1 to 50.",
    "threshold": "Choose how close a paper must be: a number from 0 to 1.",
    "min_matches": "Give a whole number from 1 to 50.",
    "empty_day": "Choose what should happen on such a day.",
    "text_only": "Choose how the mail should look.",
}
_SHOWN = 60
# people part keywords by commas; names and categories keep theirs (`Hinton, Geoffrey`)
_PARTED = ("interests", "exclude")
_ITEM = re.compile(r'(?:[^,;"]|"[^"]*"|")+')


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What a form asks for."""

    interests: tuple[Interest, ...]
    preferences: Preferences


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """The fields by name as they are shown, and what is wrong with which of them."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


def sheet_of(person: Subscriber) -> Sheet:
    """The settings that somebody has."""
    values = {name: _text(value) for name, value in to_object(person).items() if name in _SAY}
    return Sheet(values=values | {name: "\n".join(lines) for name, lines in _lists(person).items()})


def read(form: Form, person: Subscriber) -> tuple[Sheet, Wishes | None]:
    """The form as typed, and what it asks for, None where something is wrong with it.

    A field that was not sent stands for what the person has.
    """
    held = sheet_of(person).values
    values = {name: form.one(name, default) for name, default in held.items()}
    errors: dict[str, str] = {}
    interests = _interests(values, person, errors)
    preferences = _preferences(values, person, errors)
    sheet = Sheet(values=values, errors=errors)
    return sheet, None if errors else Wishes(interests=interests, preferences=preferences)


def _lists(person: Subscriber) -> dict[str, list[str]]:
    columns = by_column(person.interests)
    return {name: [in_its_list(item) for item in items] for name, items in columns.items()}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _interests(
    values: Mapping[str, str], person: Subscriber, errors: dict[str, str]
) -> tuple[Interest, ...]:
    """The interests of all lists; what cannot be one is named in `errors`."""
    found: list[Interest] = []
    for name, kept in _lists(person).items():
        try:
            found += _list(name, values[name], frozenset(kept))
        except InvalidInput as exc:
            errors[name] = str(exc)
    try:
        return distinct(tuple(found))
    except InvalidInput:
        most = "At most 50 of all kinds together."
        errors.setdefault("interests", f"These are {len(found)} interests. {most}")
        return ()


def _list(name: str, text: str, kept: frozenset[str]) -> list[Interest]:
    """The interests of one list, one a line; a line that stands in `kept` is not parted.

    Raises InvalidInput that names the line.
    """
    kind, excluded = LISTS[name]
    found = []
    for number, line in enumerate(map(str.strip, text.split("\n")), start=1):
        whole = line in kept or name not in _PARTED
        for part in [line] if whole else _ITEM.findall(line):
            if not part.strip():
                continue
            try:
                found.append(interest(part, kind, excluded=excluded))
            except InterestError as exc:
                raise InvalidInput(f"Line {number}, “{_short(part)}”: {exc.reason}.") from exc
    return found


def _preferences(
    values: Mapping[str, str], person: Subscriber, errors: dict[str, str]
) -> Preferences:
    """The settings, one by one, so that every field with something wrong is named."""
    found = person.preferences
    for name, say in _SAY.items():
        try:
            found = _with(found, name, values[name], person.email)
        except InvalidInput:
            errors[name] = say
    return found


def _with(before: Preferences, name: str, given: str, email: str) -> Preferences:
    """The preferences with one setting as typed. Raises InvalidInput."""
    if not given and name != "threshold":
        raise InvalidInput(f"{name} is empty")
    return from_object({"email": email, name: given or None}).preferences(before)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
