"""arXiv: the announcement feeds of rss.arxiv.org (RSS and Atom), and the query API (Atom)."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from digest.domain.identity import arxiv_id
from digest.domain.papers import Links, Listing, Rejected
from digest.domain.text import plain_text
from digest.errors import InvalidInput, SourceUnreadable
from digest.sources.entries import MOST_ENTRIES, Parsed, make_listing, rejected, text_of
from digest.sources.feed import feed_authors
from digest.sources.feedxml import entry_day, parse_feed

# arXiv announces Sunday to Thursday evening, US Eastern; the feeds bear the next morning's date
_ZONE = ZoneInfo("America/New_York")
_PREFIX = re.compile(r"^\s*arXiv:\S+\s+Announce Type:\s*[\w-]+\s*(?:Abstract:\s*)?", re.IGNORECASE)
_ARCHIVE = re.compile(r"[a-z][a-z-]+(?:\.[A-Za-z][A-Za-z-]+)?")
_SKIP_DAYS = re.compile(rb"<skipDays>(.{0,1000}?)</skipDays>", re.DOTALL | re.IGNORECASE)
_TOTAL = re.compile(rb"<(?:\w{1,20}:)?totalResults[^<>]{0,200}>\s*(\d{1,11})\s*<")
_DAY = re.compile(rb"<day>\s*(\w+)\s*</day>", re.IGNORECASE)
# how authors say in the comments where a paper was taken: `Accepted to ICML 2026, 12 pages`
_TAKEN = re.compile(
    r"\b(?:(?:accepted\s+)?to\s+appear|accepted|published|to\s+be\s+(?:published|presented)|presented)"
    r"(?:\s+(?:as|for)\s+[\w -]{1,40}?)?\s+(?:at|to|in|by|into)\s+(?:the\s+)?"
    r"([^\s.;,][^.;,]{1,99})",
    re.IGNORECASE,
)
_NAMED = re.compile(r"[A-Z]")
_WEEKEND = frozenset(("saturday", "sunday"))


def parse_rss(
    body: bytes, now: datetime, *, url: str | None = None, content_type: str = ""
) -> Parsed:
    """The announcements of a day: new, cross-listed and replaced papers alike.

    A replaced version is a listing too, of a paper that identity knows or has missed. Without
    entries the day is quiet if it is one of the feed's skipDays, else it is just empty.
    """
    found = parse_feed(body, url=url, content_type=content_type)
    _refuse_error(found)
    listings, refused = _all(found.entries, now)
    return Parsed(
        listings=listings,
        rejected=refused,
        rows=len(found.entries),
        quiet=not found.entries and _is_skipped(body, found.feed, now),
    )


def parse_api(
    body: bytes, now: datetime, *, url: str | None = None, content_type: str = ""
) -> Parsed:
    """One slice of a query's results; `total` is what the query finds in all."""
    found = parse_feed(body, url=url, content_type=content_type)
    _refuse_error(found)
    listings, refused = _all(found.entries, now)
    total = _TOTAL.search(body)
    return Parsed(
        listings=listings,
        rejected=refused,
        rows=len(found.entries),
        total=int(total[1]) if total else None,
    )


def _all(entries: Iterable[Any], now: datetime) -> tuple[tuple[Listing, ...], tuple[Rejected, ...]]:
    listings: list[Listing] = []
    refused: list[Rejected] = []
    for number, entry in enumerate(list(entries)[:MOST_ENTRIES], 1):
        try:
            listings.append(_listing(entry, now))
        except InvalidInput as exc:
            refused.append(rejected(f"entry {number}", exc, entry.get("title")))
    return tuple(listings), tuple(refused)


def _listing(entry: Any, now: datetime) -> Listing:
    number = arxiv_id(text_of(entry.get("id"))) or arxiv_id(text_of(entry.get("link")))
    if not number:
        raise InvalidInput("has no arXiv id")
    announced = bool(entry.get("arxiv_announce_type")) or _PREFIX.match(_summary(entry))
    day = entry_day(entry, now, "published", "updated")
    # an announcement's date is the day of the listing; a replaced or cross-listed paper is older
    is_first = entry.get("arxiv_announce_type") in (None, "new")
    return make_listing(
        title=entry.get("title"),
        abstract=_PREFIX.sub("", _summary(entry), count=1),
        authors=feed_authors(entry),
        categories=_categories(entry),
        ids=(number, entry.get("arxiv_doi")),
        links=Links(pdf=f"https://arxiv.org/pdf/{number}"),
        venue=entry.get("arxiv_journal_reference")
        or entry.get("arxiv_journal_ref")
        or _taken_by(text_of(entry.get("arxiv_comment"))),
        published_on=day if is_first else None,
        listed_on=day if announced else entry_day(entry, now, "updated", "published"),
    )


def _summary(entry: Any) -> str:
    return text_of(entry.get("summary"))


def _taken_by(comment: str) -> str | None:
    """The venue that took the paper, as its authors say; None where they do not."""
    found = _TAKEN.search(comment[:1_000])
    # names have capitals; `published in 2019` and `presented in two parts` have none
    return found[1].strip() if found and _NAMED.search(found[1]) else None


def _categories(entry: Any) -> list[str]:
    """arXiv's own categories, the primary one first; other classes, such as MSC, are left out."""
    primary = entry.get("arxiv_primary_category") or {}
    terms = [primary.get("term"), *(tag.get("term") for tag in entry.get("tags", ()))]
    return [term for term in terms if isinstance(term, str) and _ARCHIVE.fullmatch(term)]


def _refuse_error(found: Any) -> None:
    """arXiv reports faults as a valid feed: by its title, or by one entry named Error."""
    title = plain_text(text_of(found.feed.get("title")), 200)
    if title.lower().startswith("feed error"):
        said = plain_text(text_of(found.feed.get("subtitle")), 200)
        raise SourceUnreadable(f"arXiv answers {title!r} {said}".strip() + ": check the categories")
    for entry in found.entries[:1]:
        if "/api/errors" in text_of(entry.get("id")) or (
            text_of(entry.get("title")) == "Error" and len(found.entries) == 1
        ):
            raise SourceUnreadable(f"arXiv answers: {plain_text(_summary(entry), 200)}")


def _is_skipped(body: bytes, feed: Any, now: datetime) -> bool:
    declared = _SKIP_DAYS.search(body)
    days = {
        d.decode("ascii", "replace").lower() for d in _DAY.findall(declared[1] if declared else b"")
    }
    day = entry_day(feed, now, "published", "updated") or now.astimezone(_ZONE).date()
    return day.strftime("%A").lower() in (days or _WEEKEND)
