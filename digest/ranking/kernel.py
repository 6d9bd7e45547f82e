"""The loop that chooses papers for many readers: one text, interpreted or compiled.

The rule stands in `select`. Here it is written over flat columns, and with no more of Python than
numba compiles, so that both ways run the very same lines: interpreted they take lists (of which
Python reads an item faster than of an array), compiled they take arrays.

Compiling costs seconds of CPU, which a few readers never earn back; so it is put off until this
process has interpreted about as much as compiling costs (`COMPILE_FROM`). Where it was compiled
before, the machine code is found in numba's cache: beside this file, in the user's cache folder or
in `NUMBA_CACHE_DIR`; where none of them can be written, it lives as long as the process.
"""

import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from digest.ranking.flat import Desk, Interests, Picks, Pool, Readers

TINY = 1e-12  # the least that a match counts, so that a weight of nearly nothing still matches


def fill(pool: Pool, interests: Interests, readers: Readers, picks: Picks, desk: Desk) -> None:
    """Choose for each reader, in order, and write down what was chosen."""
    group = -1
    for reader in range(len(readers.most)):
        if readers.group[reader] != group:
            group = readers.group[reader]
            desk.worth[:] = pool.worth[group]
        _mark(readers, desk, reader)
        found = _gather(interests, readers, desk, reader)
        picks.matches[reader] = found
        wishes = readers.starts[reader + 1] - readers.starts[reader]
        most = readers.most[reader]
        hot = _hot(pool, readers, desk, reader) if found > 0 else 0
        kept = most - min(hot, most // 3)
        size = _serve(pool, interests, readers, desk, reader, kept)
        if size < most:
            _line_up(desk, wishes, found)
        size = _spread(pool, desk, reader, wishes, size, kept)
        extra = _reach(pool, readers, desk, reader, size) if hot > 0 else 0
        size = _spread(pool, desk, reader, wishes, size, most - extra)
        _write(picks, desk, reader, size, extra)
        for at in range(readers.lift_starts[reader], readers.lift_starts[reader + 1]):
            desk.worth[readers.lifted[at]] = pool.worth[group][readers.lifted[at]]


def _mark(readers: Readers, desk: Desk, reader: int) -> None:
    """Note the reader's barred papers, and what feedback makes of others."""
    for at in range(readers.barred_starts[reader], readers.barred_starts[reader + 1]):
        desk.mark[readers.barred[at]] = 2 * reader + 1
    for at in range(readers.lift_starts[reader], readers.lift_starts[reader + 1]):
        desk.worth[readers.lifted[at]] *= readers.lift[at]


def _gather(interests: Interests, readers: Readers, desk: Desk, reader: int) -> int:
    """Score every paper that matches; how many they are."""
    found = 0
    for at in range(readers.starts[reader], readers.starts[reader + 1]):
        found = _add(interests, readers, desk, reader, at, found)
    for n in range(found):
        paper = desk.found[n]
        desk.score[paper] = max(1.0 - desk.missed[paper], TINY) * desk.worth[paper]
    return found


def _add(
    interests: Interests, readers: Readers, desk: Desk, reader: int, at: int, found: int
) -> int:
    """Add the matches of one wish to those found, and note its best paper."""
    wish = at - readers.starts[reader]
    row, weight = readers.rows[at], readers.weights[at]
    threshold = _threshold(interests, readers, reader, row)
    barred, seen = 2 * reader + 1, 2 * reader + 2
    best, value = -1, 0.0
    for entry in range(interests.starts[row], interests.starts[row + 1]):
        paper, near = interests.papers[entry], interests.relevance[entry]
        mark = desk.mark[paper]
        if near < threshold or mark == barred:
            continue
        missed = 1.0 - near
        if weight != 1.0:
            missed = missed**weight
        leads = mark != seen
        if leads:
            desk.mark[paper] = seen
            desk.found[found] = paper
            found += 1
            desk.missed[paper] = missed
        else:
            desk.missed[paper] *= missed
            leads = missed < desk.least[paper]
        if leads:
            desk.least[paper], desk.leader[paper], desk.relevance[paper] = missed, wish, near
        suits = near * desk.worth[paper]
        if suits > value or best < 0:
            best, value = paper, suits
    desk.best[wish], desk.value[wish], desk.fade[wish] = best, value, 1.0
    return found


def _threshold(interests: Interests, readers: Readers, reader: int, row: int) -> float:
    return TINY if interests.certain[row] else max(readers.threshold[reader], TINY)


def _serve(
    pool: Pool, interests: Interests, readers: Readers, desk: Desk, reader: int, most: int
) -> int:
    """Give each wish its best paper, the best of them first; how many were chosen."""
    size = 0
    if pool.fade >= 1.0:
        return size
    wishes = readers.starts[reader + 1] - readers.starts[reader]
    for _ in range(wishes):
        wish = _next_wish(desk, wishes)
        if wish < 0 or size >= most:
            break
        paper, value = desk.best[wish], desk.value[wish]
        desk.best[wish] = -1
        while paper >= 0 and desk.taken[paper] != reader + 1:
            if _is_new(pool, desk, reader, paper):
                size = _take(pool, desk, reader, paper, size)
                break
            paper, value = _next_best(interests, readers, desk, reader, wish, paper, value)
    return size


def _next_wish(desk: Desk, wishes: int) -> int:
    """The wish not yet served whose best paper scores highest, -1 for none."""
    wish, first = -1, -1
    for other in range(wishes):
        paper = desk.best[other]
        if paper >= 0 and (wish < 0 or _is_before(desk, paper, first)):
            wish, first = other, paper
    return wish


def _next_best(
    interests: Interests,
    readers: Readers,
    desk: Desk,
    reader: int,
    wish: int,
    after: int,
    below: float,
) -> tuple[int, float]:
    """The paper that suits a wish best after the one given, and how well; -1 for none."""
    row = readers.rows[readers.starts[reader] + wish]
    threshold = _threshold(interests, readers, reader, row)
    best, value = -1, 0.0
    for entry in range(interests.starts[row], interests.starts[row + 1]):
        paper, near = interests.papers[entry], interests.relevance[entry]
        if near < threshold or desk.mark[paper] == 2 * reader + 1:
            continue
        suits = near * desk.worth[paper]
        later = suits < below or (suits == below and paper > after)
        if later and (suits > value or best < 0):
            best, value = paper, suits
    return best, value


def _line_up(desk: Desk, wishes: int, found: int) -> None:
    """Put the papers that one wish leads to side by side, and find the best of each wish."""
    for wish in range(wishes):
        desk.past[wish] = 0
    for n in range(found):
        desk.past[desk.leader[desk.found[n]]] += 1
    start = 0
    for wish in range(wishes):
        desk.first[wish] = start
        start += desk.past[wish]
        desk.past[wish] = desk.first[wish]
    for n in range(found):
        paper = desk.found[n]
        wish = desk.leader[paper]
        desk.led[desk.past[wish]] = paper
        desk.past[wish] += 1
    for wish in range(wishes):
        _find_top(desk, wish)


def _find_top(desk: Desk, wish: int) -> None:
    """Find the best of the papers that a wish leads to and that may still be taken."""
    top = -1
    for at in range(desk.first[wish], desk.past[wish]):
        if top < 0 or _is_before(desk, desk.led[at], desk.led[top]):
            top = at
    desk.top[wish] = top


def _spread(pool: Pool, desk: Desk, reader: int, wishes: int, size: int, most: int) -> int:
    """Fill up by faded score; how many are chosen then."""
    while size < most:
        wish, value, paper = -1, -1.0, -1
        for other in range(wishes):
            if desk.top[other] < 0:
                continue
            rival = desk.led[desk.top[other]]
            faded = desk.score[rival] * desk.fade[other]
            if faded > value or (faded == value and rival < paper):
                wish, value, paper = other, faded, rival
        if wish < 0:
            break
        desk.past[wish] -= 1
        desk.led[desk.top[wish]] = desk.led[desk.past[wish]]
        _find_top(desk, wish)
        if desk.taken[paper] != reader + 1 and _is_new(pool, desk, reader, paper):
            size = _take(pool, desk, reader, paper, size)
    return size


def _hot(pool: Pool, readers: Readers, desk: Desk, reader: int) -> int:
    """How many trending papers beyond the matches there is a place for."""
    count = 0
    for n in range(len(pool.hot)):
        free = desk.mark[pool.hot[n]] <= 2 * reader
        if free and count < readers.beyond[reader]:
            count += 1
    return count


def _reach(pool: Pool, readers: Readers, desk: Desk, reader: int, size: int) -> int:
    """Take the trending papers beyond the matches that find a place; how many they are."""
    extra = 0
    for n in range(len(pool.hot)):
        paper = pool.hot[n]
        if extra >= readers.beyond[reader] or size + extra >= readers.most[reader]:
            break
        if desk.mark[paper] <= 2 * reader and _is_new(pool, desk, reader, paper):
            desk.titles[pool.title[paper]] = reader + 1
            desk.reached[extra] = paper
            extra += 1
    return extra


def _is_new(pool: Pool, desk: Desk, reader: int, paper: int) -> bool:
    """Whether no near-copy of the paper was chosen."""
    title = pool.title[paper]
    if desk.titles[title] == reader + 1:
        return False
    for at in range(pool.near_starts[title], pool.near_starts[title + 1]):
        if desk.titles[pool.near[at]] == reader + 1:
            return False
    return True


def _take(pool: Pool, desk: Desk, reader: int, paper: int, size: int) -> int:
    desk.chosen[size] = paper
    desk.taken[paper] = reader + 1
    desk.titles[pool.title[paper]] = reader + 1
    desk.fade[desk.leader[paper]] *= pool.fade
    return size + 1


def _is_before(desk: Desk, paper: int, other: int) -> bool:
    one, two = desk.score[paper], desk.score[other]
    return one > two or (one == two and paper < other)


def _write(picks: Picks, desk: Desk, reader: int, size: int, extra: int) -> None:
    """Write the chosen down, best first, and those beyond behind them."""
    for last in range(1, size):
        paper, at = desk.chosen[last], last
        while at > 0 and _is_before(desk, paper, desk.chosen[at - 1]):
            desk.chosen[at] = desk.chosen[at - 1]
            at -= 1
        desk.chosen[at] = paper
    for n in range(size):
        paper = desk.chosen[n]
        picks.papers[reader, n] = paper
        picks.wishes[reader, n] = desk.leader[paper]
        picks.scores[reader, n] = min(desk.score[paper], 1.0)
        picks.relevance[reader, n] = desk.relevance[paper]
    for n in range(extra):
        picks.papers[reader, size + n] = desk.reached[n]
    picks.sizes[reader], picks.beyond[reader] = size, extra


HELPERS: tuple[Callable[..., Any], ...] = (
    _threshold, _is_before, _is_new, _mark, _add, _gather, _take, _next_wish, _next_best, _serve,
    _find_top, _line_up, _spread, _hot, _reach, _write,
)  # fmt: skip


Loop = Callable[[Pool, Interests, Readers, Picks, Desk], None]


@cache
def compiled() -> Loop | None:
    """The loop in machine code, made when first asked for; None where numba is not installed.

    It holds no interpreter lock.
    """
    if find_spec("numba") is None:
        return None
    try:
        return _made(cached=True)
    except Exception:  # whatever ails the cache, the loop itself may still compile
        return _compiled_anew()


def _compiled_anew() -> Loop | None:
    try:
        return _made(cached=False)
    except Exception as exc:  # such as a numba that does not know this Python or numpy
        warnings.warn(f"numba fails, papers are chosen without it: {exc}", stacklevel=3)
        return None


def _made(*, cached: bool) -> Loop:
    import numba  # takes half a second, which small communities need not pay
    from numba.extending import register_jitable

    for helper in HELPERS:
        register_jitable(helper)
    loop: Loop = numba.njit(cache=cached, nogil=True)(fill)
    loop(*_nobody())  # it is compiled for the types that it first sees
    return loop


def _nobody() -> tuple[Pool, Interests, Readers, Picks, Desk]:
    """Empty columns of the right types."""
    i, s, f = np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(0)
    table, values = np.zeros((0, 0), np.int32), np.zeros((0, 0))
    return (
        Pool(values, i, s, i, i, 1.0),
        Interests(s, i, f, np.zeros(0, np.bool_)),
        Readers(s, i, f, s, i, s, i, f, i, f, i, i),
        Picks(table, table, values, values, i, i, i),
        Desk(i, i, i, f, f, f, f, i, f, i, i, i, i, i, f, f, i, i, i),
    )
