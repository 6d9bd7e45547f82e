"""Noun phrases of a text: runs of one to four words that stand between what cannot be part of one.

Boundaries are stop words, punctuation, adverbs, numbers and the words that every paper uses of
itself. A hyphen ties: no phrase begins or ends amid `class-incremental`.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from digest.ranking.scholarly import BREAKS, PLAIN
from digest.ranking.vocabulary import STOP_WORDS, Token, is_ideograph, is_name, tokens

LONGEST = 4  # words

Gram = tuple[str, ...]
"""The forms, or the stems, of neighbouring words."""

_NUMBER = re.compile(r"\d+(?:\.\d+)*(?:[kmbx]|th|st|nd|rd|fps|ms|gb)?")
_ADVERB = re.compile(r"[^\W\d]{3,}ly")
_NO_ADVERBS = frozenset(("anomaly", "assembly", "family", "monopoly", "poly", "supply"))
_PARTICIPLE = re.compile(r"[^\W\d]{3,}ed")
_NO_PARTICIPLES = frozenset(("breed", "feed", "mixed", "seed", "speed"))


class Found(NamedTuple):
    """One occurrence: its names, its span in the text, and whether a boundary stands before and
    after it.
    """

    forms: Gram
    stems: Gram
    start: int
    end: int
    before: bool
    after: bool


def phrases(text: str) -> Iterator[Found]:
    """Every run of words in the text that may be a noun phrase, pieces of longer ones too."""
    for run, tied in _runs(text):
        for first in range(len(run)):
            if tied[first] or _heads(run[first], text):
                continue
            for last in range(first, min(first + LONGEST, len(run))):
                if not run[last].joined and _tells(run[first : last + 1]):
                    yield _found(run, first, last)


def _found(run: Sequence[Token], first: int, last: int) -> Found:
    words = run[first : last + 1]
    return Found(
        forms=tuple(word.form for word in words),
        stems=tuple(word.stem for word in words),
        start=words[0].start,
        end=words[-1].end,
        before=first == 0,
        after=last == len(run) - 1,
    )


def _runs(text: str) -> Iterator[tuple[list[Token], list[bool]]]:
    """The words between boundaries, and which of them a hyphen ties to the word before."""
    run: list[Token] = []
    ties: list[bool] = []
    end, tied = 0, False
    for word in tokens(text):
        parted = not tied and bool(text[end : word.start].strip())
        barrier = _is_boundary(word, text, tied)
        if run and (parted or barrier):
            yield run, ties
            run, ties = [], []
        if not barrier:
            run.append(word)
            ties.append(tied)
        end, tied = word.end, word.joined
    if run:
        yield run, ties


def _is_boundary(word: Token, text: str, tied: bool) -> bool:
    form = word.form
    if form in STOP_WORDS:
        return True
    if _NUMBER.fullmatch(form):
        return not tied  # `GPT-4`, but neither `4` nor `10x`
    if tied or word.joined:
        return False
    if len(form) < 3 and not is_ideograph(form):
        return not (len(form) == 2 and is_name(text[word.start : word.end]))
    return form in BREAKS or (_ADVERB.fullmatch(form) is not None and form not in _NO_ADVERBS)


def _heads(word: Token, text: str) -> bool:
    """Whether a title begins with what somebody does: `Correcting language models in place`."""
    return not text[: word.start].strip() and word.form.endswith("ing") and len(word.form) > 5


def _tells(words: Sequence[Token]) -> bool:
    """Whether the words can stand for a topic: not of plain ones alone, nor ending half-way."""
    last = words[-1].form
    if len(words) == 1 and (len(last) < 2 or is_ideograph(last)):
        return False
    if _PARTICIPLE.fullmatch(last) and last not in _NO_PARTICIPLES:
        return False
    return len(words) > 1 or last not in PLAIN
