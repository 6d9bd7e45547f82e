"""A crowd of readers, invented from a seed, and ways to find each one's best papers.

`python -m tests.benchmarks.crowds WAY READERS` runs one way in a process of its own and prints a
line of JSON: CPU-seconds (loading and importing left out), peak memory in MB, and what a sample of
the outcome looks like beside the plain reference.

All ways answer the same question: of the papers that match any of a reader's five interests, which
ten have the greatest sum of -log(1 - relevance), and how much is it? `rule` answers the whole
question of `digest.ranking.select`, with trend, places for each interest, near-copies and papers
that may not come, for which a product of matrices has no room.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from digest.ranking.copies import Copies
from digest.ranking.flat import Interests, Pool, Readers
from digest.ranking.select import pool_of, select, starts_of
from tests.ranking.readers import Reader, Shelf, Wish, by_the_rule

PAPERS = 1_000
INTERESTS = 200_000
EACH = 5
BEST = 10
SENT = 20
CHUNK = 50_000
SAMPLE = 100

Found = tuple[NDArray[np.int32], NDArray[np.float64]]  # papers and scores, (readers, BEST)


@dataclass(frozen=True)
class World:
    """Papers and interests; of the papers trends and near-copies."""

    interests: Interests
    trend: NDArray[np.float64]
    copies: Copies
    chances: NDArray[np.float64]

    @classmethod
    def invented(cls) -> "World":
        rng = np.random.default_rng(1)
        rank = np.arange(1, INTERESTS + 1)
        # a common interest matches more papers than a rare one
        size = 9.0 * np.exp(rng.normal(0, 1, INTERESTS)) * (INTERESTS / rank) ** 0.05
        share = np.minimum(size, PAPERS / 3).astype(np.float32) / PAPERS
        papers, sizes = [], []
        for first in range(0, INTERESTS, 5_000):
            block = share[first : first + 5_000, None]
            held = rng.random((len(block), PAPERS), np.float32) < block
            papers.append(np.nonzero(held)[1].astype(np.int32))
            sizes.append(held.sum(axis=1))
        columns = np.concatenate(papers)
        interests = Interests(
            starts=starts_of(np.concatenate(sizes)),
            papers=columns,
            relevance=rng.uniform(0.2, 0.95, len(columns)),
            certain=np.zeros(INTERESTS, np.bool_),
        )
        titles = [frozenset(rng.integers(0, 300, 6).tolist()) for _ in range(PAPERS - 40)]
        titles += [title | {300} for title in titles[:40]]
        copies = Copies.of([frozenset(map(str, title)) for title in titles])
        chances = np.cumsum(1 / rank)
        return cls(interests, rng.random(PAPERS), copies, chances / chances[-1])

    def readers(self, count: int) -> Iterator[Readers]:
        """Chunks of readers; what they want falls as Zipf says."""
        for first in range(0, count, CHUNK):
            size = min(CHUNK, count - first)
            rng = np.random.default_rng([2, first])
            rows = np.searchsorted(self.chances, rng.random(size * EACH))
            none = np.zeros(0, np.int32)
            yield Readers(
                starts=np.arange(0, (size + 1) * EACH, EACH),
                rows=rows.astype(np.int32),
                weights=rng.choice([1.0, 1.0, 1.0, 2.0], size * EACH),
                barred_starts=np.arange(0, (size + 1) * SENT, SENT),
                barred=rng.integers(0, PAPERS, size * SENT, dtype=np.int32),
                lift_starts=np.zeros(size + 1, np.int64),
                lifted=none,
                lift=np.zeros(0),
                group=np.zeros(size, np.int32),
                threshold=np.full(size, 0.25),
                most=np.full(size, BEST, np.int32),
                beyond=np.ones(size, np.int32),
            )

    def pool(self) -> Pool:
        hot = np.argsort(-self.trend)[:3].tolist()
        return pool_of(self.trend, np.zeros((1, PAPERS)), self.copies, hot)


def plain(readers: Readers) -> Readers:
    """The same readers for the question that every way can answer."""
    size = len(readers.most)
    return readers._replace(
        barred_starts=np.zeros(size + 1, np.int64),
        barred=np.zeros(0, np.int32),
        threshold=np.zeros(size),
        beyond=np.zeros(size, np.int32),
    )


def best_by_rule(world: World, readers: Readers) -> Found:
    picks = select(world.pool(), world.interests, readers, compiled=True)
    return picks.papers, picks.scores


class Kernel:
    """Our loop on the plain question: no trend, no places, no near-copies."""

    def __init__(self, world: World) -> None:
        none = Copies(
            title=np.arange(PAPERS, dtype=np.int32),
            starts=np.zeros(PAPERS + 1, np.int64),
            near=np.zeros(0, np.int32),
        )
        self._pool = pool_of(np.ones(PAPERS), np.zeros((1, PAPERS)), none, fade=1.0)
        self._interests = world.interests

    def best(self, readers: Readers) -> Found:
        picks = select(self._pool, self._interests, readers, compiled=True)
        return picks.papers, picks.scores


class Product:
    """(readers × interests) · (interests × papers), as one would with matrices."""

    def __init__(self, world: World) -> None:
        given = world.interests
        pulls = -np.log1p(-given.relevance)
        self._right = csr_matrix(
            (pulls, given.papers, given.starts.astype(np.int32)), shape=(INTERESTS, PAPERS)
        )

    def _left(self, readers: Readers) -> csr_matrix:
        shape = len(readers.most), INTERESTS
        starts = readers.starts.astype(np.int32)
        return csr_matrix((readers.weights, readers.rows, starts), shape=shape)

    def top_n(self, readers: Readers) -> Found:
        from sparse_dot_topn import sp_matmul_topn

        found = sp_matmul_topn(self._left(readers), self._right, top_n=BEST, sort=True, n_threads=1)
        return _table(found.indptr, found.indices, found.data)

    def partition(self, readers: Readers) -> Found:
        product = self._left(readers) @ self._right
        papers = np.full((len(readers.most), BEST), -1, np.int32)
        scores = np.zeros(papers.shape)
        for n in range(len(papers)):
            row = slice(product.indptr[n], product.indptr[n + 1])
            values, columns = product.data[row], product.indices[row]
            at = np.argpartition(-values, BEST)[:BEST] if len(values) > BEST else slice(None)
            order = np.argsort(-values[at])
            papers[n, : len(order)], scores[n, : len(order)] = columns[at][order], values[at][order]
        return papers, -np.expm1(-scores)


def _table(
    starts: NDArray[np.int32], papers: NDArray[np.int32], values: NDArray[np.float64]
) -> Found:
    size = np.diff(starts)
    held = np.arange(BEST) < size[:, None]
    table, scores = np.full(held.shape, -1, np.int32), np.zeros(held.shape)
    table[held], scores[held] = papers, values
    return table, -np.expm1(-scores)


WAYS = ("rule", "kernel", "sparse_dot_topn", "scipy")


def measured(way: str, count: int) -> dict[str, float]:
    """CPU-seconds, memory, and how many of a sample agree with the plain reference."""
    world = World.invented()
    kernel, product = Kernel(world), Product(world)
    if way in ("rule", "kernel"):
        from digest.ranking.kernel import compiled

        assert compiled() is not None, "numba is not installed: pip install 'digest[scale]'"
    if way == "sparse_dot_topn":
        import sparse_dot_topn  # noqa: F401
    best = {
        "rule": lambda readers: best_by_rule(world, readers),
        "kernel": kernel.best,
        "sparse_dot_topn": product.top_n,
        "scipy": product.partition,
    }[way]
    seconds, checked, entries = 0.0, 0, 0
    for readers in world.readers(count):
        asked = readers if way == "rule" else plain(readers)
        began = time.process_time()
        papers, scores = best(asked)
        seconds += time.process_time() - began
        entries += int(np.diff(world.interests.starts)[asked.rows].sum())
        sample = range(0, len(papers), max(1, CHUNK // 5))
        for n in sample:
            expected = _rule(world, asked, n) if way == "rule" else _plain(world, asked, n)
            assert expected[0] == [p for p in papers[n].tolist() if p >= 0], (way, n)
            np.testing.assert_allclose(expected[1], scores[n, : len(expected[1])], rtol=1e-9)
            checked += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s": seconds, "peak_mb": peak, "checked": checked, "matches": entries / count}


def _wishes(world: World, readers: Readers, reader: int) -> tuple[Wish, ...]:
    given = world.interests
    wishes = []
    for at in range(readers.starts[reader], readers.starts[reader + 1]):
        row = slice(*given.starts[readers.rows[at] : readers.rows[at] + 2])
        pairs = zip(given.papers[row].tolist(), given.relevance[row].tolist(), strict=True)
        wishes.append(Wish(relevance=dict(pairs), weight=float(readers.weights[at])))
    return tuple(wishes)


def _plain(world: World, readers: Readers, reader: int) -> tuple[list[int], list[float]]:
    """The plain question, answered paper by paper."""
    left: dict[int, float] = {}
    for wish in _wishes(world, readers, reader):
        for paper, near in wish.relevance.items():
            left[paper] = left.get(paper, 1.0) * (1 - near) ** wish.weight
    order = sorted(left, key=lambda paper: (left[paper], paper))[:BEST]
    return order, [1 - left[paper] for paper in order]


def _rule(world: World, readers: Readers, reader: int) -> tuple[list[int], list[float]]:
    """The whole question, answered by the reference of the tests."""
    pool, copies = world.pool(), world.copies
    alike = {
        frozenset({paper, other})
        for paper in range(PAPERS)
        for other in np.flatnonzero(_near(copies, paper)).tolist()
        if other != paper
    }
    shelf = Shelf(
        trend=dict(enumerate(world.trend.tolist())),
        alike=frozenset(alike),
        hot=tuple(pool.hot.tolist()),
        papers=PAPERS,
    )
    one = Reader(
        wishes=_wishes(world, readers, reader),
        barred=frozenset(
            readers.barred[slice(*readers.barred_starts[reader : reader + 2])].tolist()
        ),
        beyond=int(readers.beyond[reader]),
    )
    expected = by_the_rule(shelf, one)
    return expected.papers + expected.beyond, expected.scores


def _near(copies: Copies, paper: int) -> NDArray[np.bool_]:
    title = copies.title[paper]
    near = copies.near[copies.starts[title] : copies.starts[title + 1]]
    return np.isin(copies.title, [title, *near])


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], int(sys.argv[2]))))
