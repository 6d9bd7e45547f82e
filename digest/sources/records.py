"""Parsed entries ↔ plain lists, texts and numbers, as they cross the pipe of a cell.

What comes back was made beside bytes from outside, so nothing is believed but its shape: every
value is checked, and no code can come with it, as it could with a pickle.
"""

import struct
from collections.abc import Callable
from datetime import date
from typing import TypeVar

from digest.domain.papers import Alias, Attention, Links, Listing, Rejected, Scheme
from digest.sources.entries import Parsed

REQUEST = struct.Struct("!II")  # the lengths of a request's header and body
ANSWER = struct.Struct("!I")
Plain = list[object]
_T = TypeVar("_T")


def to_plain(found: Parsed) -> Plain:
    """The entries as what JSON can hold."""
    return [
        [_listing(one) for one in found.listings],
        [[one.where, one.reason] for one in found.rejected],
        found.rows,
        found.total,
        found.quiet,
    ]


def from_plain(value: object) -> Parsed:
    """The entries again. Raises ValueError or TypeError for anything else."""
    listings, refused, rows, total, quiet = _row(value, 5)
    return Parsed(
        listings=_all(listings, _listing_of),
        rejected=_all(refused, _rejected_of),
        rows=_of(rows, int),
        total=_maybe(total, int),
        quiet=_of(quiet, bool),
    )


def _listing(one: Listing) -> Plain:
    links, attention = one.links, one.attention
    return [
        one.title,
        one.abstract,
        one.authors,
        one.categories,
        [[alias.scheme, alias.value] for alias in one.aliases],
        one.url,
        [links.pdf, links.code, links.project, links.discussion],
        one.tldr,
        one.venue,
        one.published_on and one.published_on.isoformat(),
        one.listed_on and one.listed_on.isoformat(),
        [attention.upvotes, attention.comments, attention.stars],
    ]


def _listing_of(value: object) -> Listing:
    title, abstract, authors, categories, aliases, url, links, *rest = _row(value, 12)
    tldr, venue, published_on, listed_on, attention = rest
    return Listing(
        title=_text(title),
        abstract=_text(abstract),
        authors=_all(authors, _text),
        categories=_all(categories, _text),
        aliases=_all(aliases, _alias_of),
        url=_maybe(url, str),
        links=_links_of(links),
        tldr=_maybe(tldr, str),
        venue=_maybe(venue, str),
        published_on=_day(published_on),
        listed_on=_day(listed_on),
        attention=_attention_of(attention),
    )


def _links_of(value: object) -> Links:
    pdf, code, project, discussion = (_maybe(one, str) for one in _row(value, 4))
    return Links(pdf=pdf, code=code, project=project, discussion=discussion)


def _attention_of(value: object) -> Attention:
    upvotes, comments, stars = (_maybe(one, int) for one in _row(value, 3))
    return Attention(upvotes=upvotes, comments=comments, stars=stars)


def _alias_of(value: object) -> Alias:
    scheme, name = _row(value, 2)
    return Alias(scheme=Scheme(_text(scheme)), value=_text(name))


def _rejected_of(value: object) -> Rejected:
    where, reason = _row(value, 2)
    return Rejected(where=_text(where), reason=_text(reason))


def _row(value: object, length: int) -> Plain:
    if not isinstance(value, list) or len(value) != length:
        raise TypeError(f"expected a list of {length}")
    return value


def _all(value: object, each: Callable[[object], _T]) -> tuple[_T, ...]:
    if not isinstance(value, list):
        raise TypeError("expected a list")
    return tuple(each(one) for one in value)


def _text(value: object) -> str:
    return _of(value, str)


def _of(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:  # a bool is no count
        raise TypeError(f"expected {kind.__name__}")
    return value


def _maybe(value: object, kind: type[_T]) -> _T | None:
    return None if value is None else _of(value, kind)


def _day(value: object) -> date | None:
    return None if value is None else date.fromisoformat(_text(value))
