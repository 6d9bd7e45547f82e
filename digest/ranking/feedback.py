"""Feedback moves a ranking: papers like those a subscriber liked come earlier, the others later.

    likeness(v, p) = c / (c + 0.1)      c = max(0, cos(v, p) - b(p))
    taste(p) = Σ more w likeness / (Σ more w + 2) - ½ Σ less w likeness / (Σ less w + 2)
    lift(p)  = 1 + 0.3 tanh(4 taste(p))

This is Rocchio's formula ("Relevance feedback in information retrieval", in Salton, *The SMART
Retrieval System*, 1971) with β = 1 and γ = ½, as Salton & Buckley advise that what is liked should
tell more than what is not (JASIS 41(4), 1990). A vote v weighs w (`domain.feedback.weight`); two
imagined votes for nothing keep a single vote from deciding and let old ones fade to no effect,
which a plain mean would not. cos is that of `features`; b(p), the mean of p's cosines to the rest
of the edition, takes away what all papers share; past a tenth likeness saturates, so that the voted
paper's own copies do not drown its topic.

A lift multiplies a score once relevance has decided: it lets in nothing, and bars nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digest.domain.feedback import MOST_VOTES, Opinion, Vote, weight
from digest.domain.papers import Paper, PaperId
from digest.ranking.features import Term, features, spelled_terms
from digest.ranking.statistics import Statistics, Text

SPAN = 0.3
GAIN = 4.0
LESS = 0.5
IMAGINED_VOTES = 2.0
HALF_LIKE = 0.1
WORDS = 3

_IMAGINED_PAPERS = 20  # unlike all others: in an edition of three, what they share tells something
_CACHE = 64 << 20  # bytes
_VECTOR = 4_096  # bytes of one vector, about
_BLOCK = 500
_TERMS = 8
_SHARED_MOST = 20_000
_SPELLINGS_MOST = 500
_TELLING_VOTES = 3  # the rest of many adds noise to a reason, and time


@dataclass(frozen=True, kw_only=True, slots=True)
class _Voted:
    """A voted paper: its likeness to each paper (papers,), and its vector."""

    likeness: NDArray[np.float32]
    columns: NDArray[np.int32]
    values: NDArray[np.float64]


class _Shared(NamedTuple):
    """A term that two papers share: as the first one spells it, and its part of their cosine."""

    term: Term
    spelling: str
    value: float


class Tastes:
    """The papers of an edition, ready to be lifted by any number of subscribers' votes.

    What a voted paper is like is worked out once and kept for the next subscriber who voted on it,
    in about 64 MB.
    """

    def __init__(self, papers: Sequence[Paper], statistics: Statistics) -> None:
        """`statistics` are those of all papers in the store."""
        self._statistics = statistics
        self._texts = [(paper.title, paper.abstract) for paper in papers]
        self._vectors = features(self._texts, statistics)
        self._by_column = self._vectors.T.tocsr()
        self._common = _common(self._vectors)
        self._voted: dict[PaperId, _Voted] = {}
        self._shared: dict[tuple[PaperId, int], tuple[_Shared, ...]] = {}
        self._spellings: dict[Text, dict[Term, tuple[int, str]]] = {}
        self._most = max(2 * MOST_VOTES, _CACHE // (4 * len(papers) + _VECTOR))

    @property
    def most(self) -> int:
        """Of how many voted papers at a time it is kept what they are like."""
        return self._most

    def learn(self, votes: Iterable[Vote]) -> None:
        """Work these votes' papers out now: many at once take less time than one by one."""
        wanted = dict(islice({vote.paper_id: vote for vote in votes}.items(), self._most))
        fresh = [vote for paper_id, vote in wanted.items() if paper_id not in self._voted]
        found: dict[PaperId, _Voted] = {}
        for start in range(0, len(fresh), _BLOCK):
            found |= self._worked_out(fresh[start : start + _BLOCK])
        # the papers just asked for are the last to be forgotten
        found |= {number: self._voted.pop(number) for number in wanted if number in self._voted}
        self._voted |= found
        for number in list(islice(self._voted, max(0, len(self._voted) - self._most))):
            del self._voted[number]

    def lift(self, votes: Iterable[Vote], now: datetime) -> NDArray[np.float64]:
        """A factor (papers,) in 0.7 to 1.3 for each paper's score, in the order of the papers.

        1 where nothing speaks for or against a paper. The newest 200 votes count, those after `now`
        not at all.
        """
        taste = np.zeros(len(self._texts))
        shares = _shares(votes, now)
        self.learn(vote for _, vote in shares)
        for share, vote in shares:
            taste += share * self._known(vote).likeness
        lifts: NDArray[np.float64] = 1 + SPAN * np.tanh(GAIN * taste)
        return lifts

    def why(self, votes: Iterable[Vote], number: int, now: datetime) -> tuple[str, ...]:
        """The words that moved paper `number` most, up to 3, as the voted papers spell them.

        Those that raised it where its lift is above 1, that lowered it where it is below.
        """
        shares = _shares(votes, now)
        self.learn(vote for _, vote in shares)
        pulls = [
            (share * float(self._known(vote).likeness[number]), share, vote)
            for share, vote in shares
        ]
        sign = 1 if sum(pull for pull, _, _ in pulls) > 0 else -1
        pulls.sort(key=lambda item: -sign * item[0])
        parts: dict[Term, float] = defaultdict(float)
        spellings: dict[Term, str] = {}
        for pull, share, vote in pulls[:_TELLING_VOTES]:
            if sign * pull > 0:
                for item in self._terms_shared(vote, number):
                    parts[item.term] += sign * share * item.value
                    spellings.setdefault(item.term, item.spelling)
        return tuple(spellings[term] for term in _apart(parts))

    def _known(self, vote: Vote) -> _Voted:
        if vote.paper_id not in self._voted:
            self.learn([vote])
        return self._voted[vote.paper_id]

    def _worked_out(self, votes: Sequence[Vote]) -> dict[PaperId, _Voted]:
        vectors = features([(vote.title, vote.abstract) for vote in votes], self._statistics)
        shared = np.maximum((vectors @ self._by_column).toarray() - self._common, 0.0)
        likeness = (shared / (shared + HALF_LIKE)).astype(np.float32)
        rows = zip(pairwise(vectors.indptr), likeness, strict=True)
        return {
            vote.paper_id: _Voted(
                likeness=near.copy(),
                columns=vectors.indices[start:end].copy(),
                values=vectors.data[start:end].copy(),
            )
            for vote, ((start, end), near) in zip(votes, rows, strict=True)
        }

    def _terms_shared(self, vote: Vote, number: int) -> tuple[_Shared, ...]:
        """What a voted paper and one of the edition share, the most telling terms first."""
        key = vote.paper_id, number
        if key not in self._shared:
            if len(self._shared) >= _SHARED_MOST:
                self._shared.clear()
            self._shared[key] = self._found_shared(vote, number)
        return self._shared[key]

    def _found_shared(self, vote: Vote, number: int) -> tuple[_Shared, ...]:
        voted, vectors = self._known(vote), self._vectors
        if not voted.likeness[number]:
            return ()
        span = slice(vectors.indptr[number], vectors.indptr[number + 1])
        columns, mine, theirs = np.intersect1d(
            voted.columns, vectors.indices[span], assume_unique=True, return_indices=True
        )
        values = dict(
            zip(columns.tolist(), voted.values[mine] * vectors.data[span][theirs], strict=True)
        )
        here = self._spelled(self._texts[number])  # a column alone may be another term's too
        found = (
            _Shared(term, spelling, values[column])
            for term, (column, spelling) in self._spelled((vote.title, vote.abstract)).items()
            if term in here and column in values
        )
        return tuple(sorted(found, key=lambda item: (-item.value, item.term))[:_TERMS])

    def _spelled(self, text: Text) -> dict[Term, tuple[int, str]]:
        if text not in self._spellings:
            if len(self._spellings) >= _SPELLINGS_MOST:
                self._spellings.clear()
            self._spellings[text] = spelled_terms(text)
        return self._spellings[text]


