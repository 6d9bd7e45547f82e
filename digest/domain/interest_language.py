"""The interest language: one interest as people type it, and where it is wrong.

    interest = what [ "^" weight ]
    what     = term { "AND" term }  |  "-(" term { "AND" term } ")"
    term     = [ "-" ] [ field ] ( words | quoted )
    field    = "author:" | "cat:" | "category:" | "venue:"
    quoted   = '"' letters '"'        within it \\" is a quote and \\\\ a backslash

Signs mean something only where a term begins, and AND only as a word of its own in capitals:
`few-shot`, `C++`, `title: subtitle` and `5" screens` are plain words. A backslash before the sign
or word takes its meaning away (`\\-games`, `\\"quoted"`, `\\author:me`, `search \\AND rescue`);
before anything else it is a backslash. docs/interests.md is the reader's page of this.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum

from digest.errors import InvalidInput

LONGEST = 64
HEAVIEST = 10.0

_LONGEST_READ = 1_000  # what is longer is too long whatever it means, and is not even looked at
_SHOWN = 60
# A sign is read too, so that `phrase^-1` is refused and not taken for a phrase.
_WEIGHT = re.compile(r"^(?P<text>.*\S)\s*\^\s*(?P<weight>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))$")
_AND = re.compile(r"(?<!\S)AND(?!\S)")
_NO_AND = re.compile(r"(^| )\\(\\*AND)(?= |$)")
_BARE_AND = re.compile(r"(^| )(\\*AND)(?= |$)")
_OR = re.compile(r"(?<!\S)(?:OR|\|\|?)(?!\S)")
_IN_QUOTES = re.compile(r'\\(["\\])')
# what telephones and input methods make of a hyphen, a quote and a colon
_MINUS = "-\u2010\u2011\u2012\u2013\u2212"
_QUOTES = {'"': '"', "\u201c": '"\u201d', "\u201d": '"\u201d', "\u201e": '"\u201c\u201d'}
_COLON = "[:\uff1a]"
_FIELD = re.compile(rf"(author|cat|category|venue){_COLON} ?", re.IGNORECASE)
# fields of arXiv's own search and their like, glued to their value: a slip, and no phrase of words
_NO_FIELD = re.compile(
    rf"(abs|abstract|all|au|authors|categories|conference|jr|journal|ti|title)"
    rf"{_COLON}(?=[^\s:/])",
    re.IGNORECASE,
)


class InterestKind(StrEnum):
    """What an interest is compared with."""

    PHRASE = "phrase"
    EXACT = "exact"  # a phrase word for word
    AUTHOR = "author"
    CATEGORY = "category"
    VENUE = "venue"
    ALL = "all"  # several of the others, joined by AND


_FIELDS = {
    "author": InterestKind.AUTHOR,
    "cat": InterestKind.CATEGORY,
    "category": InterestKind.CATEGORY,
    "venue": InterestKind.VENUE,
}
_PREFIX = {
    InterestKind.AUTHOR: "author:",
    InterestKind.CATEGORY: "cat:",
    InterestKind.VENUE: "venue:",
}


class InterestError(InvalidInput):
    """An interest is not in the language; `at` counts the characters of `text` before the place.

    The message is one line; `pointed` gives three, the last with a mark under the place.
    """

    def __init__(self, reason: str, text: str, at: int) -> None:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        super().__init__(f"interest {shown!r}: {reason}, at character {at + 1}")
        self.reason = reason
        self.text = text
        self.at = at

    @property
    def pointed(self) -> tuple[str, str, str]:
        """What is wrong, the text around it, and a mark under the place."""
        start = max(0, self.at - _SHOWN // 2)
        before, part = self.text[start : self.at], self.text[start : start + _SHOWN]
        return f"interest: {self.reason}", part, " " * sum(map(_width, before)) + "^"


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One term, never of kind ALL; `absent` says that it must not be there."""

    kind: InterestKind
    text: str
    absent: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """One interest, read: at least one term, all different, not all absent where there are several.

    `excluded` says that what matches is not wanted; a single term is never absent.
    """

    terms: tuple[Term, ...]
    excluded: bool = False
    weight: float = 1.0


