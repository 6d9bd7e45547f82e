"""RSS, Atom and RDF bytes → feedparser's entries, safely."""

import io
import re
from datetime import date, datetime
from typing import Any

import feedparser

from digest.errors import SourceUnreadable
from digest.sources.entries import is_html, plausible

_ENTITY = re.compile(rb"<!ENTITY\b")
# A name, then a short value without further entities: `<!ENTITY copyright "(C)">`
_HARMLESS = re.compile(rb"<!ENTITY\s+[\w.-]+\s+(?:\"(?:&#\w+;|[^&%\"]{0,64})\"|'[^&%']{0,64}')\s*>")
_ROOT = re.compile(rb"<(?:[\w.-]{1,40}:)?(?:rss|feed|rdf|channel)\b", re.IGNORECASE)
_MOST_TAGS = 300_000  # ten times the largest feed of arXiv; millions would take minutes
_MOST_WITH_ENTITIES = 1_000_000
_SKIPPED = re.compile(rb"\s+|\xef\xbb\xbf|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_WIDE = re.compile(
    r"charset\s*=\s*[\"']?(?:utf|ucs|iso-10646-ucs)[-_]?(?:16|32|2|4)", re.IGNORECASE
)
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]+)")


def parse_feed(body: bytes, *, url: str | None = None, content_type: str = "") -> Any:
    """feedparser's result for these bytes.

    Raises SourceUnreadable for what is no feed (an HTML page gives no version), and for a document
    that declares entities which could grow or read files. Nothing is sanitised: titles never are by
    feedparser, and its cleaning of summaries takes minutes on hostile ones.
    """
    _refuse_unlikely(body.replace(b"\0", b""))  # UTF-16 is checked as ASCII too
    headers = {"content-type": _content_type(body, content_type)}
    if url:
        headers["content-location"] = url
    try:
        found = feedparser.parse(
            io.BytesIO(body),  # bytes alone are tried as a file name
            response_headers={name: value for name, value in headers.items() if value},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as exc:
        raise SourceUnreadable(f"expected a feed; it cannot be read: {type(exc).__name__}") from exc
    except RecursionError as exc:
        raise SourceUnreadable("expected a feed; what came is nested too deep") from exc
    if not found.version and not found.entries:
        raise SourceUnreadable(_what_instead(body))
    return found


def entry_day(entry: Any, now: datetime, *fields: str) -> date | None:
    """The first of these parsed instants, as a plausible UTC day."""
    for field in fields:
        try:
            # feedparser warns when it answers `updated` with `published`; asking first avoids both
            moment = entry[name] if (name := f"{field}_parsed") in entry else None
            day = date(*moment[:3]) if moment else None
        except (ValueError, TypeError, OverflowError):
            day = None
        if found := plausible(day, now):
            return found
    return None


def _refuse_unlikely(body: bytes) -> None:
    """Refuse what cannot be a feed, or would take minutes, before it is parsed.

    Entity bombs and external entities can only stand in the prologue.
    """
    prologue = _prologue(body)
    declared = len(_ENTITY.findall(prologue))
    if declared and (
        declared > len(_HARMLESS.findall(prologue)) or len(body) > _MOST_WITH_ENTITIES
    ):
        raise SourceUnreadable(
            "the document declares entities that can grow or read files: refused; "
            "ask the source for a feed without DTD"
        )
    _refuse_shape(body)


def _refuse_shape(body: bytes) -> None:
    if not _ROOT.search(body):
        raise SourceUnreadable(_what_instead(body))
    if body.count(b"<") > _MOST_TAGS and _tags(body) > _MOST_TAGS:
        raise SourceUnreadable(f"expected a feed; what came holds more than {_MOST_TAGS:,} tags")


def _tags(body: bytes) -> int:
    """How many `<` stand outside of CDATA, where they cost time."""
    first, *rest = body.split(b"<![CDATA[")
    return first.count(b"<") + sum(part.partition(b"]]>")[2].count(b"<") for part in rest)


def _prologue(body: bytes) -> bytes:
    """The document type declaration up to the root element, else nothing."""
    at = 0
    while found := _SKIPPED.match(body, at):
        at = found.end()
    if body[at : at + 9].upper() != b"<!DOCTYPE":
        head = body[: (root.start() if (root := re.search(rb"<\w", body)) else len(body))]
        return head if b"<!DOCTYPE" in head.upper() else b""
    root = re.compile(rb"\]\s*>|>\s*<\w").search(body, at)
    subset = body.find(b"[", at)
    if root and 0 <= subset < root.end():
        closed = re.compile(rb"\]\s*>").search(body, subset)
        return body[at : closed.end() if closed else len(body)]
    return body[at : root.end() if root else len(body)]


def _content_type(body: bytes, given: str) -> str:
    """What to tell feedparser of the encoding.

    Bytes that are valid UTF-8 with letters beyond ASCII are UTF-8, whatever a header or declaration
    says: chance does not write it.
    """
    try:
        if not body.decode("utf-8").isascii():
            return "application/xml; charset=utf-8"
    except UnicodeDecodeError:
        pass
    declared = _DECLARED.search(body[:500])
    if declared or "charset" not in given.lower():
        return ""  # the document knows better than a server's default (text/xml means ASCII)
    if _WIDE.search(given) and b"\0" not in body:
        return ""  # in two or four bytes each, `<` would hold a zero
    return given


def _what_instead(body: bytes) -> str:
    if not body.strip():
        return "expected a feed; the reply is empty"
    if is_html(body):
        return "expected a feed; got an HTML page: a login page, or a wrong address?"
    return "expected an RSS, Atom or RDF feed; found none"
