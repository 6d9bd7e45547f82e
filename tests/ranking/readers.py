"""Pools and readers for the tests of selection, and the rule once more, short and slow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from digest.ranking.copies import Copies
from digest.ranking.flat import Picks, Pool, Readers
from digest.ranking.match import Row
from digest.ranking.select import interests_of, pool_of, select, starts_of

PAPERS = 12


@dataclass(frozen=True, kw_only=True)
class Wish:
    """An interest: its matches (paper → relevance), and its weight."""

    relevance: Mapping[int, float]
    weight: float = 1.0
    certain: bool = False

    @property
    def row(self) -> Row:
        papers = sorted(self.relevance)
        values = np.array([self.relevance[n] for n in papers], np.float64)
        return Row(papers=np.array(papers, np.int64), relevance=values, certain=self.certain)


@dataclass(frozen=True, kw_only=True)
class Reader:
    wishes: tuple[Wish, ...] = ()
    barred: frozenset[int] = frozenset()
    lift: Mapping[int, float] = field(default_factory=dict)
    group: int = 0
    threshold: float = 0.25
    most: int = 10
    beyond: int = 0


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Papers: trend by number, days carried by group, near-copies, what trends most."""

    trend: Mapping[int, float] = field(default_factory=dict)
    carried: tuple[Mapping[int, float], ...] = ({},)
    alike: frozenset[frozenset[int]] = frozenset()
    hot: tuple[int, ...] = ()
    papers: int = PAPERS

    @property
    def pool(self) -> Pool:
        numbers = range(self.papers)
        near: list[list[int]] = [[] for _ in numbers]
        for one, other in (sorted(pair) for pair in self.alike):
            near[one].append(other)
            near[other].append(one)
        copies = Copies(
            title=np.arange(self.papers, dtype=np.int32),
            starts=starts_of([len(row) for row in near]),
            near=np.array([n for row in near for n in row], np.int32),
        )
        trend = np.array([self.trend.get(n, 0.0) for n in numbers])
        carried = np.array([[days.get(n, 0.0) for n in numbers] for days in self.carried])
        return pool_of(trend, carried, copies, self.hot)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What one reader gets: papers, best first, those beyond the matches behind them."""

    papers: list[int]
    wishes: list[int]
    scores: list[float]
    relevance: list[float]
    beyond: list[int]
    matches: int


def chosen(shelf: Shelf, readers: Sequence[Reader], *, compiled: bool = False) -> list[Chosen]:
    """What the real selection gives to each reader."""
    wishes = [wish for reader in readers for wish in reader.wishes]
    lifts = [sorted(reader.lift.items()) for reader in readers]
    flat = Readers(
        starts=starts_of([len(reader.wishes) for reader in readers]),
        rows=np.arange(len(wishes), dtype=np.int32),
        weights=np.array([wish.weight for wish in wishes], np.float64),
        barred_starts=starts_of([len(reader.barred) for reader in readers]),
        barred=np.array([n for reader in readers for n in reader.barred], np.int32),
        lift_starts=starts_of([len(pairs) for pairs in lifts]),
        lifted=np.array([paper for pairs in lifts for paper, _ in pairs], np.int32),
        lift=np.array([factor for pairs in lifts for _, factor in pairs], np.float64),
        group=np.array([reader.group for reader in readers], np.int32),
        threshold=np.array([reader.threshold for reader in readers], np.float64),
        most=np.array([reader.most for reader in readers], np.int32),
        beyond=np.array([reader.beyond for reader in readers], np.int32),
    )
    interests = interests_of([wish.row for wish in wishes])
    picks = select(shelf.pool, interests, flat, compiled=compiled)
    return [_chosen(picks, n) for n in range(len(readers))]


def _chosen(picks: Picks, reader: int) -> Chosen:
    size, beyond = int(picks.sizes[reader]), int(picks.beyond[reader])
    return Chosen(
        papers=picks.papers[reader, :size].tolist(),
        wishes=picks.wishes[reader, :size].tolist(),
        scores=picks.scores[reader, :size].tolist(),
        relevance=picks.relevance[reader, :size].tolist(),
        beyond=picks.papers[reader, size : size + beyond].tolist(),
        matches=int(picks.matches[reader]),
    )


def by_the_rule(shelf: Shelf, reader: Reader) -> Chosen:
    """The rule in the words of `select`, for one reader, by sorting everything at every step."""
    worth = shelf.pool.worth[reader.group].tolist()
    worth = [value * reader.lift.get(n, 1.0) for n, value in enumerate(worth)]
    matching = [
        {
            n: near
            for n, near in wish.relevance.items()
            if n not in reader.barred and (wish.certain or near >= reader.threshold)
        }
        for wish in reader.wishes
    ]
    found = sorted({n for matched in matching for n in matched})
    score, leader = {}, {}
    for n in found:
        missed = {
            w: (1 - matched[n]) ** reader.wishes[w].weight
            for w, matched in enumerate(matching)
            if n in matched
        }
        score[n] = max(1 - prod(missed.values()), 1e-12) * worth[n]
        leader[n] = min(missed, key=lambda w: (missed[w], w))
    taken: list[int] = []

    def is_new(paper: int) -> bool:
        return not any({paper, other} in shelf.alike for other in taken)

    def faded(paper: int) -> tuple[float, int]:
        brought = sum(leader.get(other) == leader[paper] for other in taken)
        return -score[paper] * prod([0.85] * brought), paper

    def spread(most: int) -> None:
        while len(taken) < most:
            left = [n for n in found if n not in taken and is_new(n)]
            if not left:
                return
            taken.append(min(left, key=faded))

    hot = [n for n in shelf.hot if n not in reader.barred and n not in found]
    kept = reader.most - min(len(hot), reader.beyond, reader.most // 3)
    lists = [sorted(m, key=lambda n, m=m: (-m[n] * worth[n], n)) for m in matching if m]
    for papers in sorted(lists, key=lambda papers: (-score[papers[0]], papers[0])):
        if len(taken) < kept:
            first = next((n for n in papers if n in taken or is_new(n)), None)
            if first is not None and first not in taken:
                taken.append(first)
    spread(kept)
    beyond: list[int] = []
    for paper in hot if found else []:
        if len(beyond) < reader.beyond and len(taken) < reader.most and is_new(paper):
            taken.append(paper)
            beyond.append(paper)
    spread(reader.most)
    matched_ones = sorted(set(taken) - set(beyond), key=lambda n: (-score[n], n))
    return Chosen(
        papers=matched_ones,
        wishes=[leader[n] for n in matched_ones],
        scores=[min(score[n], 1.0) for n in matched_ones],
        relevance=[matching[leader[n]][n] for n in matched_ones],
        beyond=beyond,
        matches=len(found),
    )
