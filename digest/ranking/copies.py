"""Near-copies: papers whose titles share four fifths of their words (Jaccard)."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

ALIKE = 0.8

_MOST = 200  # near-copies of one title from which they are a series, which counts as one title
_BLOCK = 256
_PAIRS = 100_000  # compared side by side

Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Copies:
    """Which papers are near-copies, by the number of their title.

    `title` is (papers,): papers with the same words have the same number; the near-copies of title
    t, itself left out, are `near[starts[t]:starts[t + 1]]`. A paper whose title has no words is
    like no other.
    """

    title: NDArray[np.int32]
    starts: Numbers
    near: NDArray[np.int32]

    @classmethod
    def of(cls, titles: Sequence[AbstractSet[str]]) -> "Copies":
        """Those among the papers whose titles have these words."""
        numbers: dict[object, int] = {}
        title = [
            numbers.setdefault(frozenset(words) or at, len(numbers))
            for at, words in enumerate(titles)
        ]
        distinct = [key if isinstance(key, frozenset) else frozenset() for key in numbers]
        series, pairs = _alike(distinct)
        pairs = np.unique(np.hstack((pairs, pairs[::-1])), axis=1)
        counts = np.bincount(pairs[0], minlength=len(distinct))
        return cls(
            title=series[np.array(title, np.int64)].astype(np.int32),
            starts=np.concatenate(([0], np.cumsum(counts))),
            near=pairs[1].astype(np.int32),
        )

    def are_alike(self, one: int, other: int) -> bool:
        """Whether two papers are near-copies; a paper is one of itself."""
        a, b = self.title[one], self.title[other]
        return bool(a == b or b in self.near[self.starts[a] : self.starts[a + 1]])


def _alike(titles: Sequence[frozenset[str]]) -> tuple[Numbers, Numbers]:
    """The title that each one counts as, and the near-copies among these, (2, pairs)."""
    series = np.arange(len(titles))
    found = np.zeros((2, 0), np.int64)
    if not any(titles):
        return series, found
    words, rare = _columns(titles)
    for first in range(0, len(titles), _BLOCK):
        block = np.arange(first, min(first + _BLOCK, len(titles)))
        pairs = np.hstack([found[:, :0], *_pairs(block, words, rare, series)])
        for one in np.flatnonzero(np.bincount(pairs[0]) > _MOST) if pairs.size else ():
            if series[one] == one:
                series[series == one] = one
                series[pairs[1, pairs[0] == one]] = one
        found = _counted_as(series, np.hstack((found, pairs)))
    return series, found


def _counted_as(series: Numbers, pairs: Numbers) -> Numbers:
    """The pairs between the titles that theirs count as, each once."""
    named = series[pairs]
    return np.unique(named[:, named[0] != named[1]], axis=1)


def _pairs(block: Numbers, words: csr_array, rare: csr_array, series: Numbers) -> Iterator[Numbers]:
    """The near-copies (2, pairs) of a block's titles among these and those that come later.

    Titles that share four fifths of their words share one of the rarest fifth of them, give or take
    one (prefix filter: Chaudhuri et al., ICDE 2006), so only these are looked up.
    """
    later = np.arange(block[0], len(series))
    own, later = (some[series[some] == some] for some in (block, later))
    shared = (rare[own] @ rare[later].T).tocoo()
    one, other = own[shared.coords[0]], later[shared.coords[1]]
    kept = one < other
    one, other = one[kept], other[kept]
    size = np.diff(words.indptr)
    for at in range(0, len(one), _PAIRS):
        a, b = one[at : at + _PAIRS], other[at : at + _PAIRS]
        both = words[a].multiply(words[b]).sum(axis=1)
        alike = both >= ALIKE * (size[a] + size[b] - both)
        yield np.vstack((a[alike], b[alike]))


def _columns(titles: Sequence[frozenset[str]]) -> tuple[csr_array, csr_array]:
    """(titles, words): which words each title has, and which of them are its rarest fifth."""
    names = {word: n for n, word in enumerate(sorted(set(chain.from_iterable(titles))))}
    held = [[names[word] for word in words] for words in titles]
    often = np.bincount(np.fromiter(chain.from_iterable(held), np.int64), minlength=len(names))
    for row in held:
        row.sort(key=lambda word: (often[word], word))
    # a title of n words must share ceil(.8 n) of them with a near-copy
    rarest = [row[: len(row) - int(np.ceil(ALIKE * len(row) - 1e-9)) + 1] for row in held]
    shape = len(titles), len(names)
    return _matrix(held, shape), _matrix(rarest, shape)


def _matrix(rows: Sequence[Sequence[int]], shape: tuple[int, int]) -> csr_array:
    starts = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter(chain.from_iterable(rows), np.int64, int(starts[-1]))
    return csr_array((np.ones(len(columns), np.int32), columns, starts), shape=shape)
