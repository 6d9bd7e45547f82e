"""Interests: what a subscriber wants, or does not want, to read about."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from digest.errors import InvalidInput

LONGEST = 64
MOST = 50
HEAVIEST = 10.0

# A sign is read too, so that `phrase^-1` is refused and not taken for a phrase.
_WEIGHT = re.compile(r"^(?P<text>.*\S)\s*\^\s*(?P<weight>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))$")


class InterestKind(StrEnum):
    """What an interest is compared with."""

    PHRASE = "phrase"
    AUTHOR = "author"
    CATEGORY = "category"


@dataclass(frozen=True, kw_only=True, slots=True)
class Interest:
    """One thing a subscriber wants (`excluded` False) or never wants.

    `text` is as the subscriber wrote it; `weight` is above 0, at most 10, and 1 where none is
    given.
    """

    kind: InterestKind
    text: str
    weight: float = 1.0
    excluded: bool = False

    @property
    def key(self) -> str:
        """What makes two interests the same one: folded case, width and white space."""
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", self.text).casefold())
        return " ".join(folded.split())


def interest(
    text: str, kind: InterestKind = InterestKind.PHRASE, *, excluded: bool = False
) -> Interest:
    """Read one interest as people type it: `continual learning`, or `continual learning^2` with a
    weight.

    Raises InvalidInput when it is empty, longer than 64 characters, has no letter or digit, or when
    its weight is not above 0 and at most 10.
    """
    cleaned = _plain(text)
    weight = 1.0
    if match := _WEIGHT.match(cleaned):
        cleaned, weight = match["text"], float(match["weight"])
    if not any(c.isalnum() for c in cleaned):
        raise InvalidInput(
            f"interest {text[:60]!r} has no letter or digit: give a word or a phrase"
        )
    if len(cleaned) > LONGEST:
        raise InvalidInput(
            f"interest {cleaned[:24]!r}… has {len(cleaned)} characters: at most {LONGEST}"
        )
    if not 0 < weight <= HEAVIEST:
        raise InvalidInput(
            f"interest {text[:60]!r}: a weight lies above 0 and at most at {HEAVIEST:g}"
        )
    return Interest(kind=kind, text=cleaned, weight=weight, excluded=excluded)


def written(item: Interest) -> str:
    """The interest as `interest` reads it again, to the last digit of its weight."""
    # a text that ends like a weight (`C^2`) needs one of its own, or it would be read as that
    if item.weight == 1 and not _WEIGHT.match(item.text):
        return item.text
    return f"{item.text}^{plain_number(item.weight)}"


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


def _plain(text: str) -> str:
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return " ".join(visible.split())
