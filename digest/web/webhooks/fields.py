"""JSON from outside, read strictly: a value of another kind than the documented one is an error."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NoReturn

from digest.errors import InvalidInput

LONGEST_TEXT = 4_000  # of a server's answer; more is cut off
LONGEST_NAME = 1_000  # of an address, an identifier or a label


class Fields:
    """An object of JSON. `null` counts as absent; what is not asked for is not looked at."""

    def __init__(self, value: object) -> None:
        """Raises InvalidInput for what is no object."""
        if not isinstance(value, dict):
            raise InvalidInput("not a JSON object")
        self._values: dict[str, object] = value

    def has(self, name: str) -> bool:
        """Whether there is such a field, and not null."""
        return self._values.get(name) is not None

    def name(self, field: str, default: str | None = None) -> str:
        """A text of one line such as an address, an identifier or a label.

        Raises InvalidInput for one that is too long or has control characters in it, and where
        there is none and no `default`.
        """
        text = self.text(field, default)
        if len(text) > LONGEST_NAME or not all(c.isprintable() for c in text):
            raise InvalidInput(f"{field} is too long or has control characters in it")
        return text

    def text(self, field: str, default: str | None = None) -> str:
        """A text as it came, of any length."""
        value = self._values.get(field)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise InvalidInput(f"{field} is no text")
        return value

    def words(self, field: str) -> str:
        """A server's answer, cut off and in one line; empty where there is none."""
        text = self.text(field, "")[:LONGEST_TEXT]
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())

    def fields(self, field: str) -> "Fields":
        """An object in this one."""
        if field not in self._values:
            raise InvalidInput(f"{field} is missing")
        return Fields(self._values[field])

    def values(self, field: str) -> list[object]:
        """A list; empty where there is none."""
        value = self._values.get(field)
        if value is None:
            return []
        if not isinstance(value, list):
            raise InvalidInput(f"{field} is no list")
        return value

    def flag(self, field: str) -> bool:
        """A truth value."""
        value = self._values.get(field)
        if not isinstance(value, bool):
            raise InvalidInput(f"{field} is neither true nor false")
        return value

    def number(self, field: str) -> int:
        """A whole number."""
        value = self._values.get(field)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidInput(f"{field} is no whole number")
        return value

    def instant(self, field: str) -> datetime:
        """A text such as `2026-03-12T12:00:00.000Z` (ISO 8601), in UTC where it names no zone."""
        return instant_of(self.name(field))

    def seconds(self, field: str) -> datetime:
        """Seconds since 1970, as the instant."""
        return instant_at(self.number(field))


def document(body: bytes) -> object:
    """The JSON of a body in UTF-8. Raises InvalidInput for anything else.

    Of a name that stands twice the last counts: what is proved and what is read come from the same
    reading, so that no other choice can be played against it.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise InvalidInput("the body is no JSON in UTF-8") from exc


def objects(value: object) -> Iterator[object]:
    """The items of a list. Raises InvalidInput for what is none."""
    if not isinstance(value, list):
        raise InvalidInput("not a JSON list")
    yield from value


def instant_of(text: str) -> datetime:
    """An instant of ISO 8601 text. Raises InvalidInput."""
    try:
        found = datetime.fromisoformat(text)
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidInput("the time is no instant of ISO 8601") from exc


def instant_at(seconds: float) -> datetime:
    """The instant so many seconds after 1970 began. Raises InvalidInput."""
    try:
        if not math.isfinite(seconds):
            raise InvalidInput("the time is no number of seconds")
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise InvalidInput("the time is out of range") from exc


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
