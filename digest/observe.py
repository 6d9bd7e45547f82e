"""What this process has done since it began, as figures that only grow, for Prometheus.

It needs nothing but the standard library, so that every room may count without waiting for another
one's; the pages put it into Prometheus' form (docs/metrics.md says what each figure means). Labels
are few, from lists of our own: never an address.
"""

import bisect
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

_lock = threading.Lock()

Labels = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Figure:
    """One number for each combination of labels."""

    name: str
    help: str
    labels: Labels = ()
    values: dict[Labels, float] = field(default_factory=dict)

    def sample(self) -> Mapping[Labels, float]:
        """The figures at this moment."""
        with _lock:
            return dict(self.values)


class Count(_Figure):
    """How often something happened, by labels; `name` without `_total`."""

    def add(self, amount: float, *labels: str) -> None:
        """Count so many more."""
        _require(labels, self.labels)
        with _lock:
            self.values[labels] = self.values.get(labels, 0) + amount


class Mark(_Figure):
    """When something last happened, in seconds from the Unix epoch, by labels."""

    def set(self, value: float, *labels: str) -> None:
        """It happened then."""
        _require(labels, self.labels)
        with _lock:
            self.values[labels] = value


@dataclass(frozen=True, kw_only=True, slots=True)
class Buckets:
    """One distribution: how many values fell into each bucket, the last one without bound, and
    their sum.
    """

    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How values are distributed, by labels; `bounds` rise, in the unit of the name."""

    name: str
    help: str
    bounds: Sequence[float]
    labels: Labels = ()
    values: dict[Labels, tuple[list[int], list[float]]] = field(default_factory=dict)

    def add(self, value: float, *labels: str) -> None:
        """Count one value."""
        _require(labels, self.labels)
        place = bisect.bisect_left(self.bounds, value)
        with _lock:
            fresh: tuple[list[int], list[float]] = ([0] * (len(self.bounds) + 1), [0.0])
            counts, total = self.values.setdefault(labels, fresh)
            counts[place] += 1
            total[0] += value

    @contextmanager
    def timed(self, *labels: str) -> Iterator[None]:
        """Count how many seconds the block takes, however it ends."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(time.perf_counter() - began, *labels)

    def sample(self) -> Mapping[Labels, Buckets]:
        """The figures at this moment."""
        with _lock:
            return {
                labels: Buckets(counts=tuple(counts), total=total[0])
                for labels, (counts, total) in self.values.items()
            }


def _require(given: Labels, wanted: Labels) -> None:
    if len(given) != len(wanted):
        raise ValueError(f"{len(wanted)} labels are wanted: {', '.join(wanted)}")


BATCHES = Count(
    name="digest_batches", help="Fetches of sources, by outcome.", labels=("source", "outcome")
)
PAPERS = Count(name="digest_papers_new", help="Papers not known before.", labels=("source",))
REJECTED = Count(
    name="digest_entries_rejected", help="Entries that could not be used.", labels=("source",)
)
DIGESTS = Count(
    name="digest_digests",
    help="Outcomes of composing: composed, failed, or why skipped.",
    labels=("outcome",),
)
DELIVERIES = Count(
    name="digest_deliveries",
    help="Tries to deliver, by the state that they ended in.",
    labels=("outcome",),
)
PAUSES = Count(name="digest_relay_pauses", help="Times that the relay was given a rest.")
RETURNS = Count(
    name="digest_returns",
    help="What came back, by kind, and what was done about it.",
    labels=("kind", "outcome"),
)
SIGN_UPS = Count(
    name="digest_sign_ups", help="Forms that were acted upon, by what became of them.",
    labels=("outcome",),
)  # fmt: skip
ALARMS = Count(name="digest_alarms", help="Alarms that this process told.", labels=("alarm",))
STAGE_FAILURES = Count(
    name="digest_stage_failures", help="Stages that ended in an error.", labels=("stage",)
)
STAGE_SECONDS = Spread(
    name="digest_stage_seconds",
    help="Seconds that a stage took, by stage.",
    bounds=(0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1800),
    labels=("stage",),
)
STAGE_SUCCESS = Mark(
    name="digest_stage_last_success_timestamp_seconds",
    help="When a stage last ended without an error.",
    labels=("stage",),
)
TRY_SECONDS = Spread(
    name="digest_delivery_try_seconds",
    help="Seconds from MAIL to the relay's answer, for one message.",
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)

COUNTS = (
    *(BATCHES, PAPERS, REJECTED, DIGESTS, DELIVERIES, PAUSES, RETURNS, SIGN_UPS, ALARMS),
    STAGE_FAILURES,
)
MARKS = (STAGE_SUCCESS,)
SPREADS = (STAGE_SECONDS, TRY_SECONDS)
