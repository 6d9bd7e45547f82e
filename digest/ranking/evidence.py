"""Evidence: whether a paper really is about a phrase, how much so, and where that stands.

A digest names its reason, so a pick needs more than a stray word of the interest:

    as a phrase    the words one after the other                              1
                   the same by stems (`continually learns`)                   ¾
                   a single word by its stem alone (`reasons` for `reasoning`) 0.1
    near           all telling words, in any order, with one other word among
                   two, with two among more; none tied to another word by a
                   hyphen (`vision-language-action models`)                   ½
                   the same by stems (`learning in continuous time`)          0.3
    scattered      three or more telling words by stem, all in the abstract   ⅓

An exact phrase counts as a phrase alone, and only where its words are spelled as they were typed,
but for case, diacritics, hyphens and spaces.

Relevance is BM25F of the phrase taken as one term, as a part of its ceiling: t / (t + 1), where t
adds 3 for each occurrence in the title and s for each in the abstract, times the figure above. s
is how special the phrase is, ln(share) / ln(1 %), from 0.15 to 1: one mention of `speculative
decoding` in an abstract tells something, one of `reasoning` hardly. Hence a phrase in the title
gives ¾ or more on every day and for every interest, a rare one mentioned once in the abstract ½.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log

from digest.domain.digests import Where
from digest.ranking.statistics import TITLE_WEIGHT, Statistics
from digest.ranking.vocabulary import STOP_WORDS, Token, fold, is_ideograph, is_name, word_names

STEMMED = 0.75
STEM_ALONE = 0.1
NEAR = 0.5
NEAR_STEMMED = 0.3
SCATTERED = 1 / 3
NEAR_SLACK = 2  # other words among three or more; one less among two
LEAST_SPECIAL = 0.15
CEILING = 0.99

_ABSTRACT = 1 << 20  # positions from here on are the abstract's
_LONG = 300  # words; a mention in a longer abstract tells less

Names = frozenset[str]
Column = Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What speaks for a phrase in one paper.

    `relevance` lies above 0 and below 1; `title` and `abstract` are the words found, as pairs of
    token numbers (first, one past the last).
    """

    relevance: float
    title: tuple[tuple[int, int], ...]
    abstract: tuple[tuple[int, int], ...]

    @property
    def where(self) -> Where:
        """The best place of the evidence."""
        return Where.TITLE if self.title else Where.ABSTRACT


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrase:
    """An interest's words: the forms and stems each may have, and which of them tell something."""

    forms: tuple[Names, ...]
    stems: tuple[Names | None, ...]
    telling: tuple[int, ...]
    loose: bool
    special: float
    letters: str = ""  # of an exact phrase: how it is spelled

    @classmethod
    def of(cls, text: str, words: Sequence[Token], statistics: Statistics) -> "Phrase":
        """The phrase of an interest's text and tokens.

        A word typed in lower case may be a name, whose last letter is no plural: `aids` is `aid` or
        `AIDS`. Names and words of up to three letters have no stem (None): `RAG` is not `ragged`.
        `loose` says that words may stand apart, which means nothing for ideographs.
        """
        plain = [text[word.start : word.end].casefold() for word in words]
        share = statistics.share([word.stem for word in words]) if words else 1.0
        return cls(
            forms=tuple(_either(w.form, p) for w, p in zip(words, plain, strict=True)),
            stems=tuple(
                _either(w.stem, p) if _has_stem(text[w.start : w.end], w.form) else None
                for w, p in zip(words, plain, strict=True)
            ),
            telling=tuple(n for n, w in enumerate(words) if w.form not in STOP_WORDS),
            loose=not any(is_ideograph(word.form) for word in words),
            special=min(1.0, max(LEAST_SPECIAL, log(share) / log(0.01))),
        )

    @classmethod
    def exactly(cls, text: str, words: Sequence[Token], statistics: Statistics) -> "Phrase":
        """The phrase word for word; its forms are only those by which a page may hold it."""
        found = cls.of(text, words, statistics)
        spelled = [text[word.start : word.end] for word in words]
        forms = tuple(
            known | {word_names(one.lower())[0], word_names(one.upper())[0]}
            for known, one in zip(found.forms, spelled, strict=True)
        )
        return replace(
            found,
            forms=forms,
            stems=(None,) * len(words),
            loose=False,
            letters=_letters(text, words),
        )

    def names(self, number: int) -> Names:
        """The forms and stems that the word of that number may have."""
        return self.forms[number] | (self.stems[number] or frozenset())