def read(
    raw: str, kind: InterestKind = InterestKind.PHRASE, *, excluded: bool = False
) -> Expression:
    """Read an interest; `kind` is what a term without field is, `excluded` says that all is.

    Of a kind other than PHRASE it is one term, and wanted. Raises InterestError.
    """
    text = _visible(raw)
    if len(text) > _LONGEST_READ:
        raise InterestError(f"has {len(text)} characters: at most {LONGEST}", text, LONGEST)
    body, weight = text, 1.0
    if match := _WEIGHT.match(text):
        body, weight = match["text"], float(match["weight"])
        if not 0 < weight <= HEAVIEST:
            reason = f"a weight lies above 0 and at most at {HEAVIEST:g}"
            raise InterestError(reason, text, text.index("^", match.end("text")))
    reader = _Reader(body, InterestKind.PHRASE if kind is InterestKind.ALL else kind)
    found = reader.expression()
    if excluded and found.excluded:
        raise reader.error("it is excluded already: leave the - out", 0)
    return replace(found, excluded=excluded or found.excluded, weight=weight)


def read_terms(text: str) -> tuple[Term, ...]:
    """The terms of an interest of several, as `spelled` writes them. Raises InterestError."""
    return _Reader(text, InterestKind.PHRASE).expression().terms


def spelled(terms: tuple[Term, ...], column: InterestKind = InterestKind.PHRASE) -> str:
    """The terms as they are read again; in a list of kind `column` without the field's name."""
    return " AND ".join(_spelled(term, column) for term in terms)


def with_weight(text: str, weight: float, number: str) -> str:
    """A spelled interest with its weight (`number` in words), where it needs one."""
    # a text that ends like a weight (`C^2`) needs one of its own, or it would be read as that
    return text if weight == 1 and not _WEIGHT.match(text) else f"{text}^{number}"


