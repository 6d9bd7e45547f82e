"""Statistics of a corpus: in how many papers a word stands, kept up by adding only what is new."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from digest.ranking.vocabulary import stems

TITLE_WEIGHT = 3

# Pairs of words are too many to keep by name (millions in a year of arXiv): they are counted in
# slots by hash. Two pairs in one slot only make both a little less rare.
_SLOTS = 1 << 22
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth, TAOCP 3, §6.4
_SHIFT = np.uint64(64 - 22)
_PRIOR_PAPERS = 50
_PRIOR_SHARE = 0.01

Text = tuple[str, str]
"""Title and abstract of one paper."""


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """How many of `documents` papers hold each stem and each pair of neighbouring stems.

    `length` is the sum of their lengths in words, a title's words counted three times.
    """

    documents: int = 0
    length: int = 0
    stems: Counter[str] = field(default_factory=Counter)
    pairs: NDArray[np.int32] = field(default_factory=lambda: np.zeros(_SLOTS, np.int32))

    @classmethod
    def of(cls, texts: Iterable[Text]) -> Self:
        """The statistics of these papers, read as a stream."""
        return cls.of_stems((stems(title), stems(abstract)) for title, abstract in texts)

    @classmethod
    def of_stems(cls, papers: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Self:
        """The same from the stems of title and abstract."""
        documents = length = 0
        held: Counter[str] = Counter()
        pairs = np.zeros(_SLOTS, np.int32)
        for title, abstract in papers:
            documents += 1
            length += TITLE_WEIGHT * len(title) + len(abstract)
            held.update({*title, *abstract})
            slots = np.concatenate((pair_slots(title), pair_slots(abstract)))
            pairs[np.unique(slots)] += 1
        return cls(documents=documents, length=length, stems=held, pairs=pairs)

    def __add__(self, other: "Statistics | Iterable[Text]") -> "Statistics":
        """The statistics of both; a plain iterable is read as further papers."""
        more = other if isinstance(other, Statistics) else Statistics.of(other)
        return Statistics(
            documents=self.documents + more.documents,
            length=self.length + more.length,
            stems=self.stems + more.stems,
            pairs=self.pairs + more.pairs,
        )

    @property
    def mean_length(self) -> float:
        """Words of a paper, title counted thrice; 1 in an empty corpus."""
        return max(self.length / self.documents, 1.0) if self.documents else 1.0

    def papers_with(self, words: Sequence[str]) -> int:
        """In how many papers the neighbouring stems `words` stand; an upper bound from three on."""
        if len(words) == 1:
            return self.stems[words[0]]
        return int(self.pairs[pair_slots(words)].min()) if words else 0

    def idf(self, papers: "NDArray[np.int64] | Sequence[int]") -> NDArray[np.float64]:
        """Inverse document frequency as in Lucene's BM25, ln(1 + (N - n + ½) / (n + ½)): above 0.

        `papers` (terms,) are counts as `papers_with` gives them.
        """
        held = np.minimum(np.asarray(papers, np.float64), self.documents)
        result: NDArray[np.float64] = np.log1p((self.documents - held + 0.5) / (held + 0.5))
        return result

    def share(self, words: Sequence[str]) -> float:
        """The part of papers that hold `words`, above 0 and below 1.

        Drawn to 1 % by 50 imagined papers: in an empty store every phrase passes for a rare one.
        """
        held = min(self.papers_with(words), self.documents)
        return (held + _PRIOR_PAPERS * _PRIOR_SHARE) / (self.documents + _PRIOR_PAPERS)


def pair_slots(words: Sequence[str]) -> NDArray[np.int64]:
    """The slot of each neighbouring pair of stems, one fewer than words."""
    hashes = np.fromiter(map(_hash, words), np.uint64, len(words))
    mixed = (hashes[:-1] * np.uint64(31) + hashes[1:]) * _MIX
    return (mixed >> _SHIFT).astype(np.int64)


@lru_cache(maxsize=1 << 18)
def _hash(word: str) -> int:
    return crc32(word.encode())  # the same in every process, unlike hash()
