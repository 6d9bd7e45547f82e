"""OpenReview: a page of notes, API v2 (`content.title.value`) or v1 (`content.title`)."""

from datetime import UTC, date, datetime

from digest.domain.papers import Links, Listing, Rejected
from digest.domain.text import safe_url
from digest.errors import InvalidInput, SourceUnreadable
from digest.sources.entries import (
    Parsed,
    count,
    load_json,
    make_listing,
    plausible,
    records,
    rejected,
    text_of,
)

_SITE = "https://openreview.net"
Fields = dict[str, object]


def parse(body: bytes, now: datetime) -> Parsed:
    """Submissions are listings; replies to them (reviews, comments) are not, and count as rows."""
    reply = load_json(body)
    if not isinstance(reply, dict):
        raise SourceUnreadable(f"expected an object with notes; got {type(reply).__name__}")
    if "notes" not in reply:
        records(reply, "an object with notes")
    notes = records(reply.get("notes"), "a list of notes")
    listings: list[Listing] = []
    refused: list[Rejected] = []
    for number, note in enumerate(notes, 1):
        try:
            if not _is_reply(note):
                listings.append(_listing(note, now))
        except InvalidInput as exc:
            refused.append(rejected(f"entry {number}", exc))
    return Parsed(
        listings=tuple(listings),
        rejected=tuple(refused),
        rows=len(notes),
        total=count(reply.get("count")),
    )


def _is_reply(note: object) -> bool:
    if not isinstance(note, dict):
        return False
    forum = text_of(note.get("forum"))
    return bool(note.get("replyto")) or (bool(forum) and forum != note.get("id"))


def _listing(note: object, now: datetime) -> Listing:
    if not isinstance(note, dict):
        raise InvalidInput("is no object")
    given = note.get("content")
    content: Fields = given if isinstance(given, dict) else {}
    forum = text_of(note.get("forum") or note.get("id"))
    authors, pdf = _value(content, "authors"), text_of(_value(content, "pdf"))
    created = _day(note.get("pdate"), now) or _day(note.get("cdate"), now)
    return make_listing(
        title=_value(content, "title"),
        abstract=_value(content, "abstract"),
        authors=authors if isinstance(authors, list) else (),
        categories=(_value(content, "primary_area"),),
        ids=(f"{_SITE}/forum?id={forum}", _value(content, "doi"), _value(content, "arxiv")),
        links=Links(
            pdf=safe_url(_SITE + pdf if pdf.startswith("/") else pdf),
            code=safe_url(text_of(_value(content, "code"))),
        ),
        tldr=_value(content, "TLDR") or _value(content, "TL;DR"),
        venue=_value(content, "venue"),
        published_on=created,
        listed_on=created or _day(note.get("tcdate"), now),
    )


def _value(content: Fields, name: str) -> object:
    """A field's value, whichever version of the API wrote it."""
    field = content.get(name)
    return field.get("value") if isinstance(field, dict) else field


def _day(milliseconds: object, now: datetime) -> date | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    try:
        return plausible(datetime.fromtimestamp(milliseconds / 1000, UTC).date(), now)
    except (ValueError, OverflowError, OSError):
        return None
