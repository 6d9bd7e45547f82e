"""Trend: how much attention a paper has at an instant, 0 to 1, from the signals of a pool.

For every listing, that is a paper on one source's day (`source`, `listed_on`):

    level     mean over the counts shown (upvotes .6, comments .2, stars .2, renewed to 1 where some
              are missing) of the mid-rank percentile within the day, (below + equal/2) / n, drawn
              towards 1/2 by 4 imagined papers, so that a day of three says little; a count of 0
              has level 0; a source that shows no counts gives no level
    velocity  upvotes gained per hour between the readings of the last 36 hours up to the latest
              one, as the same percentile among the day's papers that were read more than once
    heat      1 - (1 - .8 level)(1 - .3 velocity)(1 - .08): the last factor is being listed at all
    faded     heat × 2^(-age / 3 days), where age runs from the end of the listing's day, or from
              the latest reading if that was earlier

A paper's score is 1 - ∏(1 - faded) over its sources, each with its hottest day: sources that list
the same paper confirm one another (noisy-or), a source that lists it again does not.

Comparing by rank within a source's day is what makes sources comparable: 60 upvotes on a quiet day
and 300 on a loud one both stand for the day's best. Mid-ranks are the usual treatment of ties
(Conover, *Practical Nonparametric Statistics*, §5.1); shrinkage towards the mean is that of a
Bayesian average; noisy-or is Pearl, *Probabilistic Reasoning in Intelligent Systems*, §4.3.2;
fading by half-life rather than by a power of age keeps the order of two papers of one day for good.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import prod

from digest.domain.papers import Attention, PaperId, Signal

HALF_LIFE = timedelta(days=3)
WINDOW = timedelta(hours=36)
RISING_LATEST = timedelta(hours=48)  # an older reading says nothing of now
RISING_LEAST = 2
RISING_SHARE = 0.1

_WEIGHTS: tuple[tuple[Callable[[Attention], int | None], float], ...] = (
    (lambda a: a.upvotes, 0.6),
    (lambda a: a.comments, 0.2),
    (lambda a: a.stars, 0.2),
)
_LEVEL, _VELOCITY, _LISTED = 0.8, 0.3, 0.08
_IMAGINED = 4
_MOST = 10**9  # no paper has more of anything; a feed may claim it

Day = tuple[str, date]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """A paper's attention at an instant.

    `score` lies in 0 to 1; `upvotes` is the highest count that a source showed last, None where
    none shows any; `rising` says that the last two days' readings saw upvotes grow by at least 2
    and a tenth; `listings` counts the sources that list it.
    """

    score: float = 0.0
    upvotes: int | None = None
    rising: bool = False
    listings: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listed:
    """One paper on one source's day: the latest counts, the gain and the hours it took."""

    paper_id: PaperId
    latest: Signal
    gain: int
    hours: float
    rising: bool

    @property
    def velocity(self) -> float | None:
        return self.gain / max(self.hours, 1.0) if self.hours > 0 else None


def trends(signals: Sequence[Signal], now: datetime) -> dict[PaperId, Trend]:
    """The trend at `now` of every paper with a signal.

    `signals` are all readings of the source-days involved, in any order: ranks mean something only
    among all papers of a day. Readings after `now` are not looked at.
    """
    runs: dict[tuple[Day, PaperId], list[Signal]] = defaultdict(list)
    for signal in signals:
        if signal.read_at <= now:
            runs[(signal.source, signal.listed_on), signal.paper_id].append(signal)
    days: dict[Day, list[_Listed]] = defaultdict(list)
    for (day, paper_id), readings in runs.items():
        days[day].append(_listed(paper_id, readings, now))

    faded: dict[PaperId, dict[str, float]] = defaultdict(dict)
    entries: dict[PaperId, list[_Listed]] = defaultdict(list)
    for (source, _), listed in days.items():
        for entry, heat in zip(listed, _heats(listed), strict=True):
            score = heat * _freshness(entry.latest, now)
            best = faded[entry.paper_id].get(source, 0.0)
            faded[entry.paper_id][source] = max(best, score)
            entries[entry.paper_id].append(entry)
    return {paper_id: _trend(entries[paper_id], by) for paper_id, by in faded.items()}


def _trend(entries: Iterable[_Listed], faded: Mapping[str, float]) -> Trend:
    counts = [_count(e.latest.attention.upvotes) for e in entries]
    return Trend(
        score=1 - prod(1 - score for score in faded.values()),
        upvotes=max((n for n in counts if n is not None), default=None),
        rising=any(e.rising for e in entries),
        listings=len(faded),
    )


def _listed(paper_id: PaperId, readings: list[Signal], now: datetime) -> _Listed:
    readings.sort(key=lambda s: (s.read_at, s.held_until))
    latest = readings[-1]
    end = min(max(latest.held_until, latest.read_at), now)
    opens = end - WINDOW
    first = next(s for s in readings if max(s.held_until, s.read_at) >= opens)
    counted = [n for s in (first, latest) if (n := _count(s.attention.upvotes)) is not None]
    if len(counted) < 2:
        return _Listed(paper_id=paper_id, latest=latest, gain=0, hours=0.0, rising=False)
    gain = max(0, counted[1] - counted[0])
    hours = (end - max(first.read_at, opens)) / timedelta(hours=1)
    enough = gain >= max(RISING_LEAST, RISING_SHARE * counted[0])
    rising = enough and latest.read_at > now - RISING_LATEST
    return _Listed(paper_id=paper_id, latest=latest, gain=gain, hours=hours, rising=rising)


def _heats(listed: Sequence[_Listed]) -> list[float]:
    """The heat of each paper of one source's day, in the same order."""
    columns = [
        (weight, _percentiles([_count(metric(e.latest.attention)) for e in listed]))
        for metric, weight in _WEIGHTS
    ]
    speeds = _percentiles([e.velocity for e in listed])
    return [
        1
        - (1 - _LEVEL * _mean([(weight, column[row]) for weight, column in columns]))
        * (1 - _VELOCITY * (speeds[row] or 0.0))
        * (1 - _LISTED)
        for row in range(len(listed))
    ]


def _mean(weighted: Iterable[tuple[float, float | None]]) -> float:
    known = [(weight, value) for weight, value in weighted if value is not None]
    total = sum(weight for weight, _ in known)
    return sum(weight * value for weight, value in known) / total if total else 0.0


def _percentiles(values: Sequence[float | None]) -> list[float | None]:
    """Shrunk mid-rank percentiles of the known values; None stays None, and 0 gives 0."""
    known = sorted(v for v in values if v is not None)
    size = len(known) + _IMAGINED

    def percentile(value: float) -> float:
        below, upto = bisect_left(known, value), bisect_right(known, value)
        return ((below + upto) / 2 + _IMAGINED / 2) / size if value > 0 else 0.0

    return [None if v is None else percentile(v) for v in values]


def _freshness(latest: Signal, now: datetime) -> float:
    # the last microsecond of the day: the date after 9999-12-31 does not exist
    day_end = datetime.combine(latest.listed_on, time.max, UTC)
    age = now - min(day_end, max(latest.held_until, latest.read_at))
    return float(2 ** -(max(age, timedelta(0)) / HALF_LIFE))


def _count(value: int | None) -> int | None:
    """A count as it can be true: not below 0, not above a billion."""
    return None if value is None else min(max(value, 0), _MOST)
