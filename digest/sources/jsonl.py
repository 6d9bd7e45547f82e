"""JSON lines: one paper a line, in the shape that `digest rank` reads, and a little more."""

from datetime import datetime

from digest.domain.papers import Attention, Listing, Rejected
from digest.errors import InvalidInput, SourceUnreadable
from digest.sources.entries import (
    Parsed,
    count,
    day_of,
    is_html,
    load_json,
    make_listing,
    rejected,
    split_authors,
    text_of,
)


def parse(body: bytes, now: datetime) -> Parsed:
    """Keys: id, title, abstract, authors, categories, venue, date, upvotes, comments, stars, url,
    doi, arxiv; a line that is no object or has no title is rejected by its number.
    """
    if is_html(body):
        raise SourceUnreadable("expected JSON lines; got an HTML page")
    listings: list[Listing] = []
    refused: list[Rejected] = []
    rows = 0
    for number, line in enumerate(body.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        rows += 1
        try:
            listings.append(_listing(line, now))
        except (InvalidInput, SourceUnreadable) as exc:
            refused.append(rejected(f"line {number}", InvalidInput(str(exc))))
    return Parsed(listings=tuple(listings), rejected=tuple(refused), rows=rows)


def _listing(line: bytes, now: datetime) -> Listing:
    fields = load_json(line.strip())
    if not isinstance(fields, dict):
        raise InvalidInput("is no JSON object: write one {…} with a title per line")
    day = day_of(fields.get("date"), now)
    return make_listing(
        title=fields.get("title"),
        abstract=fields.get("abstract"),
        authors=_list(fields.get("authors")),
        categories=_list(fields.get("categories")),
        ids=(fields.get(key) for key in ("arxiv", "doi", "url", "id")),
        page=fields.get("url"),
        venue=fields.get("venue"),
        published_on=day,
        listed_on=day,
        attention=Attention(
            upvotes=count(fields.get("upvotes")),
            comments=count(fields.get("comments")),
            stars=count(fields.get("stars")),
        ),
    )


def _list(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    return list(split_authors(text_of(value)))