class Page:
    """One paper's words by where they stand."""

    __slots__ = ("abstract", "forms", "stems", "texts", "tied", "title")

    def __init__(
        self,
        title: Sequence[Token],
        abstract: Sequence[Token],
        texts: tuple[str, str] = ("", ""),
    ) -> None:
        """`texts` are what the tokens of title and abstract stand in: for exact phrases only."""
        self.title = title
        self.abstract = abstract
        self.texts = texts
        self.forms: dict[str, list[int]] = defaultdict(list)
        self.stems: dict[str, list[int]] = defaultdict(list)
        for start, words in ((0, title), (_ABSTRACT, abstract)):
            for at, word in enumerate(words, start):
                self.forms[word.form].append(at)
                self.stems[word.stem].append(at)
        self.forms.default_factory = self.stems.default_factory = None
        self.tied = frozenset(  # by a hyphen to the next word
            at
            for start, words in ((0, title), (_ABSTRACT, abstract))
            for at, word in enumerate(words, start)
            if word.joined
        )

    def letters(self, at: int, size: int) -> str:
        """How the words from a position on are spelled."""
        inside = at < _ABSTRACT
        words, start = (self.title, at) if inside else (self.abstract, at - _ABSTRACT)
        return _letters(self.texts[not inside], words[start : start + size])


def holds(page: Page, phrase: Phrase) -> bool:
    """Whether the phrase stands in title or abstract word for word, but for hyphens and plurals."""
    return bool(phrase.telling) and bool(_whole(page, phrase, _by_form(page, phrase)))


def evidence(page: Page, phrase: Phrase) -> Evidence | None:
    """The evidence for the phrase in a paper, None where there is not enough of it.

    A phrase of stop words alone has none anywhere.
    """
    if not phrase.telling:
        return None
    title, abstract = _Found(), _Found()
    by_form = _by_form(page, phrase)
    exact = _whole(page, phrase, by_form)
    size = len(phrase.forms)
    _collect(title, abstract, exact, size, 1.0)
    if phrase.loose:
        by_stem = _by_stem(page, phrase)
        wider = [at for at in _runs(by_stem) if at not in exact]
        _collect(title, abstract, wider, size, STEMMED if size > 1 else STEM_ALONE)
        if not (title.value and abstract.value):
            telling = {phrase.forms[n]: n for n in phrase.telling}.values()
            wide = [by_stem[n] for n in telling]
            if _may_be_apart(wide):
                _apart([by_form[n] for n in telling], _untied(page, wide), title, abstract)
    length = max(1.0, len(page.abstract) / _LONG)
    weight = TITLE_WEIGHT * title.value + phrase.special * abstract.value / length
    if not weight:
        return None
    relevance = min(CEILING, weight / (weight + 1))
    return Evidence(relevance=relevance, title=tuple(title.spans), abstract=tuple(abstract.spans))


class _Found:
    """Occurrences in one field: their spans and their summed value."""

    __slots__ = ("spans", "value")

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []
        self.value = 0.0

    def add(self, places: Iterable[tuple[int, int]], value: float) -> None:
        self.spans += places
        self.value += value


def _collect(
    title: _Found, abstract: _Found, starts: Iterable[int], size: int, value: float
) -> None:
    for at in starts:
        field, start = (title, at) if at < _ABSTRACT else (abstract, at - _ABSTRACT)
        field.add([(start, start + size)], value)


def _apart(
    exact: Sequence[Column], wide: Sequence[Column], title: _Found, abstract: _Found
) -> None:
    """Add the evidence of telling words that stand apart, to the fields without the phrase.

    `exact` and `wide` are the words' positions by form and by stem; only those in `wide` count.
    """
    if len(wide) < 2 or not all(wide):
        return
    span = _span(len(wide))
    pairs = zip(exact, wide, strict=True)
    both = [[at for at in column if at in allowed] for column, allowed in pairs]
    _add_near(title, abstract, _near(both, span) if all(both) else (), NEAR)
    _add_near(title, abstract, _near(wide, span), NEAR_STEMMED)
    inside = [[at - _ABSTRACT for at in column if at >= _ABSTRACT] for column in wide]
    if not abstract.value and len(wide) >= 3 and all(inside):
        abstract.add([(column[0], column[0] + 1) for column in inside], SCATTERED)


