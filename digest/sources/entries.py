"""What all parsers share: raw fields of any type → a clean Listing, or the reason why not."""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from digest.domain.identity import abs_url, aliases_from
from digest.domain.papers import Attention, Links, Listing, Rejected
from digest.domain.text import plain_text, plain_title, safe_url
from digest.errors import InvalidInput, SourceUnreadable

MOST_AUTHORS = 2_000
MOST_CATEGORIES = 20
MOST_ENTRIES = 20_000
_NAME_MOST = 200
_COUNT_MOST = 2**31 - 1
_ISO_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?![\d-])")
_CLOCK = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_AFFILIATION = re.compile(r"\([^()]*\)")
_HTML = re.compile(
    rb"^\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|!--)", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """What a body holds: `rows` counts the entries received, usable or not.

    `total` is how many the source says it has for the whole query; `quiet` says that nothing was to
    be expected that day.
    """

    listings: tuple[Listing, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    rows: int = 0
    total: int | None = None
    quiet: bool = False


def make_listing(
    *,
    title: object,
    abstract: object = "",
    authors: Iterable[object] = (),
    categories: Iterable[object] = (),
    ids: Iterable[object] = (),
    page: object = None,
    links: Links | None = None,
    tldr: object = None,
    venue: object = None,
    published_on: date | None = None,
    listed_on: date | None = None,
    attention: Attention | None = None,
) -> Listing:
    """A Listing of raw fields; those of the wrong type count as absent.

    `ids` are identifiers and addresses in which identifiers may stand; `page` is the address to
    link to where none of them has a page of its own. Raises InvalidInput for an entry without
    title.
    """
    name = plain_title(text_of(title))
    if not any(c.isalnum() for c in name):
        raise InvalidInput("has no title")
    aliases = aliases_from(text_of(value) for value in ids)
    return Listing(
        title=name,
        abstract=plain_text(text_of(abstract)),
        authors=names(authors, MOST_AUTHORS),
        categories=names(categories, MOST_CATEGORIES),
        aliases=aliases,
        url=abs_url(aliases) or safe_url(text_of(page)),
        links=links or Links(),
        tldr=plain_title(text_of(tldr)) or None,
        venue=plain_text(text_of(venue), _NAME_MOST) or None,
        published_on=published_on,
        listed_on=listed_on,
        attention=attention or Attention(),
    )


def text_of(value: object) -> str:
    """The value if it is text, else nothing."""
    return value if isinstance(value, str) else ""


def names(values: Iterable[object], most: int) -> tuple[str, ...]:
    """The texts as plain short ones, without the empty and the repeated."""
    plain = (plain_text(value, _NAME_MOST) for value in values if isinstance(value, str))
    return tuple(dict.fromkeys(name for name in plain if name))[:most]


def split_authors(joined: str) -> tuple[str, ...]:
    """The names in one joined text: by `;`, else by ` and ` and `,` with affiliations taken out.

    `Smith, John` alone stays one name: both sides of its comma have one word.
    """
    previous, bare = "", joined[:100_000]
    while bare != previous:  # affiliations may be nested
        previous, bare = bare, _AFFILIATION.sub(" ", bare)
    if ";" in plain_text(bare):
        return _stripped(plain_text(bare).split(";"))
    # LaTeX first: an accent may hold a comma
    parts = _stripped(re.split(r",\s+and\s+|\s+and\s+|,", plain_text(bare)))
    if len(parts) == 2 and all(" " not in part for part in parts) and "," in bare:
        return (", ".join(parts),)
    return parts


def count(value: object) -> int | None:
    """A count that can be true: a whole number, not negative; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and (not math.isfinite(value) or value != int(value)):
        return None
    return int(value) if 0 <= value <= _COUNT_MOST else None


def day_of(value: object, now: datetime) -> date | None:
    """The UTC day of an ISO date or instant; None where there is none, or one that cannot be.

    Years before 1900 and after next year are some default or a joke, such as 9999.
    """
    text = text_of(value).strip()
    if not (found := _ISO_DAY.match(text)):
        return None
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
        if _CLOCK.match(text):
            instant = datetime.fromisoformat(text)
            day = (instant.astimezone(UTC) if instant.tzinfo else instant).date()
    except (ValueError, OverflowError):
        return None
    return plausible(day, now)


def plausible(day: date | None, now: datetime) -> date | None:
    """The day if a paper can have it, else None."""
    return day if day and 1900 <= day.year <= now.year + 1 else None


def load_json(body: bytes) -> Any:
    """The JSON value in these bytes; raises SourceUnreadable that says what came instead."""
    try:
        return json.loads(body.removeprefix(b"\xef\xbb\xbf"), parse_constant=lambda _name: None)
    except RecursionError as exc:
        raise SourceUnreadable("expected JSON; what came is nested too deep") from exc
    except ValueError as exc:
        raise SourceUnreadable(_what_instead(body, exc)) from exc


def records(value: object, what: str) -> list[object]:
    """The list in a reply; raises SourceUnreadable for anything else."""
    if isinstance(value, dict) and (said := text_of(value.get("error") or value.get("message"))):
        raise SourceUnreadable(f"the source answers: {plain_text(said, 200)}")
    if not isinstance(value, list):
        raise SourceUnreadable(f"expected {what}; got {type(value).__name__}")
    return value[:MOST_ENTRIES]


def rejected(where: str, exc: InvalidInput, title: object = "") -> Rejected:
    """The record of an entry that cannot be used."""
    quoted = plain_text(text_of(title), 60)
    return Rejected(where=where, reason=f"{quoted!r} {exc}" if quoted else str(exc))


def is_html(body: bytes) -> bool:
    """Whether the bytes begin as an HTML page does."""
    return bool(_HTML.match(body[:1_000])) and b"<html" in body[:5_000].lower()


def _what_instead(body: bytes, exc: ValueError) -> str:
    if not body.strip():
        return "expected JSON; the reply is empty"
    if is_html(body):
        return "expected JSON; got an HTML page: a login page, or a wrong address?"
    if isinstance(exc, json.JSONDecodeError):
        end = " (cut off?)" if exc.pos >= len(exc.doc.rstrip()) - 1 or "Untermin" in exc.msg else ""
        return f"expected JSON; line {exc.lineno}, column {exc.colno}: {exc.msg}{end}"
    return "expected JSON; what came is no valid text or number"


def _stripped(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(stripped for part in parts if (stripped := part.strip(" \t\n,;")))
