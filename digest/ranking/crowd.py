"""Subscribers as the flat columns that selection takes."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digest.domain.interests import Interest
from digest.domain.schedule import Frequency, Schedule, is_chosen
from digest.domain.subscribers import Subscriber, SubscriberId
from digest.ranking.flat import Floats, Interests, Readers
from digest.ranking.match import Matcher, Row
from digest.ranking.select import interests_of, starts_of

Lifts = Mapping[SubscriberId, NDArray[np.floating[Any]]]

_MONDAY = date(2026, 1, 5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A subscriber who is to get a digest for `digest_on`; `sent` and `barred` are papers by
    number, those barred being the ones sent and the ones excluded.
    """

    subscriber: Subscriber
    digest_on: date
    sent: frozenset[int]
    barred: AbstractSet[int]
    wanted: tuple[Interest, ...]

    @classmethod
    def of(
        cls, subscriber: Subscriber, digest_on: date, sent: frozenset[int], matcher: Matcher
    ) -> "Request":
        """The request of a subscriber to whom these papers were sent before."""
        excluded = [matcher.barred(i).tolist() for i in subscriber.interests if i.excluded]
        return cls(
            subscriber=subscriber,
            digest_on=digest_on,
            sent=sent,
            barred=sent.union(*excluded) if excluded else sent,
            wanted=tuple(i for i in subscriber.interests if not i.excluded),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """A chunk of requests for selection; `gaps` are the days that the groups of readers have
    between two digests.
    """

    interests: Interests
    readers: Readers
    gaps: tuple[int, ...]


def columns(
    requests: Sequence[Request], matcher: Matcher, lifts: Lifts, *, threshold: float, beyond: int
) -> Columns:
    """The requests side by side; each distinct interest is one row."""
    rows: dict[tuple[str, str], int] = {}
    matched: list[Row] = []
    wanted = [interest for request in requests for interest in request.wanted]
    for interest in wanted:
        if (interest.kind, interest.text) not in rows:
            rows[interest.kind, interest.text] = len(matched)
            matched.append(matcher.row(interest))
    chosen = [request.subscriber.preferences for request in requests]
    days = [gap(one.schedule, r.digest_on) for one, r in zip(chosen, requests, strict=True)]
    gaps = tuple(sorted(set(days)))
    lifted = [_lifted(lifts.get(request.subscriber.id)) for request in requests]
    readers = Readers(
        starts=starts_of([len(request.wanted) for request in requests]),
        rows=np.array([rows[i.kind, i.text] for i in wanted], np.int32),
        weights=np.array([interest.weight for interest in wanted], np.float64),
        barred_starts=starts_of([len(request.barred) for request in requests]),
        barred=_ints(chain.from_iterable(request.barred for request in requests)),
        lift_starts=starts_of([len(papers) for papers, _ in lifted]),
        lifted=np.concatenate([np.zeros(0, np.int32), *(papers for papers, _ in lifted)]),
        lift=np.concatenate([np.zeros(0), *(factors for _, factors in lifted)]),
        group=np.array([gaps.index(n) for n in days], np.int32),
        threshold=np.array(
            [threshold if one.threshold is None else one.threshold for one in chosen], np.float64
        ),
        most=np.array([one.max_papers for one in chosen], np.int32),
        beyond=np.full(len(requests), beyond, np.int32),
    )
    return Columns(interests=interests_of(matched), readers=readers, gaps=gaps)


def gap(schedule: Schedule, day: date) -> int:
    """The days from the local date before `day` that the schedule chooses, to `day`: 1 to 7."""
    return _gap(schedule.frequency, schedule.weekday, day.weekday())


@cache
def _gap(frequency: Frequency, chosen: int, weekday: int) -> int:
    schedule = Schedule(frequency=frequency, weekday=chosen)
    day = _MONDAY + timedelta(days=weekday)
    return next(n for n in range(1, 8) if is_chosen(schedule, day - timedelta(days=n)))


def _lifted(factors: NDArray[np.floating[Any]] | None) -> tuple[NDArray[np.int32], Floats]:
    """The papers that feedback moves, and the factors."""
    if factors is None:
        return np.zeros(0, np.int32), np.zeros(0)
    papers = np.flatnonzero(factors != 1).astype(np.int32)
    return papers, factors[papers].astype(np.float64)


def _ints(values: Iterable[int]) -> NDArray[np.int32]:
    return np.fromiter(values, np.int32)