class _Reader:
    """Reads the text of one interest without its weight."""

    def __init__(self, text: str, kind: InterestKind) -> None:
        self._text = text
        self._kind = kind
        self._at = 0
        self._end = len(text)

    def error(self, reason: str, at: int) -> InterestError:
        return InterestError(reason, self._text, at)

    def expression(self) -> Expression:
        is_group = self._text[:1] in tuple(_MINUS) and self._text[1:2] == "("
        if is_group:
            if not self._text.endswith(")"):
                raise self.error("a bracket is never closed: -(a AND b)", 1)
            self._at, self._end = 2, len(self._text) - 1
        terms = self._terms()
        is_single = len(terms) == 1
        if self._kind is not InterestKind.PHRASE:
            self._require_one_wanted(terms, is_group)
        if is_group and is_single and terms[0].absent:
            raise self.error("it is excluded twice", 2)
        if not is_single and all(term.absent for term in terms):
            raise self.error("of the terms joined by AND one needs to be without -", 0)
        if is_single:
            absent = is_group or terms[0].absent
            return Expression(terms=(replace(terms[0], absent=False),), excluded=absent)
        return Expression(terms=terms, excluded=is_group)

    def _require_one_wanted(self, terms: tuple[Term, ...], is_group: bool) -> None:
        if len(terms) > 1:
            raise self.error(f"give one {self._kind} here, or join them as an interest", 0)
        if is_group or terms[0].absent:
            raise self.error(f"this {self._kind} is to be followed: exclude it as an interest", 0)

    def _terms(self) -> tuple[Term, ...]:
        """The distinct terms, those that must be there first."""
        found: dict[tuple[InterestKind, str], tuple[Term, int]] = {}
        while True:
            at = self._skip_space()
            term = self._term()
            twin, _ = found.setdefault((term.kind, term.text.casefold()), (term, at))
            if twin.absent != term.absent:
                raise self.error("a term cannot both be there and be absent", at)
            if self._at >= self._end:
                break
        if len(found) > 1:
            for term, at in found.values():
                self._require_clear(term, at)
        return tuple(sorted((term for term, _ in found.values()), key=lambda term: term.absent))

    def _term(self) -> Term:
        """The term that begins here; afterwards the place is past the AND that follows it."""
        at = self._at
        absent = self._peek() in tuple(_MINUS)
        if absent:
            self._at += 1
            self._skip_space()
            if self._peek() in tuple(_MINUS):
                raise self.error("it is excluded twice", self._at)
            if self._peek() == "(":
                raise self.error("brackets stand around all that is excluded: -(a AND b)", self._at)
        named = self._at
        kind = self._field()
        begin = self._at
        text = self._quoted(_QUOTES.get(self._peek(), ""))
        if text is None:
            text = self._words(after_minus=absent and begin == named)
        elif kind is InterestKind.PHRASE:
            kind = InterestKind.EXACT
        if not any(c.isalnum() for c in text):
            if begin >= self._end:
                begin = at
            raise self.error("no letter or digit here: give a word or a phrase", begin)
        return Term(kind=kind, text=text, absent=absent)

    def _field(self) -> InterestKind:
        """The kind that a field's name gives, else the reader's own."""
        if slip := _NO_FIELD.match(self._text, self._at, self._end):
            reason = f"no field is named {slip[1]}: there are author:, cat: and venue:"
            raise self.error(
                f"{reason}; a space after the colon, or quotes, make it words", self._at
            )
        match = _FIELD.match(self._text, self._at, self._end)
        if not match:
            return self._kind
        kind = _FIELDS[match[1].lower()]
        if self._kind not in (InterestKind.PHRASE, kind):
            reason = f"{match[1]}: has no place here: give one {self._kind}"
            raise self.error(reason, self._at)
        if match.end() >= self._end or _AND.match(self._text, match.end(), self._end):
            raise self.error(f"nothing follows {match[1]}:", self._at)
        self._at = match.end()
        return kind

    def _quoted(self, closers: str) -> str | None:
        """The text in quotes, and on to the next term; None where no quotes stand around a whole
        term, as in `"Why" questions`, which are words.
        """
        if not closers:
            return None
        begin = self._at
        at = begin + 1
        while at < self._end and self._text[at] not in closers:
            at += 2 if _IN_QUOTES.match(self._text, at, self._end) else 1
        if at >= self._end:
            raise self.error("a quote is never closed", begin)
        join = _AND.search(self._text, at, self._end)
        stop = join.start() if join else self._end
        if rest := self._text[at + 1 : stop].strip():
            if rest[-1] in closers:
                raise self.error(r"a quote within quotes is \"", at)
            return None
        self._at = stop
        if join:
            self._pass_and(join.end(), join.start())
        return " ".join(_IN_QUOTES.sub(r"\1", self._text[begin + 1 : at]).split())

    def _words(self, *, after_minus: bool) -> str:
        """The words up to the next AND, and on past it."""
        begin = self._at
        join = _AND.search(self._text, begin, self._end)
        if join and join.start() == begin:
            raise self.error(r"nothing stands before AND; \AND is the word", begin)
        text = self._text[begin : join.start() if join else self._end].strip()
        self._at = self._end
        if join:
            if _WEIGHT.match(text):
                at = begin + text.rindex("^")
                raise self.error("a weight stands at the end, for all of it", at)
            self._pass_and(join.end(), join.start())
        is_escaped = text.startswith("\\") and _is_sign(text.lstrip("\\"), after_minus)
        return _NO_AND.sub(r"\1\2", text[1:] if is_escaped else text)

    def _pass_and(self, past: int, at: int) -> None:
        self._at = past
        if self._skip_space() >= self._end:
            raise self.error(r"nothing follows AND; \AND is the word", at)

    def _require_clear(self, term: Term, at: int) -> None:
        """Refuse among joined terms what somebody meant in another way."""
        if term.kind is InterestKind.EXACT:
            return
        if '"' in term.text:
            at = self._text.index('"', at)
            raise self.error("quotes stand around a whole term", at)
        if _OR.search(term.text):
            raise self.error("there is no OR: give two interests", at)
        if term.text.startswith("NOT "):
            raise self.error("there is no NOT: a - before the term says it", at)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1] if self._at < self._end else ""

    def _skip_space(self) -> int:
        while self._peek() == " ":
            self._at += 1
        return self._at


def _spelled(term: Term, column: InterestKind) -> str:
    sign = "-" if term.absent else ""
    if term.kind is InterestKind.EXACT:
        inside = re.sub(r'(["\\])', r"\\\1", term.text)
        return f'{sign}"{inside}"'
    field = "" if term.kind is column else _PREFIX.get(term.kind, "")
    return f"{sign}{field}{_escaped(term.text, after_minus=bool(sign) and not field)}"


def _escaped(text: str, after_minus: bool) -> str:
    """The words so that none of them means anything but itself."""
    words = f"\\{text}" if _is_sign(text.lstrip("\\"), after_minus) else text
    return _BARE_AND.sub(r"\1\\\2", words)


def _is_sign(text: str, after_minus: bool) -> bool:
    """Whether words that begin like this, maybe right after a `-`, mean something else."""
    is_field = _FIELD.match(text) or _NO_FIELD.match(text)
    opens = text[:1] in (*_MINUS, *_QUOTES) or (after_minus and text[:1] == "(")
    return opens or is_field is not None


def _visible(text: str) -> str:
    """On one line, without control, format and surrogate characters."""
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return " ".join(visible.split())


def _width(char: str) -> int:
    """How many cells of a terminal a character takes."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
