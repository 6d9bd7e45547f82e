"""Topics: whether a paper is about what an interest is about, judged by the papers that name it.

A paper's closeness to an interest is its likeness to the interest's profile (and its nearness in
meaning), reckoned so that 0 is the middle of the pool and 1 the middle of the papers that do hold
the phrase. So it means the same for every interest and on every day, however common the phrase or
broad its field. It does two things:

* A paper that holds the phrase counts for more or less: the weight of its evidence is multiplied by
  the closeness, from ½ (chemical `agents` among papers on AI agents) to 1½.
* A paper that does not hold it, but is closer than the middle of those that do, is related. Its
  relevance is 0.3 × closeness, at most 0.45: below that of a paper that names a rare phrase once.
  At most three come with one interest, and none where more than ten papers of the pool hold the
  phrase: there is enough to read then, and a field so broad that closeness says little.

Fewer than five papers that hold the phrase teach nothing, and of many the best twenty teach: n of
them leave the multiplier its power n / (n + 5). Stop words alone teach nothing, whoever holds them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.ranking.corpus import Corpus, Found, Look, Scores, Weight
from digest.ranking.lexical import NAME, SENTENCE, Query
from digest.ranking.profiles import Profile

LEAST_HOLDERS = 5
LEAST_FACTOR, MOST_FACTOR = 0.5, 1.5
RELATED = 0.3
MOST_RELATED = 0.45
RELATED_PAPERS = 3  # of one interest in one edition
RELATED_FROM = 1.25
ENOUGH = 10
HELD = 0.3  # the part of its ceiling that a phrase standing once in an abstract surpasses

_FEW = 5  # holders at which the multiplier is drawn halfway to 1
_POOL_HOLDERS = 3  # of the pool, for nearness to be judged by


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """What an interest is about: the closeness of each paper of the pool (papers,), and how far to
    trust it, 0 to 1. `related` are papers, by number, that do not hold the phrase, the closest
    first, each with the features, by column, that make it like the profile, the strongest first.
    """

    closeness: Scores
    trust: float
    related: Mapping[int, tuple[int, ...]]

    def weighed(self, papers: NDArray[np.int64], relevance: Scores) -> Scores:
        """The relevance of papers that hold the phrase, by their closeness too."""
        factor = np.clip(self.closeness[papers], LEAST_FACTOR, MOST_FACTOR) ** self.trust
        weight = relevance / (1 - relevance) * factor
        return weight / (weight + 1)

    def relevance(self, paper: int) -> float:
        """The relevance of a related paper."""
        return min(MOST_RELATED, RELATED * float(self.closeness[paper]))


class Topics:
    """Works out what interests are about, from a corpus."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def of(self, phrases: Sequence[str]) -> list[Topic | None]:
        """The topic of each phrase; None where too few papers hold it to tell."""
        if not phrases:
            return []
        found = self._corpus.find(phrases)
        # the rest takes most of the time, and tells nothing of a phrase that hardly any paper holds
        told = [number for number in range(len(phrases)) if _is_held(found, number)]
        if not told:
            return [None] * len(phrases)
        chosen = Found(queries=[found.queries[n] for n in told], lexical=found.lexical[told])
        look = self._corpus.look_closer([phrases[n] for n in told], chosen)
        topics = {number: self._topic(look, at) for at, number in enumerate(told)}
        return [topics.get(number) for number in range(len(phrases))]

    def _topic(self, look: Look, number: int) -> Topic | None:
        if not look.queries[number].words:
            return None
        taught = look.profiles[number]
        row = look.lexical[[number]].toarray().ravel()
        holds = row >= _least(look.queries[number])
        holding = holds[taught.papers]
        holders = taught.papers[holding]
        if len(holders) < LEAST_HOLDERS:
            return None
        size = self._corpus.size
        likeness = look.likeness[number].copy()
        inside = taught.papers < size  # of these what they taught of themselves does not count
        likeness[taught.papers[inside]] = taught.likeness[inside]
        reference = float(np.median(taught.likeness[holding]))
        alike = _scaled(likeness, reference)
        closeness, total = alike, 1.0
        own = holders[holders < size]
        is_sentence = look.queries[number].is_sentence
        profile = self._corpus.understanding.profile
        for sense, nearness in zip(self._corpus.understanding.senses, look.nearness, strict=True):
            if len(own) >= _POOL_HOLDERS:
                weight = _ratio(sense.weight, profile, is_sentence=is_sentence)
                near = nearness[number]
                closeness = closeness + weight * _scaled(near, float(np.median(near[own])))
                total += weight
        closeness = closeness / total
        related = _related(closeness, alike, holds[:size])
        return Topic(
            closeness=closeness,
            trust=len(holders) / (len(holders) + _FEW),
            related={paper: self._shared(taught, paper) for paper in related},
        )

    def _shared(self, profile: Profile, paper: int) -> tuple[int, ...]:
        """The features that make a paper like a profile, by column, strongest first."""
        vectors = self._corpus.vectors
        row = slice(vectors.indptr[paper], vectors.indptr[paper + 1])
        common, own, of_profile = np.intersect1d(
            vectors.indices[row], profile.columns, return_indices=True
        )
        product = vectors.data[row][own] * profile.values[of_profile]
        order = np.argsort(-product, kind="stable")
        return tuple(common[order][product[order] > 0].tolist())


def _is_held(found: Found, number: int) -> bool:
    """Whether enough papers hold the phrase of that number to tell what it is about."""
    lexical = found.lexical
    scores = lexical.data[lexical.indptr[number] : lexical.indptr[number + 1]]
    return int(np.count_nonzero(scores >= _least(found.queries[number]))) >= LEAST_HOLDERS


def _least(query: Query) -> float:
    """The lexical score from which on a paper holds the phrase. One word alone has no pairs."""
    views = SENTENCE if query.is_sentence else NAME
    words = (views.form_words + views.stem_words) * bool(query.words)
    pairs = (views.form_pairs + views.stem_pairs) * bool(query.pairs)
    return HELD * max(words + pairs, 1e-9)


def _scaled(values: Scores, reference: float) -> Scores:
    """Values so that the middle of all is 0 and the reference 1, bounded by 0 and 3."""
    base = float(np.median(values)) if len(values) else 0.0
    spread = max(reference - base, 0.02)
    return np.clip((values - base) / spread, 0.0, 3.0)


def _related(closeness: Scores, alike: Scores, held: NDArray[np.bool_]) -> tuple[int, ...]:
    """The closest of the papers that do not hold the phrase; both by the profile and in all they
    must be close, for nearness alone also finds what is merely of the same kind.
    """
    if np.count_nonzero(held) > ENOUGH:
        return ()
    close = np.flatnonzero((closeness >= RELATED_FROM) & (alike >= 1.0) & ~held)
    order = np.argsort(-closeness[close], kind="stable")[:RELATED_PAPERS]
    return tuple(close[order].tolist())


def _ratio(one: Weight, other: Weight, *, is_sentence: bool) -> float:
    return one.sentence / other.sentence if is_sentence else one.name / other.name
