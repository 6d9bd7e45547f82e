"""bioRxiv and medRxiv: pages of the `details` API."""

from datetime import datetime

from digest.domain.identity import doi
from digest.domain.papers import Links, Listing, Rejected
from digest.domain.text import plain_text
from digest.errors import InvalidInput, SourceUnreadable
from digest.sources.entries import (
    Parsed,
    count,
    day_of,
    load_json,
    make_listing,
    records,
    rejected,
    text_of,
)

Fields = dict[str, object]


def parse(body: bytes, now: datetime) -> Parsed:
    """One page; a preprint that stands in it in several versions is listed once, as the latest."""
    reply = load_json(body)
    if not isinstance(reply, dict):
        raise SourceUnreadable(f"expected an object with a collection; got {type(reply).__name__}")
    status, total = _message(reply)
    given = reply.get("collection", [] if status else reply)
    rows = records(given, "an object with a collection")
    if not rows and status not in ("", "ok") and "no posts" not in status:
        raise SourceUnreadable(f"the source answers: {status}")
    listings: dict[str, Listing] = {}
    refused: list[Rejected] = []
    for number, row in enumerate(sorted(rows, key=_version), 1):
        try:
            name = doi(text_of(row.get("doi"))) if isinstance(row, dict) else None
            listings[name or f"entry {number}"] = _listing(row, now)
        except InvalidInput as exc:
            refused.append(rejected(f"entry {number}", exc))
    return Parsed(
        listings=tuple(listings.values()), rejected=tuple(refused), rows=len(rows), total=total
    )


def _listing(row: object, now: datetime) -> Listing:
    if not isinstance(row, dict):
        raise InvalidInput("is no object")
    name = doi(text_of(row.get("doi")))
    posted = day_of(row.get("date"), now)
    return make_listing(
        title=row.get("title"),
        abstract=row.get("abstract"),
        authors=_authors(text_of(row.get("authors"))),
        categories=(row.get("category"),),
        ids=(name, row.get("published")),  # "NA" where no journal has it yet
        links=Links(pdf=_pdf(row, name)),
        published_on=posted,
        listed_on=posted,
    )


def _authors(joined: str) -> list[str]:
    """`Smith, J.; Doe, A.` → J. Smith, A. Doe."""
    turned = []
    for author in plain_text(joined).split(";"):
        family, _, given = author.partition(",")
        turned.append(f"{given.strip()} {family.strip()}".strip())
    return turned


def _pdf(row: Fields, name: str | None) -> str | None:
    server = text_of(row.get("server")).lower()
    version = _version(row)
    if not name or server not in ("biorxiv", "medrxiv") or not version:
        return None
    return f"https://www.{server}.org/content/{name}v{version}.full.pdf"


def _version(row: object) -> int:
    value = row.get("version") if isinstance(row, dict) else None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:4])
    return count(value) or 0


def _message(reply: Fields) -> tuple[str, int | None]:
    messages = reply.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else {}
    fields: Fields = first if isinstance(first, dict) else {}
    total = fields.get("total")
    if isinstance(total, str) and total.isascii() and total.isdigit():
        total = int(total[:9])
    return plain_text(text_of(fields.get("status")), 200).lower(), count(total)
