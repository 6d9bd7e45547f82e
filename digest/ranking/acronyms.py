"""Acronyms learned from the papers themselves: `large language model (LLM)`, used both ways.

Candidates stand at a parenthesis, as in Schwartz & Hearst, *A simple algorithm for identifying
abbreviation definitions in biomedical text* (PSB 2003). Theirs takes any letters in order; here
each telling word of the long form must give its initial, and each letter of the short form must
have a word: fewer are found, and what is found is right. What a short form means is then put to the
vote of the papers, so that an ambiguous one (`SD`) and a slip stand for nothing.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Self

from digest.domain.interests import Interest, InterestKind
from digest.ranking.definitions import definitions
from digest.ranking.match import synonym_key
from digest.ranking.statistics import Text
from digest.ranking.vocabulary import (
    STOP_WORDS,
    Token,
    is_name,
    is_shouting,
    names,
    tokens,
    word_names,
)

MOST = 3  # alternates of one text

_LEAST_PAPERS = 2  # one paper may coin what nobody follows, and a slip is made once
_LEAST_SHARE = 0.65  # of the papers that define a short form, for the meaning that it stands for
_LEAST_VARIANT = 0.15  # of them, for a second wording: `… from` beside `… with verifiable rewards`
_MOST_AS_WORD = 0.25  # papers that use it in small letters, to each that defines it

# Two letters mean many things. Their meaning must be given by three papers and a quarter of those
# that use them; by less where there are ten: `AI` needs no definition (`NP` is no neural process).
_LEAST_PAPERS_OF_TWO = 3
_LEAST_DEFINED = 0.25
_LEAST_DEFINED_OFTEN = 0.02
_OFTEN = 10

_MOST_PAIRS = 100_000  # kept: about 25 MB; a year of arXiv's computer science has less
_MOST_WORDS = 50_000

Names = tuple[str, str]

_BRITISH = re.compile(r"is(?=(?:ation|ed?|er|ing)$)")
_CAPITALS = re.compile(r"[A-Z]{2,}")


class _Span(NamedTuple):
    """Where a known form stands in a text, and what may be put in its place."""

    start: int
    end: int
    others: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Acronyms:
    """In how many papers each pair (short form, long form) is defined, as spelled, and in how many
    each word of at most eight small letters, or of two capitals, stands: what tells `rag` from
    `aids`.
    """

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, texts: Iterable[Text]) -> Self:
        """The acronyms of these papers, title and abstract of each, read as a stream."""
        pairs: Counter[tuple[str, str]] = Counter()
        words: Counter[str] = Counter()
        for title, abstract in texts:
            text = f"{title}\n{abstract}"
            words.update(_words(text))
            if "(" in text:
                pairs.update(_once(definitions(text)))
            _bound(pairs, _MOST_PAIRS)
            _bound(words, _MOST_WORDS)
        return cls(pairs=pairs, words=words)

    def __add__(self, other: "Acronyms | Iterable[Text]") -> "Acronyms":
        """The acronyms of both; a plain iterable is read as further papers.

        In any order the same, as long as no more than 100,000 pairs and 50,000 words are known:
        beyond that the rarest are forgotten.
        """
        more = other if isinstance(other, Acronyms) else Acronyms.of(other)
        pairs, words = self.pairs + more.pairs, self.words + more.words
        _bound(pairs, _MOST_PAIRS)
        _bound(words, _MOST_WORDS)
        return Acronyms(pairs=pairs, words=words)

    def synonyms(self, text: str) -> tuple[str, ...]:
        """Up to three other texts that mean the same: each known form, the longest at each place,
        replaced by its other one: `LLM agents` → `large language model agents`, and back.

        In small letters a short form counts only where papers do not use it as a word, and only
        such a one is put for a long form: nobody who asks for `contrastive language-image
        pre-training` wants to be sent every `clip`.
        """
        spans = list(self._known(text))
        if not spans:
            return ()
        result = {synonym_key(text): text}
        for chosen in _choices(spans):
            other = _replaced(text, chosen)
            result.setdefault(synonym_key(other), other)
            if len(result) > MOST:  # a long text has thousands, each as long to read as itself
                break
        return tuple(result.values())[1:]

    def as_mapping(self, interests: Iterable[Interest]) -> Mapping[str, tuple[str, ...]]:
        """The synonyms of every phrase in the interests that has some, by its `synonym_key`.

        Spellings that share a key (`SAM`, `sam`) share what is known of either.
        """
        terms = (term for interest in interests for term in interest.terms)
        phrases = sorted({term.text for term in terms if term.kind is InterestKind.PHRASE})
        found: dict[str, dict[str, None]] = {}
        for text in phrases:
            if others := self.synonyms(text):
                found.setdefault(synonym_key(text), {}).update(dict.fromkeys(others))
        return {key: tuple(others)[:MOST] for key, others in found.items()}

    def accepted(self) -> dict[str, tuple[str, ...]]:
        """The short forms that stand for one thing, most defined first, with its wordings."""
        return dict(self._meanings.values())

    @cached_property
    def _meanings(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """By the key of a short form: its usual spelling and the wordings of what it means."""
        by_key: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for (short, long), papers in self.pairs.items():
            by_key[synonym_key(short)][short, long] += papers
        ordered = sorted(by_key.items(), key=lambda item: (-item[1].total(), item[0]))
        return {
            key: found
            for key, pairs in ordered
            if (found := _meaning(pairs)) and not self._is_vague(found[0], pairs.total())
        }

    @cached_property
    def _shorts(self) -> dict[str, tuple[str, ...]]:
        """By the letters of a long form: the short forms that are no words, the usual one first."""
        result: dict[str, list[str]] = defaultdict(list)
        for key, (short, longs) in self._meanings.items():
            for long in longs:
                if not self._is_word(key):
                    result[_squeezed(names(long))].append(short)
        return {key: tuple(shorts[:MOST]) for key, shorts in result.items()}

    @cached_property
    def _defined(self) -> Counter[str]:
        """In how many papers a short form is defined, by its key."""
        result: Counter[str] = Counter()
        for (short, _), papers in self.pairs.items():
            result[synonym_key(short)] += papers
        return result

    @cached_property
    def _longest(self) -> int:
        """Words of the longest form, and one for a word that is written as two."""
        forms = (form for short, longs in self._meanings.values() for form in (short, *longs))
        return max((len(names(form)) + 1 for form in forms), default=0)

    def _known(self, text: str) -> Iterator[_Span]:
        words = tokens(text)
        spoken = text.lower() if is_shouting(text) else text
        first = 0
        while first < len(words):
            for past in range(min(first + self._longest, len(words)), first, -1):
                if others := self._others(words[first:past], spoken):
                    yield _Span(words[first].start, words[past - 1].end, others)
                    first = past
                    break
            else:
                first += 1

    def _others(self, words: list[Token], text: str) -> tuple[str, ...]:
        if shorts := self._shorts.get("".join(word.form for word in words)):
            return shorts
        key = " ".join(word.form for word in words)
        if key not in self._meanings:
            return ()
        spelled = text[words[0].start : words[-1].end]
        return () if not is_name(spelled) and self._is_word(key) else self._meanings[key][1]

    def _is_word(self, key: str) -> bool:
        """Whether a short form in small letters is (also) an ordinary word."""
        plural = f"{key}s"
        used = max(self.words[key], self.words[plural] if word_names(plural)[0] == key else 0)
        return key in STOP_WORDS or used > _MOST_AS_WORD * self._defined[key]

    def _is_vague(self, short: str, papers: int) -> bool:
        """Whether a short form of two letters is used too often without saying what it means."""
        if len(short) > 2:
            return False
        least = _LEAST_DEFINED_OFTEN if papers >= _OFTEN else _LEAST_DEFINED
        return papers < max(_LEAST_PAPERS_OF_TWO, least * self.words[short])


def _words(text: str) -> set[str]:
    """The words in small letters, but for those next to a mark, and the pairs of capitals."""
    every = set(text.split())
    found = {word for word in every if len(word) < 9 and word.islower() and word.isalpha()}
    found.update(run for run in _CAPITALS.findall(text) if len(run) == 2)
    return found


def _once(found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs of one paper, which has one vote on each short form: its first."""
    votes: dict[str, tuple[str, str]] = {}
    for short, long in found:
        votes.setdefault(short.lower(), (short, long))
    return list(votes.values())