def _may_be_apart(columns: Sequence[Column]) -> bool:
    """Whether words at these positions can be near one another, or scattered over the abstract.

    Most papers that hold all of a phrase's words hold them here and there: they need no closer
    look, which takes most of the time of matching.
    """
    if len(columns) < 2 or not all(columns):
        return False
    if len(columns) > 2 and all(column[-1] >= _ABSTRACT for column in columns):
        return True
    one, other = columns if len(columns) == 2 else sorted(columns, key=len)[:2]
    span = _span(len(columns))
    for at in one:  # in loops: a generator takes twice the time, and it is short of that here
        for place in other:
            if -span < at - place < span:
                return True
    return False


def reach(phrase: Phrase) -> int:
    """Below how many words apart two telling words lie wherever there is evidence for a phrase that
    has no others: side by side in it, or near one another.
    """
    return max(_span(len(phrase.telling)), len(phrase.forms))


def _span(words: int) -> int:
    """Within how many words telling words are near one another."""
    return words + min(NEAR_SLACK, words - 1)


def _untied(page: Page, columns: Sequence[Column]) -> list[Column]:
    """The positions without those that a hyphen ties to a word of none of the columns."""
    tied = page.tied
    if not tied:
        return list(columns)
    if not any(at in tied or at - 1 in tied for column in columns for at in column):
        return list(columns)
    ours = {at for column in columns for at in column}
    return [
        [
            at
            for at in column
            if (at not in tied or at + 1 in ours) and (at - 1 not in tied or at - 1 in ours)
        ]
        for column in columns
    ]


def _add_near(
    title: _Found, abstract: _Found, groups: Iterable[tuple[int, ...]], value: float
) -> None:
    """Add the first group of each field that has no evidence yet."""
    for group in groups:
        inside = group[-1] < _ABSTRACT
        field, start = (title, 0) if inside else (abstract, _ABSTRACT)
        if not field.value:
            field.add([(at - start, at - start + 1) for at in group], value)


def _near(places: Sequence[Column], span: int) -> Iterable[tuple[int, ...]]:
    """Groups of one position per word that lie within `span` words, around the rarest word."""
    for at in min(places, key=len):
        group = []
        for column in places:
            nearest = _nearest(column, at)
            if not -span < nearest - at < span:
                break  # as nearly always
            group.append(nearest)
        else:
            group.sort()
            if group[-1] - group[0] < span and len(set(group)) == len(places):
                yield tuple(group)


def _nearest(column: Column, at: int) -> int:
    """The place nearest to `at`, of two the one before it."""
    after = bisect_left(column, at)
    if after == len(column):
        return column[-1]
    if after and at - column[after - 1] <= column[after] - at:
        return column[after - 1]
    return column[after]


def _runs(columns: Sequence[Column]) -> list[int]:
    """The positions at which the words stand one after the other."""
    if not all(columns):
        return []
    starts = list(columns[0])
    for n, column in enumerate(columns[1:], start=1):
        starts = [at for at in starts if at + n in column]  # of a few places: a set takes longer
        if not starts:
            break
    return starts


def _whole(page: Page, phrase: Phrase, by_form: Sequence[Column]) -> list[int]:
    """The positions at which the phrase stands word for word; an exact one as it is spelled."""
    starts = _runs(by_form)
    if not phrase.letters:
        return starts
    return [at for at in starts if page.letters(at, len(phrase.forms)) == phrase.letters]


def _letters(text: str, words: Sequence[Token]) -> str:
    """The folded letters of words, those of a word that was taken apart only once."""
    spans = dict.fromkeys((word.start, word.end) for word in words)
    return "".join(fold(text[start:end]).replace("’", "'") for start, end in spans)


def _by_form(page: Page, phrase: Phrase) -> list[Column]:
    return [_places(page.forms, forms) for forms in phrase.forms]


def _by_stem(page: Page, phrase: Phrase) -> list[Column]:
    """Where each word stands by its stem, or by its form if it has none."""
    return [
        _places(page.forms, forms) if stems is None else _places(page.stems, stems)
        for forms, stems in zip(phrase.forms, phrase.stems, strict=True)
    ]


def _places(places: Mapping[str, Column], names: Names) -> Column:
    found: Column = ()
    for name in names:
        more = places.get(name)
        if more:
            found = sorted({*found, *more}) if found else more
    return found


@lru_cache(maxsize=16_384)  # phrases share their words, and sets are large
def _either(one: str, other: str) -> Names:
    return frozenset((one, other))


def _has_stem(word: str, form: str) -> bool:
    return len(form) > 3 and not is_name(word)
