"""The text of a listing page: titles and abstracts in turn, under a masthead.

Two layouts are known. In one the masthead's `Subscribe` is glued to the first title; the other has
blank lines, a curator's line and a day without a year.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from digest.domain.papers import Listing, Rejected
from digest.domain.text import plain_text
from digest.errors import InvalidInput, SourceUnreadable
from digest.sources import masthead
from digest.sources.entries import Parsed, is_html, make_listing, rejected
from digest.sources.layout import Label, labelled

_EXPECTED = (
    "expected the text of a listing page: 'Get trending papers in your email inbox!' and "
    "'Subscribe', then a title line and an abstract line in turn"
)
_MASTHEAD_MOST = 15
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_QUOTE_MOST = 60


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that may belong to a paper, its number, and the day named above it."""

    number: int
    text: str
    day: date | None


def parse(body: bytes, now: datetime) -> Parsed:
    """The papers in the page's order.

    Raises SourceUnreadable where no masthead is found, or none of the lines below it make a paper.
    """
    if is_html(body):
        raise SourceUnreadable(f"{_EXPECTED}; got HTML: save the page as text")
    text = _decoded(body)
    numbered = [(n, line.strip()) for n, line in enumerate(_LINE_BREAK.split(text), 1)]
    filled = [(number, line) for number, line in numbered if line]
    _require_masthead(filled)
    lines = list(_of_papers(filled, now))
    listings, refused = _papers(lines)
    return Parsed(listings=listings, rejected=refused, rows=len(listings) + len(refused))


def _decoded(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1252", errors="replace")
    if "\0" in text[:1_000]:
        raise SourceUnreadable(f"{_EXPECTED}; got binary data")
    return text


def _require_masthead(filled: list[tuple[int, str]]) -> None:
    top = [line for _, line in filled[:_MASTHEAD_MOST]]
    if not any(masthead.is_invitation(line) or masthead.is_subscribe(line) for line in top):
        first = plain_text(top[0], _QUOTE_MOST) if top else ""
        got = f"line {filled[0][0]} is {first!r}" if top else "the text is empty"
        raise SourceUnreadable(f"{_EXPECTED}; {got}")


def _of_papers(filled: list[tuple[int, str]], now: datetime) -> Iterator[_Line]:
    """The lines without the page's furniture, each under the day last named.

    Pages saved one after the other in one file begin again at each masthead.
    """
    day: date | None = None
    in_masthead = True
    previous = ""
    for number, line in filled:
        text = line
        if masthead.is_invitation(previous) and text[:9].lower() == "subscribe" and text[9:]:
            text = text[9:].lstrip()  # the button, glued to the first title
        previous = line
        if masthead.names_day(text):
            day = masthead.day_in(text, now) or day
        elif masthead.is_furniture(text):
            in_masthead = in_masthead or masthead.is_invitation(text) or masthead.is_subscribe(text)
        else:
            is_byline = in_masthead and text is line and masthead.is_byline(text)
            in_masthead = False
            if not is_byline:
                yield _Line(number, text, day)


def _papers(lines: list[_Line]) -> tuple[tuple[Listing, ...], tuple[Rejected, ...]]:
    listings: list[Listing] = []
    refused: list[Rejected] = []
    for title, abstract in _entries(lines, refused):
        try:
            listings.append(make_listing(title=title.text, abstract=abstract, listed_on=title.day))
        except InvalidInput as exc:
            refused.append(rejected(f"line {title.number}", exc, title.text))
    refused.sort(key=lambda entry: int(entry.where.removeprefix("line ")))
    return tuple(listings), tuple(refused)


def _entries(lines: list[_Line], refused: list[Rejected]) -> Iterator[tuple[_Line, str]]:
    """Each title with its abstract; lines that are neither go to `refused`."""
    title: _Line | None = None
    parts: list[str] = []
    for line, label in zip(lines, labelled([line.text for line in lines]), strict=True):
        match label:
            case Label.TITLE:
                if title:
                    yield title, " ".join(parts)
                title, parts = line, []
            case Label.ABSTRACT | Label.MORE:
                parts.append(line.text)
            case Label.REJECTED:
                why = InvalidInput("has no abstract below it, or no title above it")
                refused.append(rejected(f"line {line.number}", why, line.text))
    if title:
        yield title, " ".join(parts)
