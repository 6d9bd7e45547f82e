"""Interests: what a subscriber wants, or does not want, to read about."""

import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from digest.domain.interest_language import (
    LONGEST,
    InterestError,
    InterestKind,
    Term,
    read,
    read_terms,
    spelled,
    with_weight,
)
from digest.errors import InvalidInput

__all__ = [
    "LONGEST",
    "MOST",
    "Interest",
    "InterestError",
    "InterestKind",
    "distinct",
    "in_its_list",
    "interest",
    "plain_number",
    "written",
]

MOST = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Interest:
    """One thing a subscriber wants (`excluded` False) or never wants.

    `text` is as the subscriber wrote it, without field and quotes; of kind ALL it is the terms in
    the interest language. `weight` is above 0, at most 10, and 1 where none is given.
    """

    kind: InterestKind
    text: str
    weight: float = 1.0
    excluded: bool = False

    @property
    def key(self) -> str:
        """What makes two interests of a kind the same one: folded case, width and white space; of
        kind ALL whatever the order of the terms.
        """
        if self.kind is InterestKind.ALL:
            return " AND ".join(sorted(_signed_key(term) for term in self.terms))
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", self.text).casefold())
        return " ".join(folded.split())

    @property
    def terms(self) -> tuple["Interest", ...]:
        """The interests that must all hold, those that must not (`excluded`) last; of any kind but
        ALL just this one, as something wanted.
        """
        if self.kind is InterestKind.ALL:
            return _terms(self.text)
        return (Interest(kind=self.kind, text=self.text),)

    @property
    def label(self) -> str:
        """The text as a reader is shown it: an exact phrase in quotes."""
        return spelled(_spoken(self)) if self.kind is InterestKind.EXACT else self.text


def interest(
    text: str, kind: InterestKind = InterestKind.PHRASE, *, excluded: bool = False
) -> Interest:
    """Read one interest as people type it: `continual learning`, `"exact words"^2`, `-survey`,
    `author:Y. LeCun AND cat:cs.LG`.

    `kind` is what it is where it names no field; of a list of authors or categories each is one
    name. Raises InterestError (an InvalidInput) where it is not in the language, is longer than 64
    characters or contradicts `kind` or `excluded`.
    """
    found = read(text, kind, excluded=excluded)
    (first, *others) = found.terms
    meant = InterestKind.ALL if others else first.kind
    words = spelled(found.terms) if others else first.text
    if len(words) > LONGEST:
        raise InterestError(f"has {len(words)} characters: at most {LONGEST}", words, LONGEST)
    return Interest(kind=meant, text=words, weight=found.weight, excluded=found.excluded)


def written(item: Interest) -> str:
    """The interest in the interest language, as `interest` reads it again, to the last digit of its
    weight; what is excluded begins with `-`.
    """
    if item.kind is InterestKind.ALL:
        text = f"-({item.text})" if item.excluded else item.text
    else:
        text = spelled((Term(kind=item.kind, text=item.text, absent=item.excluded),))
    return with_weight(text, item.weight, plain_number(item.weight))


def in_its_list(item: Interest) -> str:
    """The interest as its own list holds it: a list of authors or categories needs no field, one of
    what is excluded no `-`.
    """
    column = InterestKind.PHRASE if item.excluded else item.kind
    names = (InterestKind.AUTHOR, InterestKind.CATEGORY)
    text = spelled(_spoken(item), column if column in names else InterestKind.PHRASE)
    return with_weight(text, item.weight, plain_number(item.weight))


def plain_number(value: float) -> str:
    """The shortest decimal that reads as the same float, without an exponent: `2`, `0.5`."""
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def distinct(items: tuple[Interest, ...]) -> tuple[Interest, ...]:
    """The interests without repeats, the last wins in place of the first; at most 50, else
    InvalidInput.
    """
    unique = {(item.kind, item.key, item.excluded): item for item in items}
    if len(unique) > MOST:
        raise InvalidInput(f"{len(unique)} interests: at most {MOST} for one subscriber")
    return tuple(unique.values())


def _spoken(item: Interest) -> tuple[Term, ...]:
    return tuple(Term(kind=t.kind, text=t.text, absent=t.excluded) for t in item.terms)


@lru_cache(maxsize=1 << 14)
def _terms(text: str) -> tuple[Interest, ...]:
    return tuple(
        Interest(kind=term.kind, text=term.text, excluded=term.absent) for term in read_terms(text)
    )


def _signed_key(term: Interest) -> str:
    """A term's key among others: keys are in small letters, so ` AND ` stands between them only."""
    return f"{'-' if term.excluded else ''}{term.kind.value}:{term.key}"