def _meaning(pairs: Counter[tuple[str, str]]) -> tuple[str, tuple[str, ...]] | None:
    """The spelling and the wordings of a short form's one meaning, or None where it has none."""
    meanings: dict[tuple[str, ...], Counter[tuple[str, str]]] = defaultdict(Counter)
    gists: dict[str, tuple[str, ...]] = {}
    for _, long in pairs:
        words = names(long)
        gists[_squeezed(words)] = max(gists.get(_squeezed(words), ()), _gist(words))
    for (short, long), papers in pairs.items():
        meanings[gists[_squeezed(names(long))]][short, long] += papers
    best = max(meanings.values(), key=Counter.total)
    sure = best.total() - 1  # one less, so that two papers against one decide nothing
    if best.total() < _LEAST_PAPERS or sure < _LEAST_SHARE * (pairs.total() - 1):
        return None
    spellings: Counter[str] = Counter()
    wordings: dict[str, Counter[str]] = defaultdict(Counter)
    for (short, long), papers in best.items():
        spellings[short] += papers
        wordings[synonym_key(long)][long] += papers
    usual = sorted(wordings.values(), key=lambda one: (-one.total(), _first(one)))
    least = _LEAST_VARIANT * best.total()
    longs = [usual[0], *(one for one in usual[1:] if one.total() >= max(least, _LEAST_PAPERS))]
    return _first(spellings), tuple(map(_first, longs[:MOST]))


def _squeezed(words: list[Names]) -> str:
    """The letters of a long form: `pre-training` is `pretraining`."""
    return "".join(form for form, _ in words)


def _gist(words: list[Names]) -> tuple[str, ...]:
    """The stems of a long form's telling words: `learning with`, `learning from` are one, and
    `optimisation` is `optimization`.
    """
    telling = (form for form, _ in words if form not in STOP_WORDS)
    return tuple(word_names(_BRITISH.sub("iz", form))[1] for form in telling)


def _first(counts: Counter[str]) -> str:
    """The most common, of equals the first by spelling."""
    return min(counts, key=lambda text: (-counts[text], text))


def _choices(spans: list[_Span]) -> Iterator[list[tuple[_Span, str]]]:
    """What to replace: everything by its usual form first, then each alone."""
    if len(spans) > 1:
        yield [(span, span.others[0]) for span in spans]
    for span in spans:
        for other in span.others:
            yield [(span, other)]


def _replaced(text: str, chosen: list[tuple[_Span, str]]) -> str:
    pieces: list[str] = []
    past = 0
    for span, other in chosen:
        pieces += (text[past : span.start], other)
        past = span.end
    return "".join(pieces) + text[past:]


def _bound(counts: Counter[str] | Counter[tuple[str, str]], most: int) -> None:
    """Forget the rarest, all that are equally rare, where more than `most` are known."""
    least = 1
    while len(counts) > most:
        for key in [key for key, papers in counts.items() if papers <= least]:
            del counts[key]
        least += 1
