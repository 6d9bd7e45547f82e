"""Reports of mail providers: each event in a transaction of its own → what follows from it.

Who reports is proved before. Events of one request stand beside one another: one that cannot be
handled stops no other, and what was committed stays when the store fails on the way; the provider
tells all again then, and what is known does nothing.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.deliveries import DeliveryId
from digest.domain.reports import Reading, Report
from digest.domain.returns_policy import Event
from digest.errors import StoreError
from digest.mail.verp import Verp
from digest.services.bounce import Done, Means, Outcome, act
from digest.store import bounces
from digest.store.database import reading as reading_of
from digest.store.database import transaction

log = structlog.get_logger("digest.reports")

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # before it nothing of ours was mailed


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of one request: how often which outcome, how many events could not be read, and
    how many we failed to handle, for which nothing was kept.
    """

    counts: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    failed: int = 0


def take(
    engine: Engine,
    reading: Reading,
    *,
    means: Means,
    clock: Callable[[], datetime],
    provider: str,
) -> Taken:
    """Do what follows from each event; the same event again does nothing.

    Raises StoreError where the store fails: then not all was done, and the provider is to try
    again.
    """
    counts: Counter[str] = Counter({"ignored": reading.ignored} if reading.ignored else {})
    failures: list[str] = []
    for report in _news(engine, reading.reports, counts):
        try:
            with transaction(engine) as session:
                done = _handled(session, report, means, clock())
        except StoreError:
            raise
        except Exception as exc:  # one event that nobody foresaw must not stop the others
            # the first line alone: SQLAlchemy puts the values, and so the address, below it
            said = str(exc).partition("\n")[0][:200]
            failures.append(f"{report.key}: {type(exc).__name__}: {said}")
            continue
        counts[done.outcome.value] += 1
    taken = Taken(counts=counts, unreadable=len(reading.problems), failed=len(failures))
    _tell(provider, taken, [*failures, *reading.problems])
    return taken


def _news(engine: Engine, reports: Sequence[Report], counts: Counter[str]) -> list[Report]:
    """The events that are not known yet; the known are counted.

    Asked at once for all: who gave up on a long batch and sends it again hears quickly.
    """
    if len(reports) < 2:
        return list(reports)
    with reading_of(engine) as session:
        known = bounces.known(session, (report.key for report in reports))
    if old := sum(report.key in known for report in reports):
        counts[Outcome.KNOWN.value] += old
    return [report for report in reports if report.key not in known]


def _tell(provider: str, taken: Taken, problems: list[str]) -> None:
    if problems:
        log.error("reports", provider=provider, problems=problems[:10], **taken.counts)
    elif taken.counts:
        log.info("reports", provider=provider, **taken.counts)


def _handled(session: Session, report: Report, means: Means, now: datetime) -> Done:
    delivery = _delivery_of(session, report, means.verp)
    event = Event(
        kind=report.kind,
        key=report.key,
        happened_at=min(max(report.happened_at, _EARLIEST), now),
        delivery_id=delivery,
        address="" if delivery else report.address,
        status=report.status,
        detail=report.detail,
    )
    return act(session, event, keys=means.keys, policy=means.policy, now=now)


def _delivery_of(session: Session, report: Report, verp: Verp) -> DeliveryId | None:
    """The delivery that the report names by a Message-ID or an envelope sender of ours."""
    found = bounces.mailed_as(session, report.message_ids)
    if not found:
        named = [number for text in report.senders if (number := verp.read(text)) is not None]
        found = bounces.mailed(session, named)
    return found[0].delivery_id if found else None
