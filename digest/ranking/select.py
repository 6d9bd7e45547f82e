"""Selection: which papers each reader gets, from rows of matches, in what order.

    wanted = 1 - ∏ (1 - relevance) ^ weight     over the interests a paper matches (noisy-or)
    score  = wanted × (0.6 + 0.4 × trend) × 0.85 ^ days carried × lift

Relevance decides whether: a match below the threshold counts for nothing, however much the paper
trends. Trend decides how early: it moves a paper by at most two fifths. An interest of weight 2
counts as if it were given twice. A paper that competed for earlier digests and found no room is
carried over, worth a little less each day: among equals today's come first, and a strong paper of
yesterday still beats a weak one of today. `lift` (0.5 to 1.5) is what the reader's feedback makes
of the paper.

Every interest gets its best paper first, by relevance and what the paper is worth. What room is
left goes by score, faded by 0.85 for each paper that the same interest has already brought, so that
a loud interest does not drown the rest. Of near-copies one comes. Behind the matches may stand
papers that match nothing but trend most (`beyond`); where the digest is full they take the place of
the last matches, of at most one third of them. Ties go to the paper with the lower number.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from digest.ranking import kernel
from digest.ranking.copies import Copies
from digest.ranking.flat import Desk, Floats, Interests, Ints, Picks, Pool, Readers, Starts
from digest.ranking.match import Row

TREND_SHARE = 0.4
FADE = 0.85
CARRY = 0.85
LONGEST_CARRY = 90.0  # days: the longest window that may be configured
LEAST_LIFT, MOST_LIFT = 0.5, 1.5
HEAVIEST = 10.0  # the most that an interest may weigh

# Interpreted, a reader takes some third of a millisecond, and compiling some seconds: from here on
# compiling would have cost no more.
COMPILE_FROM = 20_000


class _Loop:
    """The kernel, interpreted until this process has given it enough to do."""

    def __init__(self) -> None:
        self._readers = 0

    def chosen(self, readers: int, compiled: bool | None) -> Any:
        """The compiled loop, or None for the interpreted one."""
        self._readers += readers
        if compiled is None:
            compiled = self._readers >= COMPILE_FROM
        return kernel.compiled() if compiled else None

    def expect(self, readers: int) -> None:
        """So many will come at once: where they are enough to compile for, begin with that."""
        if readers >= COMPILE_FROM:
            self._readers = max(self._readers, COMPILE_FROM)


_LOOP = _Loop()
expect = _LOOP.expect


def select(
    pool: Pool, interests: Interests, readers: Readers, *, compiled: bool | None = None
) -> Picks:
    """Choose for every reader. `compiled` None compiles where that repays itself.

    Weights, thresholds and lifts outside their bounds count as the nearer bound; what is no number
    weighs 1, admits nothing and lifts nothing.
    """
    readers = readers._replace(
        weights=_within(readers.weights, 0.0, HEAVIEST, other=1.0),
        threshold=_within(readers.threshold, 0.0, 1.0, other=1.0),
        lift=_within(readers.lift, LEAST_LIFT, MOST_LIFT, other=1.0),
    )
    picks = _blank(len(readers.most), int(readers.most.max(initial=0)))
    desk = _desk(pool, readers)
    if loop := _LOOP.chosen(len(readers.most), compiled):
        loop(pool, interests, readers, picks, desk)
    else:
        kernel.fill(_listed(pool), _listed(interests), _listed(readers), picks, _listed(desk))
    return picks


def trending(
    order: Iterable[int], barred: AbstractSet[int], most: int, copies: Copies
) -> list[int]:
    """The first papers of `order` that are not barred, without near-copies."""
    chosen: list[int] = []
    for paper in order:
        if len(chosen) == most:
            break
        if paper not in barred and not any(copies.are_alike(paper, one) for one in chosen):
            chosen.append(paper)
    return chosen


def pool_of(
    trend: Floats, carried: Floats, copies: Copies, hot: Sequence[int] = (), *, fade: float = FADE
) -> Pool:
    """The papers of an edition: `trend` (papers,), 0 to 1, and `carried` (groups, papers), in days.

    What is no number counts as 0.
    """
    early = 1 - TREND_SHARE + TREND_SHARE * _within(trend, 0.0, 1.0)
    return Pool(
        worth=np.ascontiguousarray(early * CARRY ** _within(carried, 0.0, LONGEST_CARRY)),
        title=copies.title,
        near_starts=copies.starts,
        near=copies.near,
        hot=np.array(hot, np.int32),
        fade=fade,
    )


def interests_of(rows: Sequence[Row]) -> Interests:
    """These rows one below the other. A relevance that is no number counts for nothing."""
    papers = [np.zeros(0, np.int64), *(row.papers for row in rows)]
    relevance = [np.zeros(0), *(row.relevance for row in rows)]
    return Interests(
        starts=starts_of([len(row.papers) for row in rows]),
        papers=np.concatenate(papers).astype(np.int32),
        relevance=_within(np.concatenate(relevance), 0.0, 1.0),
        certain=np.array([row.certain for row in rows], np.bool_),
    )


def starts_of(sizes: Sequence[int]) -> Starts:
    """Where each of consecutive stretches begins, and behind them where the last one ends."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)))


def _within(values: Floats, least: float, most: float, *, other: float = 0.0) -> Floats:
    """The values within bounds, with `other` for what is no number."""
    return np.clip(np.nan_to_num(values, nan=other), least, most)


def _blank(readers: int, most: int) -> Picks:
    shape = readers, most
    return Picks(
        papers=np.full(shape, -1, np.int32),
        wishes=np.full(shape, -1, np.int32),
        scores=np.zeros(shape),
        relevance=np.zeros(shape),
        sizes=np.zeros(readers, np.int32),
        beyond=np.zeros(readers, np.int32),
        matches=np.zeros(readers, np.int32),
    )


def _desk(pool: Pool, readers: Readers) -> Desk:
    """A clean desk for papers, titles and the longest list of wishes."""
    papers, titles = len(pool.title), len(pool.near_starts) - 1
    wishes, most = int(np.diff(readers.starts).max(initial=0)), int(readers.most.max(initial=0))

    def ints(size: int) -> Ints:
        return np.zeros(size, np.int32)

    return Desk(
        mark=ints(papers),
        taken=ints(papers),
        titles=ints(titles),
        worth=np.zeros(papers),
        missed=np.zeros(papers),
        least=np.zeros(papers),
        relevance=np.zeros(papers),
        leader=ints(papers),
        score=np.zeros(papers),
        found=ints(papers),
        led=ints(papers),
        chosen=ints(most),
        reached=ints(len(pool.hot)),
        best=ints(wishes),
        value=np.zeros(wishes),
        fade=np.zeros(wishes),
        first=ints(wishes),
        past=ints(wishes),
        top=np.full(wishes, -1, np.int32),
    )


def _listed(columns: Any) -> Any:
    """The same columns as lists, of which Python reads an item faster."""
    return type(columns)._make(
        column.tolist() if isinstance(column, np.ndarray) else column for column in columns
    )
