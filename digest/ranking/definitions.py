"""Where a text says what a short form stands for: `large language models (LLMs)`, or the reverse.

Words and letters are laid side by side: each letter of the short form is the initial of a word, or
stands further on in a word whose initial is taken too (`LoRA`, `DNA`); each word gives a letter but
for prepositions, second halves (`pre-trained`) and a last `model` that the short form leaves out.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from digest.ranking.vocabulary import STOP_WORDS, is_name, word_names

_PARENTHESIS = re.compile(r"\(([^()\n]{2,100})\)")
_SHORT = re.compile(r"[^\W_](?:[&/.+\-\u2010\u2011]?[^\W_]){1,11}")
_SHORT_BEFORE = re.compile(r"(?<![\w&/.+\-])[^\W_](?:[&/.+\-]?[^\W_]){1,11}$")
_MARKUP = re.compile(r"\\[A-Za-z]+\s?(?=\{)|[{}*$\\]|(?<!\w)_+|_+(?!\w)")
_QUOTES = re.compile(r"[\"`“”]|(?<!\w)['‘’]|['‘’](?!\w)")
_BORDER = re.compile(r"[.!?,:]\s|[;()\[\]\n\u2014]|---|\s[-\u2013]+\s")
_DASH = re.compile(r"(?<=\w)--(?=\w)")
_LIST = re.compile("[;,]")
_WORD = re.compile(r"[^\W_]+(?:['’]s\b)?")
_HYPHENS = frozenset("-\u2010\u2011\u2012\u2013\u2212/")
_BEFORE = 140  # characters in which a long form must begin

# Words that a long form may begin with though they tell nothing: `in-context learning`. Those of
# the second set do so without a hyphen: `out of distribution`, `You Only Look Once`.
_TIED_STARTS = frozenset(("in", "on", "off", "over", "under", "before", "after"))
_STARTS = frozenset(("all", "few", "no", "once", "out", "same", "very", "you"))
_HEAD_NAMES = """algorithm approach architecture framework method mechanism model module network
    paradigm problem setting strategy system task technique"""
_HEADS = frozenset(_HEAD_NAMES.split())
_SOUNDS = {"2": ("to", "two"), "3": ("three",), "4": ("for", "four"), "x": ("ex", "cross", "trans")}
_IDLE = frozenset(("SOTA", "SoTA", "SotA"))  # right, and nobody's interest

_INNER = 2  # what a letter inside a word costs
_SKIPPED = 1  # what a word without a letter costs
_NEVER = 1_000


class _Word(NamedTuple):
    text: str
    start: int
    end: int
    tied: bool  # by a hyphen to the word before


def definitions(text: str) -> Iterator[tuple[str, str]]:
    """Each short form defined in the text with its long form, in order.

    The short form is as spelled but for a plural `s`; the long form begins small and ends in the
    singular where the text has
    both as plurals.
    """
    for match in _PARENTHESIS.finditer(text):
        inside = _plain(match[1])
        head = _LIST.split(inside, maxsplit=1)[0].strip()
        before = text[max(0, match.start() - _BEFORE) : match.start()]
        if found := _defined(head, before):
            yield found


def _plain(text: str) -> str:
    """The text without what LaTeX and Markdown leave: `\\textbf{L}arge`, `**L**arge`."""
    if "\\" in text or "*" in text or "{" in text or "$" in text or "_" in text:
        text = _MARKUP.sub("", text)
    if "--" in text:
        text = _DASH.sub("-", text)
    return _QUOTES.sub("", text)


def _defined(head: str, before: str) -> tuple[str, str] | None:
    """The pair of what a parenthesis begins with and what stands before it."""
    if _SHORT.fullmatch(head):
        if not any(map(_is_short, _singulars(head))):
            return None
        clause = _plain(before).rstrip()
        border = max((m.end() for m in _BORDER.finditer(clause)), default=0)
        return _explained(head, clause[border:], whole=False)
    if match := _SHORT_BEFORE.search(_plain(before[-20:]).rstrip()):
        return _explained(match[0], head, whole=True)
    return None


def _singulars(short: str) -> tuple[str, ...]:
    """What a short form may be the plural of, and itself."""
    return (short[:-1], short) if short.endswith("s") and len(short) > 2 else (short,)


def _explained(short: str, clause: str, *, whole: bool) -> tuple[str, str] | None:
    """The pair, where the end of the clause, or the `whole` of it, explains the short form."""
    words = _words(clause)
    for spelling in _singulars(short):
        if _is_short(spelling) and (found := _long_form(spelling, words, whole=whole)):
            return spelling, _spelled(found, clause, plural=spelling != short)
    return None


def _is_short(text: str) -> bool:
    """Whether it is spelled as an acronym: with two capitals, or one and a last digit."""
    capitals = sum(c.isupper() for c in text)
    return (capitals >= 2 or (capitals == 1 and text[-1].isdigit())) and text not in _IDLE


def _words(clause: str) -> list[_Word]:
    result: list[_Word] = []
    end = -2
    for match in _WORD.finditer(clause):
        tied = match.start() == end + 1 and clause[end] in _HYPHENS
        result.append(_Word(match[0], match.start(), match.end(), tied))
        end = match.end()
    return result


def _long_form(short: str, words: list[_Word], *, whole: bool) -> list[_Word]:
    """The words at the end that explain the short form at least cost, of equals the fewest; empty
    where none do.
    """
    letters = "".join(c for c in short if c.isalnum())
    most = min(len(letters) + 5, 2 * len(letters))
    if not words or (whole and len(words) > most):
        return []
    least = 0 if whole else max(0, len(words) - most)
    best, chosen = _NEVER, list[_Word]()
    for first in range(0 if whole else len(words) - 1, least - 1, -1):
        if not _sounds(letters[0], words[first].text) or not _may_start(words[first:]):
            continue
        tail = words[first:]
        for kept, extra in ((tail, 0), (_without_head(tail), _SKIPPED)):
            if kept and (cost := _cost(letters, kept) + extra) < best:
                best, chosen = cost, kept
        if best == 0:
            break
    return chosen


def _may_start(words: list[_Word]) -> bool:
    first = words[0].text.lower()
    if words[0].tied:
        return False
    if first in _TIED_STARTS:
        return len(words) > 1 and words[1].tied
    return first not in STOP_WORDS or first in _STARTS


def _without_head(words: list[_Word]) -> list[_Word]:
    """The words before a last `models` that may lack a letter (`diffusion transformer models
    (DiT)`); none where they end otherwise.
    """
    if len(words) > 2 and word_names(words[-1].text.lower())[0] in _HEADS:
        return words[:-1]
    return []


def _cost(letters: str, words: list[_Word]) -> int:
    """How far the words are from giving one initial each; `_NEVER` where they do not explain the
    letters.
    """
    if len(letters) < 2 or (len(words) == 1 and len(letters) < 3):
        return _NEVER
    cost = _fit(letters, tuple((word.text, word.tied) for word in words))
    inner = len(letters) - 1 if len(words) == 1 else len(letters) // 2
    if len(letters) == 2:
        inner = 0
    return cost if cost // _INNER <= inner else _NEVER


@lru_cache(maxsize=1 << 14)
def _fit(letters: str, words: tuple[tuple[str, bool], ...], first: bool = True) -> int:
    """The least cost of laying all letters on all words, `_NEVER` if it cannot be."""
    if not words:
        return 0 if not letters else _NEVER
    (text, tied), rest = words[0], words[1:]
    best = _NEVER
    if not first and (tied or text.lower() in STOP_WORDS):
        best = _fit(letters, rest, False) + (0 if text.lower() in STOP_WORDS else _SKIPPED)
    if letters and _sounds(letters[0], text):
        for taken, cost in _taken(letters, text):
            best = min(best, cost + _fit(letters[taken:], rest, False))
    return min(best, _NEVER)


def _sounds(letter: str, word: str) -> bool:
    low, lower = letter.lower(), word.lower()
    if lower[0] == low:
        return True
    others = _SOUNDS.get(low, ())
    return lower.startswith(others) if low == "x" and others else lower in others


def _taken(letters: str, word: str) -> Iterator[tuple[int, int]]:
    """How many of the letters a word can give, from its initial on, and what that costs."""
    at = cost = 0
    yield 1, 0
    for taken in range(1, len(letters)):
        letter = letters[taken]
        spot = word.lower().find(letter.lower(), at + 1)
        if spot < 0 or spot >= len(word):
            return
        at = spot
        free = letter.islower() or word[spot].isupper() or word[spot].isdigit()
        cost += 0 if free else _INNER
        yield taken + 1, cost


def _spelled(words: list[_Word], clause: str, *, plural: bool) -> str:
    """The long form as it stands, words that are no names in small letters; where the short form
    was a plural the last in the singular.
    """
    text = clause[words[0].start : words[-1].end]
    shouted = text.isupper()
    parts: list[str] = []
    end = words[0].start
    for word in words:
        parts.append(" " if clause[end : word.start].isspace() else clause[end : word.start])
        parts.append(word.text.lower() if shouted or not is_name(word.text) else word.text)
        end = word.end
    if plural and not is_name(parts[-1]) and parts[-1].isascii():
        parts[-1] = word_names(parts[-1])[0]
    return "".join(parts)
