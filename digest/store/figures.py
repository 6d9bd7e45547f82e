"""What the store says of the service at one instant, for alarms and for Prometheus.

Every query goes by an index, in its very words where it is a partial one, so that none reads the
whole ledger, however long that is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, select, text
from sqlmodel import Session

from digest.domain.alerts import HELD_WITHIN, Late, Tally
from digest.domain.deliveries import State
from digest.store.tables import BatchRow, DeliveryRow, SignUpRow, SourceRow, SubscriberRow, table

_batches = table(BatchRow)
_deliveries = table(DeliveryRow)
_sign_ups = table(SignUpRow)
_sources = table(SourceRow)
_subscribers = table(SubscriberRow)

_WAITING = text("state IN ('queued', 'deferred')")
_LEASED = text("state = 'sending'")
_HELD = text("state = 'held'")
_ACTIVE = text("status = 'active'")


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """The ledger as a queue: mails due and since when the first is, mails claimed and by how many
    senders, mails held.
    """

    due: int
    oldest_due_at: datetime | None
    leased: int
    owners: int
    held: int


def queue(session: Session, now: datetime) -> Queue:
    """The queue at `now`."""
    due, oldest = session.execute(_overdue(now)).one()
    leased, owners = session.execute(
        select(func.count(), func.count(_deliveries.c.owner.distinct())).where(_LEASED)
    ).one()
    # asked for one column of its index, too, or SQLite walks through another that has all rows
    held, _ = session.execute(
        select(func.count(), func.min(_deliveries.c.begun_at)).where(_HELD)
    ).one()
    return Queue(due=due, oldest_due_at=oldest, leased=leased, owners=owners, held=held)


def late_mails(session: Session, now: datetime) -> Late | None:
    """Mails that wait and are due; None where there are none."""
    count, oldest = session.execute(_overdue(now)).one()
    return Late(count=count, oldest_at=oldest) if count else None


def late_digests(session: Session, now: datetime) -> Late | None:
    """Subscribers whose digest is due and not composed; None where there are none."""
    due = and_(_ACTIVE, _subscribers.c.next_digest_at <= now)
    query = select(func.count(), func.min(_subscribers.c.next_digest_at)).where(due)
    count, oldest = session.execute(query).one()
    return Late(count=count, oldest_at=oldest) if count else None


def held_lately(session: Session, now: datetime) -> int:
    """How many mails came to be held within the last day."""
    query = select(func.count()).select_from(_deliveries)
    lately = query.where(_HELD, _deliveries.c.begun_at > now - HELD_WITHIN)
    return session.scalar(lately) or 0


def tally(session: Session, since: datetime, stuck_before: datetime) -> Tally:
    """What became of the mails queued since then; those deferred count when they were queued before
    `stuck_before`.
    """
    old = _deliveries.c.queued_at <= stuck_before
    query = select(_deliveries.c.state, func.count(), func.count().filter(old))
    query = query.where(_deliveries.c.queued_at >= since).group_by(_deliveries.c.state)
    sent = failed = stuck = 0
    for state, count, long_since in session.execute(query):
        match State(state):
            case State.SENT:
                sent += count
            case State.FAILED:
                failed += count
            case State.HELD:
                stuck += count
            case State.DEFERRED:
                stuck += long_since
    return Tally(sent=sent, failed=failed, stuck=stuck)


def first_asked(session: Session, names: Iterable[str]) -> dict[str, datetime]:
    """When these sources were first asked, as far as the store remembers; others are left out."""
    query = (
        select(_sources.c.name, func.min(_batches.c.fetched_at))
        .join_from(_batches, _sources, _batches.c.source_id == _sources.c.id)
        .where(_sources.c.name.in_(list(names)))
        .group_by(_sources.c.name)
    )
    return {str(name): at for name, at in session.execute(query)}


def sign_ups_waiting(session: Session) -> int:
    """How many sent forms were not looked at yet."""
    return session.scalar(select(func.count()).select_from(_sign_ups)) or 0


def size(session: Session) -> int:
    """How many bytes the store takes, without SQLite's write-ahead log."""
    if session.get_bind().dialect.name == "postgresql":
        query = "SELECT pg_database_size(current_database())"
    else:
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    return int(session.execute(text(query)).scalar_one())


def _overdue(now: datetime) -> Select[int, Any]:
    query = select(func.count(), func.min(_deliveries.c.due_at))
    return query.where(_WAITING, _deliveries.c.due_at <= now)
