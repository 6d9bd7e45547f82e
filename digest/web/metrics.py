"""Figures for Prometheus: what this process has done, and the state of the store at the scrape.

What each means stands in docs/metrics.md.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as TYPE
from sqlalchemy import Engine
from sqlmodel import Session

from digest import observe as counted
from digest.domain.subscribers import Status
from digest.store import figures
from digest.store.alerts import standing
from digest.store.database import reading
from digest.store.relay import relay_state
from digest.store.sources import list_sources
from digest.store.subscribers import status_counts

__all__ = ["TYPE", "exposition", "observe"]

# Counting a million subscribers takes the store a while, and nobody looks at it by the second.
COUNTED_FOR = timedelta(minutes=1)

# when each began to count would be one more figure beside every other
disable_created_metrics()  # type: ignore[no-untyped-call]

_registry = CollectorRegistry()
_requests = Counter(
    "digest_web_requests", "Requests by page and status.", ["page", "status"], registry=_registry
)
_seconds = Histogram(
    "digest_web_request_seconds",
    "Seconds until the answer, by page.",
    ["page"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=_registry,
)


def observe(page: str, status: int, seconds: float) -> None:
    """Count one request of this process; `page` is the endpoint's name, never a path."""
    _requests.labels(page, str(status)).inc()
    _seconds.labels(page).observe(seconds)


def exposition(engine: Engine, now: datetime) -> bytes:
    """All figures in the text format. Raises StoreError when the store cannot be read."""
    passing = CollectorRegistry()
    passing.register(_Done())
    passing.register(_Store(engine, now))
    return generate_latest(_registry) + generate_latest(passing)


class _Done:
    """What this process has counted."""

    def collect(self) -> Iterator[Metric]:
        """Each figure, also those that nothing was counted of yet."""
        for count in counted.COUNTS:
            family = CounterMetricFamily(count.name, count.help, labels=count.labels)
            for labels, value in _known(count.labels, count.sample()).items():
                family.add_metric(labels, value)
            yield family
        for mark in counted.MARKS:
            gauge = GaugeMetricFamily(mark.name, mark.help, labels=mark.labels)
            for labels, value in mark.sample().items():
                gauge.add_metric(labels, value)
            yield gauge
        for spread in counted.SPREADS:
            yield _histogram(spread)


def _known(
    names: counted.Labels, values: Mapping[counted.Labels, float]
) -> Mapping[counted.Labels, float]:
    """A figure without labels is zero from the beginning, so that its first rise can be seen."""
    return values if names or values else {(): 0.0}


def _histogram(spread: counted.Spread) -> Metric:
    family = HistogramMetricFamily(spread.name, spread.help, labels=spread.labels)
    bounds = [*(str(float(bound)) for bound in spread.bounds), "+Inf"]
    for labels, found in spread.sample().items():
        sums, so_far = [], 0
        for bound, count in zip(bounds, found.counts, strict=True):
            so_far += count
            sums.append((bound, so_far))
        family.add_metric(labels, sums, found.total)
    return family


@dataclass
class _Census:
    """The last count of subscribers of each store, by its engine's address."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: dict[int, tuple[datetime, dict[Status, int]]] = field(default_factory=dict)

    def of(self, engine: Engine, session: Session, now: datetime) -> dict[Status, int]:
        """How many have each status, counted within the last minute."""
        with self.lock:
            known = self.counts.get(id(engine))
            if known and timedelta(0) <= now - known[0] < COUNTED_FOR:
                return known[1]
            found = status_counts(session)
            self.counts = {id(engine): (now, found)}  # a process has one store
            return found


_census = _Census()


class _Store:
    """What the store says at this instant."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        with reading(engine) as session:
            self._people = _census.of(engine, session, now)
            self._queue = figures.queue(session, now)
            self._late = figures.late_digests(session, now)
            self._waiting = figures.sign_ups_waiting(session)
            self._sources = list_sources(session)
            self._relay = relay_state(session)
            self._alarms = standing(session)
            self._size = figures.size(session)
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Each figure; ages are zero where nothing waits."""
        people = GaugeMetricFamily("digest_subscribers", "Subscribers.", labels=["status"])
        for status, number in self._people.items():
            people.add_metric([status.value], number)
        yield people
        yield from self._queued()
        yield _gauge("digest_sign_ups_waiting", "Sent forms not taken in.", self._waiting)
        yield from self._fared()
        paused = self._relay.pause(self._now) is not None
        yield _gauge("digest_relay_paused", "1 while the relay is given a rest.", paused)
        pauses = self._relay.strikes
        yield _gauge("digest_relay_pauses_in_row", "Rests since mail was last taken.", pauses)
        yield _gauge("digest_alarms_standing", "Alarms that stand.", len(self._alarms))
        yield _gauge("digest_store_bytes", "Bytes that the store takes.", self._size)

    def _queued(self) -> Iterator[Metric]:
        queue, late = self._queue, self._late
        oldest, due = queue.oldest_due_at, late.oldest_at if late else None
        yield _gauge("digest_deliveries_due", "Mails that wait and are due.", queue.due)
        yield _gauge(
            "digest_deliveries_oldest_due_seconds",
            "For how long the first of them has been due.",
            self._age(oldest),
        )
        yield _gauge("digest_deliveries_leased", "Mails that senders hold.", queue.leased)
        yield _gauge("digest_lease_owners", "Senders that hold mails.", queue.owners)
        yield _gauge("digest_deliveries_held", "Mails held for the operator.", queue.held)
        count = late.count if late else 0
        yield _gauge("digest_subscribers_due", "Subscribers whose digest is due.", count)
        yield _gauge(
            "digest_subscribers_oldest_due_seconds",
            "For how long the first of them has been due.",
            self._age(due),
        )

    def _fared(self) -> Iterator[Metric]:
        names = ("success", "fetch")
        helps = ("When a source last worked.", "When a source was last asked.")
        instants = ("last_success_at", "last_fetch_at")
        for name, told, attribute in zip(names, helps, instants, strict=True):
            family = GaugeMetricFamily(
                f"digest_source_last_{name}_timestamp_seconds", told, labels=["source"]
            )
            for source in self._sources:
                if at := getattr(source, attribute):
                    family.add_metric([source.name], at.astimezone(UTC).timestamp())
            yield family

    def _age(self, since: datetime | None) -> float:
        return max((self._now - since).total_seconds(), 0.0) if since else 0.0


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value)
