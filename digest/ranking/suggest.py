"""Related phrases: what the papers that hold a phrase speak of more than the others do.

Candidates come from the papers that hold the phrase (`phrases`). One is taken for a noun phrase
when it often stands free, with a boundary right after it and right before it: `large language`
hardly ever does, `language model` does. They are ordered by the log-likelihood ratio of standing in
the same papers, which unlike mutual information does not run after what is rare (Dunning, *Accurate
Methods for the Statistics of Surprise and Coincidence*, 1993).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from digest.errors import InvalidInput
from digest.ranking.phrase_index import Counts, PhraseIndex
from digest.ranking.phrases import Found, Gram, phrases
from digest.ranking.scholarly import PLAIN
from digest.ranking.statistics import Text
from digest.ranking.vocabulary import STOP_WORDS, Token, is_name, tokens

READ_MOST = 200  # papers whose words are looked at for candidates; the counts are of all papers
LEAST_SURE = 3.84  # of a log-likelihood ratio: chance alone gives more in 1 of 20 (χ², 1 degree)
SURE_ALONE = 20.0  # for a single word that is no name: many are tried, and few are topics

_FREE_BEFORE = 0.25
_FREE_AFTER = 0.4
_PIECE = 0.6  # of its papers hold one longer phrase: the shorter is but a piece of that
_SAME = 0.5  # of the papers hold the phrase with another word before or after: it tells no more
_NARROWER = 3  # every third suggestion at most is the phrase itself with more words
_ALIKE = 0.6  # shared part of two phrases' words (Jaccard)
_COMMON = 0.02  # of the papers hold a single word that is no name: it tells too little alone
_COMMON_LEAST = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """A phrase as most papers spell it, in how many papers it stands, and in how many of those the
    other phrase stands too; `score` is the log-likelihood ratio, 0 where they never meet.
    """

    phrase: str
    papers: int
    together: int
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Related:
    """What was found for a phrase, the closest first; `holders` of `papers` papers hold it.

    Where none holds it, the suggestions are the phrases that share most words with it.
    """

    papers: int
    holders: int
    suggestions: tuple[Suggestion, ...]


class _Candidate:
    """A phrase with its occurrences: number of the paper, whether in the title, and where."""

    __slots__ = ("after", "before", "spots", "stems")

    def __init__(self, stems: Gram) -> None:
        self.stems = stems
        self.spots: list[tuple[int, bool, int, int]] = []
        self.before = self.after = 0

    def add(self, paper: int, is_title: bool, found: Found) -> None:
        self.spots.append((paper, is_title, found.start, found.end))
        self.before += found.before
        self.after += found.after

    @property
    def papers(self) -> int:
        return len({spot[0] for spot in self.spots}) if len(self.spots) > 1 else 1

    @property
    def stands_free(self) -> bool:
        seen = len(self.spots)
        return self.before >= _FREE_BEFORE * seen and self.after >= _FREE_AFTER * seen


Candidates = dict[Gram, _Candidate]


class PhraseBook:
    """Papers, ready to be asked for the phrases related to any other."""

    def __init__(self, texts: Iterable[Text], *, read_most: int = READ_MOST) -> None:
        """`texts` are titles and abstracts; they are kept, with some 12 bytes for every word. Of
        `read_most` the words are looked at, which is what an answer takes its time for.
        """
        self._texts = list(texts)
        self._read_most = read_most
        self._index = PhraseIndex(self._texts)

    def related(self, phrase: str, limit: int) -> Related:
        """At most `limit` phrases related to one, 0 for all.

        Raises InvalidInput where the phrase has no word but stop words.
        """
        words = tokens(phrase)
        if not any(word.form not in STOP_WORDS for word in words):
            raise InvalidInput(f"{phrase[:60]!r} has no word that tells papers apart: give a topic")
        held = self._index.holding(self._spellings(tuple(word.form for word in words)))
        holders = int(held.sum())
        found = self._closest(words, held) if holders else self._nearest(words)
        return Related(
            papers=len(self._texts),
            holders=holders,
            suggestions=tuple(islice(found, limit or None)),
        )

    def _closest(self, words: Sequence[Token], held: NDArray[np.bool_]) -> Iterator[Suggestion]:
        """The phrases that keep company with the one asked about, the surest first."""
        holders, papers = int(held.sum()), len(self._texts)
        candidates = self._candidates(np.flatnonzero(held), _least_together(holders))
        counts = self._index.counts(candidates, held)
        scores = _scores(counts, holders, papers)
        kept = {
            gram: counts[gram]
            for gram, one in candidates.items()
            if scores[gram] >= LEAST_SURE and self._is_topic(one, counts[gram][0], scores[gram])
        }
        pieces = _pieces(kept)
        order = sorted(kept.keys() - pieces, key=lambda gram: (-scores[gram], gram))
        folding = _Folding(words, holders)
        for gram in order:
            if folding.passes(gram, candidates[gram].stems, counts[gram][1]):
                yield self._suggestion(candidates[gram], counts[gram], scores[gram])

    def _nearest(self, words: Sequence[Token]) -> Iterator[Suggestion]:
        """The phrases that share most words with one that no paper holds, the commonest first."""
        stems = {word.stem for word in words if word.form not in STOP_WORDS}
        shared = np.zeros(len(self._texts), np.int64)
        for stem in stems:
            shared += self._index.having(stem)
        latest = np.argsort(-shared, kind="stable")[: self._read_most]
        candidates = self._candidates(latest[shared[latest] > 0], 1)
        counts = self._index.counts(candidates, np.zeros(len(self._texts), np.bool_))
        near = {
            gram: len(stems & set(candidate.stems))
            for gram, candidate in candidates.items()
            if stems & set(candidate.stems)
        }
        order = sorted(near, key=lambda g: (-near[g], -counts[g][0], len(g), g))
        folding = _Folding(words, 0)
        for gram in order:
            if folding.passes(gram, candidates[gram].stems, 0):
                yield self._suggestion(candidates[gram], counts[gram], 0.0)

    def _suggestion(
        self, candidate: _Candidate, count: tuple[int, int], score: float
    ) -> Suggestion:
        return Suggestion(
            phrase=_spelling(self._texts, candidate),
            papers=count[0],
            together=count[1],
            score=score,
        )

    def _is_topic(self, candidate: _Candidate, papers: int, score: float) -> bool:
        """Whether it is more than a stray phrase, or a single word that is good for anything."""
        if papers == 1:
            again = len(candidate.spots) > 1 or candidate.spots[0][1]
            return len(candidate.stems) > 1 and again
        if len(candidate.stems) > 1 or is_name(_spelling(self._texts, candidate)):
            return True
        common = max(_COMMON_LEAST, _COMMON * len(self._texts))
        return papers <= common and score >= SURE_ALONE

    def _candidates(self, papers: NDArray[np.int64], least: int) -> Candidates:
        """The phrases that stand free in at least so many of these papers, or of `read_most`
        spread evenly over them.
        """
        step = max(1.0, len(papers) / self._read_most)
        at = np.arange(0, len(papers), step).astype(np.int64)
        read = papers[at[at < len(papers)]].tolist()  # its last may be rounded up to the end
        found: Candidates = {}
        for paper in read:
            for is_title, text in zip((True, False), self._texts[paper], strict=True):
                for one in phrases(text):
                    if one.forms not in found:
                        found[one.forms] = _Candidate(one.stems)
                    found[one.forms].add(paper, is_title, one)
        return {
            gram: one
            for gram, one in found.items()
            if one.stands_free and (least == 1 or one.papers >= least)
        }

    def _spellings(self, gram: Gram) -> set[Gram]:
        """The same words joined, or a single one in two: `meta learning` and `metalearning`."""
        same = {gram, ("".join(gram),)}
        if len(gram) == 1:
            word = gram[0]
            same |= {(word[:at], word[at:]) for at in range(2, len(word) - 1)}
        return same


def _least_together(holders: int) -> int:
    """In how many papers both must stand: one will do where few hold the phrase at all."""
    return 1 if holders < 4 else 2 if holders < 100 else 3


def _scores(counts: Counts, holders: int, papers: int) -> dict[Gram, float]:
    """The log-likelihood ratio of each phrase, 0 where they meet no more often than by chance."""
    table = np.array(list(counts.values()), np.float64).reshape(-1, 2)
    total, both = table[:, 0], table[:, 1]
    cells = np.stack([both, holders - both, total - both, papers - holders - total + both])
    rows = np.stack([total, papers - total])[[0, 1, 0, 1]]
    columns = np.array([holders, holders, papers - holders, papers - holders])[:, None]
    expected = rows * columns / papers
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(cells > 0, cells * np.log(cells / expected), 0.0)
    ratio = 2 * parts.sum(axis=0)
    ratio[both * papers <= holders * total] = 0.0
    return dict(zip(counts, ratio.tolist(), strict=True))


def _pieces(counts: Counts) -> set[Gram]:
    """The phrases that mostly stand within one longer one, as `catastrophic` does."""
    return {
        piece
        for gram, (_, together) in counts.items()
        for piece in _parts(gram)
        if piece in counts and together >= _PIECE * counts[piece][1]
    }


def _parts(gram: Gram) -> Iterator[Gram]:
    """The shorter runs of words within a phrase."""
    for length in range(1, len(gram)):
        for at in range(len(gram) - length + 1):
            yield gram[at : at + length]


class _Folding:
    """Lets a phrase pass that is no other form or part of the one asked about or of a better one.

    The phrase itself with more words passes now and then: it is how to ask for less.
    """

    def __init__(self, asked: Sequence[Token], holders: int) -> None:
        self._forms = {word.form for word in asked}
        self._stems = tuple(word.stem for word in asked)
        self._holders = holders
        self._passed: list[Gram] = []
        self._narrower = 0

    def passes(self, gram: Gram, stems: Gram, together: int) -> bool:
        """Whether this one is new; asked in order, the best first."""
        asked = self._holders and self._is_asked(stems)
        if asked or any(_overlap(stems, other) for other in self._passed):
            return False
        if self._holders and _within(self._stems, stems):
            same = together >= _SAME * self._holders and len(self._stems) > 1
            many = self._narrower * _NARROWER > len(self._passed)
            if same or many or set(gram) - self._forms <= PLAIN:
                return False
            self._narrower += 1
        self._passed.append(stems)
        return True

    def _is_asked(self, stems: Gram) -> bool:
        mine = self._stems
        cut_off = len(mine) > 1 and stems[-1] == mine[0]  # `stable continual (learning)`
        return set(stems) <= set(mine) or "".join(stems) == "".join(mine) or cut_off


def _overlap(one: Gram, other: Gram) -> bool:
    """Whether one is part of the other, or most of their words are the same."""
    a, b = set(one), set(other)
    return a <= b or b <= a or len(a & b) >= _ALIKE * len(a | b) or "".join(one) == "".join(other)


def _within(part: Gram, whole: Gram) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def _spelling(texts: Sequence[Text], candidate: _Candidate) -> str:
    """As most papers spell it in running text, where capitals mean something; else by the titles.

    Of two that are equally common the one in lower case.
    """
    running = {(p, texts[p][1][s:e]) for p, is_title, s, e in candidate.spots if not is_title}
    titled = {(p, _lowered(texts[p][0][s:e])) for p, is_title, s, e in candidate.spots if is_title}
    votes = Counter(" ".join(text.split()) for _, text in running or titled)
    best = min(votes, key=lambda text: (-votes[text], not is_name(text), _capitals(text), text))
    return re.sub(r"['’]s$", "", best)


def _capitals(text: str) -> int:
    return sum(map(str.isupper, text))


def _lowered(title: str) -> str:
    return " ".join(word if is_name(word) else word.lower() for word in title.split())
