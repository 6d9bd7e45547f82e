"""Reports of mail providers: each event in a transaction of its own → what follows from it.

Who reports is proved before. Events of one request stand beside one another: one that cannot be
handled stops no other, and what was committed stays when the store fails on the way; the provider
tells all again then, and what is known does nothing.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.deliveries import DeliveryId
from digest.domain.reports import Reading, Report
from digest.domain.returns_policy import Event
from digest.errors import StoreError
from digest.mail.verp import Verp
from digest.services.bounce import Done, Means, act
from digest.store import bounces
from digest.store.database import transaction

log = structlog.get_logger("digest.reports")


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of one request: how often which outcome, and what could not be handled."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: tuple[str, ...] = ()


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
    problems = list(reading.problems)
    for report in reading.reports:
        try:
            with transaction(engine) as session:
                done = _handled(session, report, means, clock())
        except StoreError:
            raise
        except Exception as exc:  # one event that nobody foresaw must not stop the others
            problems.append(f"{report.key}: {type(exc).__name__}")
            log.exception("report", provider=provider, key=report.key)
            continue
        counts[done.outcome.value] += 1
    if counts or problems:
        log.info("reports", provider=provider, problems=problems[:10], **counts)
    return Taken(counts=counts, problems=tuple(problems))


def _handled(session: Session, report: Report, means: Means, now: datetime) -> Done:
    delivery = _delivery_of(session, report, means.verp)
    event = Event(
        kind=report.kind,
        key=report.key,
        happened_at=min(report.happened_at, now),
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
