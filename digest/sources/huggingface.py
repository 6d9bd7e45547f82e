"""Hugging Face daily papers: the API's reply, live or saved."""

from datetime import datetime

from digest.domain.papers import Attention, Links, Listing, Rejected
from digest.domain.text import safe_url
from digest.errors import InvalidInput
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
    """Every entry with a title is a listing; all other fields are optional in the API."""
    found = records(load_json(body), "a list of daily papers")
    listings: list[Listing] = []
    refused: list[Rejected] = []
    for number, entry in enumerate(found, 1):
        try:
            listings.append(_listing(entry, now))
        except InvalidInput as exc:
            refused.append(rejected(f"entry {number}", exc))
    return Parsed(listings=tuple(listings), rejected=tuple(refused), rows=len(found))


def _listing(entry: object, now: datetime) -> Listing:
    if not isinstance(entry, dict):
        raise InvalidInput(f"is {_kind(entry)} where an object was expected")
    nested = entry.get("paper")
    paper: Fields = nested if isinstance(nested, dict) else entry
    number = text_of(paper.get("id")).strip()
    page = safe_url(f"https://huggingface.co/papers/{number}") if number else None
    published = day_of(paper.get("publishedAt"), now)
    submitted = paper.get("submittedOnDailyAt") or entry.get("submittedOnDailyAt")
    return make_listing(
        title=entry.get("title") or paper.get("title"),
        abstract=paper.get("summary") or entry.get("summary"),
        authors=_authors(paper.get("authors")),
        ids=(number,),
        page=page,
        links=Links(
            code=safe_url(text_of(paper.get("githubRepo"))),
            project=safe_url(text_of(paper.get("projectPage"))),
            discussion=page,
        ),
        tldr=paper.get("ai_summary"),
        published_on=published,
        # older replies lack the day of the listing; there the entry's own publishedAt was that day
        listed_on=day_of(submitted, now) or day_of(entry.get("publishedAt"), now) or published,
        attention=Attention(
            upvotes=count(paper.get("upvotes")),
            comments=count(entry.get("numComments")),
            stars=count(paper.get("githubStars")),
        ),
    )


def _authors(value: object) -> list[object]:
    """The names, without those that the source hides."""
    people = value if isinstance(value, list) else []
    return [
        person.get("name") if isinstance(person, dict) else person
        for person in people
        if not (isinstance(person, dict) and person.get("hidden") is True)
    ]


def _kind(value: object) -> str:
    if isinstance(value, str) and value.lstrip().startswith("{'"):
        return "a Python repr"
    return {"str": "text", "NoneType": "null"}.get(type(value).__name__, type(value).__name__)
