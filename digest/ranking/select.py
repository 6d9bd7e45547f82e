"""Selection: which papers one subscriber gets, from rows of matches, in what order.

    wanted = 1 - ∏ (1 - relevance) ^ weight     over the interests a paper matches (noisy-or)
    score  = wanted × (0.6 + 0.4 × trend)

Relevance decides whether: a match below the threshold counts for nothing, however much the paper
trends. Trend decides how early: it moves a paper by at most two fifths. An interest of weight 2
counts as if it were given twice.

Every interest gets its best paper first. What room is left goes by score, faded by 0.85 for each
paper that the same interest has already brought, so that a loud interest does not drown the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.ranking.match import Row

TREND_SHARE = 0.4
FADE = 0.85

Alike = Callable[[int, int], bool]
"""Whether two papers, by number, are near-copies."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """One interest of a subscriber: its matches and its weight (above 0)."""

    row: Row
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A chosen paper and the wish that contributed most to it, both by number."""

    paper: int
    wish: int
    score: float
    relevance: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Choices best first; `matches` counts all papers that could have been chosen."""

    choices: tuple[Choice, ...]
    matches: int


def select(
    wishes: Sequence[Wish],
    barred: NDArray[np.bool_],
    trend: NDArray[np.float64],
    *,
    threshold: float,
    max_papers: int,
    alike: Alike,
) -> Selection:
    """Choose at most `max_papers` papers; none that is barred, and no two that are alike.

    `barred` and `trend` are (papers,); trend lies in 0 to 1.
    """
    pull = np.zeros(len(trend))
    strongest = np.zeros(len(trend))
    relevance = np.zeros(len(trend))
    leader = np.full(len(trend), -1)
    early = 1 - TREND_SHARE + TREND_SHARE * trend
    ranked: list[NDArray[np.int64]] = []  # each wish's papers, its best first
    for number, wish in enumerate(wishes):
        papers, values = _allowed(wish.row, barred, threshold)
        if not len(papers):
            continue
        pulls = -np.log1p(-values) * wish.weight
        pull[papers] += pulls
        ranked.append(papers[np.argsort(np.expm1(-pulls) * early[papers], kind="stable")])
        leads = pulls > strongest[papers]
        led = papers[leads]
        strongest[led], relevance[led], leader[led] = pulls[leads], values[leads], number
    found = np.flatnonzero(pull)
    score = -np.expm1(-pull) * early
    chosen = _fill(found, score, leader, ranked, max_papers=max_papers, alike=alike)
    chosen.sort(key=lambda paper: (-score[paper], paper))
    columns = (leader[chosen], score[chosen], relevance[chosen])
    choices = (
        Choice(paper=paper, wish=int(wish), score=float(value), relevance=float(near))
        for paper, wish, value, near in zip(chosen, *columns, strict=True)
    )
    return Selection(choices=tuple(choices), matches=len(found))


def trending(
    order: Sequence[int], barred: NDArray[np.bool_], max_papers: int, alike: Alike
) -> list[int]:
    """The first papers of `order` that are not barred, without near-copies."""
    chosen: list[int] = []
    for paper in order:
        if len(chosen) == max_papers:
            break
        if not barred[paper]:
            _take(paper, chosen, alike)
    return chosen


def _allowed(
    row: Row, barred: NDArray[np.bool_], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    kept = ~barred[row.papers]
    if not row.certain:
        kept &= row.relevance >= threshold
    return row.papers[kept], row.relevance[kept]


def _fill(
    found: NDArray[np.int64],
    score: NDArray[np.float64],
    leader: NDArray[np.int64],
    ranked: Sequence[NDArray[np.int64]],
    *,
    max_papers: int,
    alike: Alike,
) -> list[int]:
    """Each interest's best, or its next best where that is a near-copy of one chosen already; then
    the others by faded score.
    """
    chosen: list[int] = []
    for papers in sorted(ranked, key=lambda papers: (-score[papers[0]], papers[0])):
        if len(chosen) == max_papers:
            break
        for paper in papers.tolist():
            if paper in chosen or _take(paper, chosen, alike):
                break
    left = score.copy()
    left[chosen] = 0.0
    rest = left[found]
    leads = leader[found]
    for paper in chosen:
        rest[leads == leader[paper]] *= FADE
    while len(chosen) < max_papers and rest.any():
        at = int(np.argmax(rest))
        rest[at] = 0.0
        if _take(int(found[at]), chosen, alike):
            rest[leads == leads[at]] *= FADE
    return chosen


def _take(paper: int, chosen: list[int], alike: Alike) -> bool:
    if any(alike(paper, other) for other in chosen):
        return False
    chosen.append(paper)
    return True
