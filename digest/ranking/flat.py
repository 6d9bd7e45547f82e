"""What selection reads and writes: flat columns, which numba compiles for as named tuples.

Stretches of one length after another lie in one column, with another of where each begins (CSR).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Starts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Pool(NamedTuple):
    """The papers of an edition.

    `worth` is (groups, papers): the factor of trend and carry-over, which differs with how often
    readers get a digest. `title` is (papers,), and `near[near_starts[t]:near_starts[t + 1]]` are
    the titles that are near-copies of title t (`copies.Copies`). `hot` are the papers that may come
    beyond a reader's matches, best first. With `fade` 1 the papers go by score alone, and no place
    is kept for an interest.
    """

    worth: Floats
    title: Ints
    near_starts: Starts
    near: Ints
    hot: Ints
    fade: float


class Interests(NamedTuple):
    """Interests × papers: row i matches `papers[starts[i]:starts[i + 1]]`, ascending, each as
    relevant (0 to 1) as `relevance` says there; no threshold weighs `certain` rows.
    """

    starts: Starts
    papers: Ints
    relevance: Floats
    certain: NDArray[np.bool_]


class Readers(NamedTuple):
    """Subscribers, flat: reader r has the interests `rows[starts[r]:starts[r + 1]]`, each with its
    weight above 0; may not get `barred[barred_starts[r]:barred_starts[r + 1]]`; and values the
    papers `lifted[lift_starts[r]:lift_starts[r + 1]]` by the factors `lift`.

    By reader: `group` (a row of `Pool.worth`), `threshold` (0 to 1), the `most` papers, and how
    many of them may come from `beyond` the matches.
    """

    starts: Starts
    rows: Ints
    weights: Floats
    barred_starts: Starts
    barred: Ints
    lift_starts: Starts
    lifted: Ints
    lift: Floats
    group: Ints
    threshold: Floats
    most: Ints
    beyond: Ints


class Picks(NamedTuple):
    """What was chosen: of reader r `papers[r, :sizes[r]]`, best first, and behind them
    `beyond[r]` papers that match nothing.

    `wishes` says which of the reader's interests (from 0) brought a paper, `relevance` is its
    relevance for that one, `scores` lie in 0 to 1; `matches` counts all papers that could have
    been chosen. The first four are (readers, most papers), -1 and 0 where no match stands.
    """

    papers: Ints
    wishes: Ints
    scores: Floats
    relevance: Floats
    sizes: Ints
    beyond: Ints
    matches: Ints


class Desk(NamedTuple):
    """What the loop writes on: by paper, by title, by wish, by match. Marks hold a number of the
    reader at hand, so that nothing needs wiping for the next one.
    """

    mark: Ints  # 2 × reader + 1: must not come; 2 × reader + 2: matches
    taken: Ints  # reader + 1: chosen
    titles: Ints  # reader + 1, by title: it or a near-copy was chosen
    worth: Floats  # with the lifts of the reader at hand
    missed: Floats  # the product of what the wishes leave over
    least: Floats  # what the leading wish alone leaves over
    relevance: Floats  # for the leading wish
    leader: Ints
    score: Floats
    found: Ints  # the papers that match
    led: Ints  # the same, those of one leading wish side by side
    chosen: Ints
    reached: Ints  # trending papers chosen beyond the matches
    best: Ints  # by wish: the paper that suits it best, -1 for none
    value: Floats  # by wish: how well
    fade: Floats  # by wish
    first: Ints  # by wish: where the papers it leads begin in `led`
    past: Ints  # by wish: where those of them end that may still be taken
    top: Ints  # by wish: where the best of them stands, -1 for none
