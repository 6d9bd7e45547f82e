"""Figures for Prometheus: requests of this process, and the state of the store at the scrape."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as TYPE
from sqlalchemy import Engine, func, select

from digest.store.database import reading
from digest.store.ledger_read import due_count
from digest.store.subscribers import status_counts
from digest.store.tables import SignUpRow, table

__all__ = ["TYPE", "exposition", "observe"]

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
    passing.register(_Store(engine, now))
    return generate_latest(_registry) + generate_latest(passing)


class _Store:
    """What the store says at this instant."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        with reading(engine) as session:
            self._people = status_counts(session)
            self._due = due_count(session, now)
            self._waiting = session.scalar(select(func.count()).select_from(table(SignUpRow))) or 0

    def collect(self) -> list[GaugeMetricFamily]:
        people = GaugeMetricFamily("digest_subscribers", "Subscribers.", labels=["status"])
        for status, number in self._people.items():
            people.add_metric([status.value], number)
        return [
            people,
            GaugeMetricFamily("digest_deliveries_due", "Mails that wait and are due.", self._due),
            GaugeMetricFamily("digest_sign_ups_waiting", "Sent forms not taken in.", self._waiting),
        ]
