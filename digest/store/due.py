"""Whether composing has anything to do, asked at every tick."""

from datetime import datetime

from sqlalchemy import select, text
from sqlmodel import Session

from digest.store.tables import SubscriberRow, table

_subscribers = table(SubscriberRow)
# In the very words of the partial index ix_subscribers_due, or SQLite does not take it.
_ACTIVE = text("status = 'active'")


def anyone_due(session: Session, now: datetime) -> bool:
    """Whether any active subscriber is due at `now`."""
    query = select(_subscribers.c.id).where(_ACTIVE, _subscribers.c.next_digest_at <= now)
    return session.execute(query.limit(1)).first() is not None
