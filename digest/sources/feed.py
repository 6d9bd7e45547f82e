"""Any RSS, Atom or RDF feed."""

from datetime import datetime
from typing import Any

from digest.domain.papers import Links, Listing, Rejected
from digest.domain.text import safe_url
from digest.errors import InvalidInput
from digest.sources.entries import (
    MOST_ENTRIES,
    Parsed,
    make_listing,
    rejected,
    split_authors,
    text_of,
)
from digest.sources.feedxml import entry_day, parse_feed

_IDENTIFIERS = ("id", "link", "prism_doi", "dc_identifier", "citation_doi", "arxiv_doi")


def parse(body: bytes, now: datetime, *, url: str | None = None, content_type: str = "") -> Parsed:
    """Each entry once: a repeated GUID is the same entry, of which the first counts."""
    found = parse_feed(body, url=url, content_type=content_type)
    listings: list[Listing] = []
    refused: list[Rejected] = []
    seen: set[str] = set()
    for number, entry in enumerate(found.entries[:MOST_ENTRIES], 1):
        if (guid := text_of(entry.get("id"))) in seen:
            continue
        try:
            listings.append(_listing(entry, now))
        except InvalidInput as exc:
            refused.append(rejected(f"entry {number}", exc))
        seen |= {guid} if guid else set()
    return Parsed(listings=tuple(listings), rejected=tuple(refused), rows=len(found.entries))


def _listing(entry: Any, now: datetime) -> Listing:
    published = entry_day(entry, now, "published", "created", "updated")
    return make_listing(
        title=entry.get("title"),
        abstract=_abstract(entry),
        authors=feed_authors(entry),
        categories=(tag.get("term") for tag in entry.get("tags", ())),
        ids=(entry.get(field) for field in _IDENTIFIERS),
        page=entry.get("link"),
        links=Links(pdf=_pdf(entry)),
        venue=entry.get("prism_publicationname") or entry.get("dc_source"),
        published_on=published,
        listed_on=published,
    )


def feed_authors(entry: Any) -> list[str]:
    """The authors: one element each, or all joined in one."""
    given = [text_of(person.get("name")) for person in entry.get("authors", ())]
    given = [name for name in given if name] or [text_of(entry.get("author"))]
    return [name for joined in given for name in split_authors(joined)]


def _abstract(entry: Any) -> str:
    """The summary, or the content where that says more."""
    contents = [text_of(part.get("value")) for part in entry.get("content", ())]
    summary = text_of(entry.get("summary"))
    return summary or max(contents, key=len, default="")


def _pdf(entry: Any) -> str | None:
    for link in (*entry.get("links", ()), *entry.get("enclosures", ())):
        if link.get("type") == "application/pdf" and (url := safe_url(text_of(link.get("href")))):
            return url
    return None
