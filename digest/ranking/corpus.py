"""A corpus: papers indexed in every way that a phrase is compared with them.

It has a pool, whose papers are ranked, and may have earlier papers, which only teach what a phrase
goes along with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from digest.ranking.compounds import Compounds
from digest.ranking.features import features
from digest.ranking.lexical import Lexical, Query
from digest.ranking.meaning import Meaning, cosines, on_grid
from digest.ranking.profiles import Profile, Profiles, likeness
from digest.ranking.statistics import Statistics, Text
from digest.ranking.vocabulary import tokens

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """What one part of a score counts beside the lexical one, by the kind of phrase."""

    name: float
    sentence: float

    def of(self, is_sentence: NDArray[np.bool_]) -> Scores:
        """The weight for each phrase, (phrases, 1)."""
        return np.where(is_sentence, self.sentence, self.name)[:, None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sense:
    """One way to tell how near a phrase and a paper are in meaning, and what it counts."""

    meaning: Meaning
    weight: Weight


@dataclass(frozen=True, kw_only=True, slots=True)
class Understanding:
    """What the ranker goes by beside the words themselves."""

    profile: Weight = Weight(name=0.7, sentence=0.13)
    senses: tuple[Sense, ...] = ()


WORDS_ALONE = Understanding()


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Phrases as they were found by their words alone: scores (phrases, pool and earlier papers),
    each in 0 to 1.
    """

    queries: list[Query]
    lexical: sparse.csr_matrix


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Phrases as they were found: scores (phrases, papers), each in 0 to 1.

    `lexical` is of pool and earlier papers, `likeness` to the profiles and `nearness` by each sense
    of the pool alone.
    """

    queries: list[Query]
    lexical: sparse.csr_matrix
    profiles: list[Profile]
    likeness: Scores
    nearness: list[Scores]

    @property
    def is_sentence(self) -> NDArray[np.bool_]:
        """Which of the phrases are sentences, (phrases,)."""
        return np.array([query.is_sentence for query in self.queries], np.bool_)


class Corpus:
    """An index of papers, numbered in the given order, the pool's first."""

    def __init__(
        self,
        pool: Sequence[Text],
        statistics: Statistics,
        compounds: Compounds,
        *,
        earlier: Sequence[Text] = (),
        understanding: Understanding = WORDS_ALONE,
    ) -> None:
        """`statistics` are of all these papers and may be of more."""
        self.size = len(pool)
        self.understanding = understanding
        self._statistics = statistics
        self._compounds = compounds
        texts = [*pool, *earlier]
        fields = ((compounds.names(title), compounds.names(abstract)) for title, abstract in texts)
        self._lexical = Lexical(fields, statistics)
        self.vectors = features(texts, statistics)
        self._pool = sparse.csr_matrix(self.vectors[: self.size].T)  # (features, papers)
        self._profiles = Profiles(self.vectors)
        self._meanings = [
            on_grid(sense.meaning.of_papers(pool)).astype(np.float64)  # as they are multiplied
            for sense in understanding.senses
        ]

    def look(self, phrases: Sequence[str]) -> Look:
        """Find the phrases in all ways: each the same alone as among others."""
        return self.look_closer(phrases, self.find(phrases))

    def find(self, phrases: Sequence[str]) -> Found:
        """Find the phrases by their words alone."""
        queries = [Query.of(self._compounds.parted(tokens(phrase))) for phrase in phrases]
        return Found(queries=queries, lexical=self._lexical.score(queries))

    def look_closer(self, phrases: Sequence[str], found: Found) -> Look:
        """The rest of `look`, after `find` of these phrases."""
        queries, lexical = found.queries, found.lexical
        asked = features([("", phrase) for phrase in phrases], self._statistics)
        profiles = self._profiles.of(lexical, asked)
        return Look(
            queries=queries,
            lexical=lexical,
            profiles=profiles,
            likeness=likeness(profiles, self._pool),
            nearness=[
                np.clip(cosines(on_grid(sense.meaning.of_phrases(phrases)), papers), 0.0, 1.0)
                for sense, papers in zip(self.understanding.senses, self._meanings, strict=True)
            ],
        )
