"""Pauses that end by themselves: whose is over, and going on with them."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import bindparam, select, text, update
from sqlmodel import Session

from digest.domain.subscribers import Status, Subscriber, SubscriberId
from digest.store import subscribers
from digest.store.tables import SubscriberRow, table

CHUNK = 500

_subscribers = table(SubscriberRow)
# In the very words of the partial index ix_subscribers_resuming, or SQLite does not take it.
_PAUSED = text("status = 'paused'")
_OVER = select(_subscribers.c.id).where(_PAUSED, _subscribers.c.resume_at <= bindparam("now"))
_ANY_OVER = _OVER.limit(1)
_NEXT_OVER = (
    _OVER.order_by(_subscribers.c.resume_at)
    .limit(CHUNK)
    .with_for_update(key_share=True, skip_locked=True)
)


def over(session: Session, now: datetime) -> list[Subscriber]:
    """The next chunk of subscribers whose pause is over, held for a change; those whom another
    transaction holds are left.
    """
    ids = session.scalars(_NEXT_OVER, {"now": now}).all()
    return list(subscribers.by_ids(session, [SubscriberId(number) for number in ids]).values())


def any_over(session: Session, now: datetime) -> bool:
    """Whether anybody's pause is over."""
    return session.execute(_ANY_OVER, {"now": now}).first() is not None


def go_on(
    session: Session, instants: Iterable[tuple[SubscriberId, datetime]], now: datetime
) -> None:
    """Make subscribers active, each with the instant of the next digest."""
    values = [{"row_id": number, "instant": instant} for number, instant in instants]
    if values:
        row = _subscribers.c.id == bindparam("row_id")
        written = (
            update(_subscribers)
            .where(row)
            .values(
                status=Status.ACTIVE.value,
                next_digest_at=bindparam("instant"),
                resume_at=None,
                updated_at=now,
            )
        )
        session.connection().execute(written, values)