def _apart(parts: Mapping[Term, float]) -> list[Term]:
    """The heaviest terms, at most 3 and no two of them with a word in common."""
    chosen: list[Term] = []
    for term in sorted(parts, key=lambda term: (-parts[term], term)):
        if len(chosen) < WORDS and not any(set(term) & set(other) for other in chosen):
            chosen.append(term)
    return chosen


def _shares(votes: Iterable[Vote], now: datetime) -> list[tuple[float, Vote]]:
    """The newest votes with what each adds to a taste per likeness, in an order of their own."""
    newest = sorted(votes, key=lambda vote: (vote.given_at, vote.paper_id), reverse=True)
    weighed = [(weight(vote, now), vote) for vote in newest[:MOST_VOTES]]
    less = sum(heavy for heavy, vote in weighed if vote.opinion is Opinion.LESS)
    more = sum(heavy for heavy, vote in weighed if vote.opinion is not Opinion.LESS)
    return [
        (-LESS * heavy / (less + IMAGINED_VOTES), vote)
        if vote.opinion is Opinion.LESS
        else (heavy / (more + IMAGINED_VOTES), vote)
        for heavy, vote in weighed
        if heavy
    ]


def _common(vectors: Any) -> NDArray[np.float64]:
    """The mean cosine (papers,) of each paper to the others of the edition and 20 imagined ones."""
    papers = vectors.shape[0]
    everything = np.bincount(vectors.indices, vectors.data, minlength=vectors.shape[1])
    own = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    others = np.maximum(vectors @ everything - own, 0.0)
    common: NDArray[np.float64] = others / (papers - 1 + _IMAGINED_PAPERS)
    return common
