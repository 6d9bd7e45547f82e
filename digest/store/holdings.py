"""What is held about one subscriber beside their settings: for the copy that they may ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from digest.domain.subscribers import SubscriberId
from digest.store.tables import (
    ConsentEventRow,
    SubscriberRow,
    SuppressionRow,
    table,
)

_subscribers = table(SubscriberRow)
_events = table(ConsentEventRow)
_suppressions = table(SuppressionRow)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One piece of the evidence of consent, as it is kept."""

    event: str
    channel: str
    detail: str
    happened_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Dates:
    """When somebody came, was changed last, and goes on after a pause."""

    created_at: datetime
    updated_at: datetime
    resume_at: datetime | None


def dates_of(session: Session, subscriber_id: SubscriberId) -> Dates:
    """The dates of one who is there."""
    columns = select(_subscribers.c.created_at, _subscribers.c.updated_at, _subscribers.c.resume_at)
    row = session.execute(columns.where(_subscribers.c.id == subscriber_id)).mappings().one()
    return Dates(**row)


def evidence_of(session: Session, subscriber_id: SubscriberId) -> Sequence[Evidence]:
    """All evidence of consent, oldest first."""
    query = select(_events.c.event, _events.c.channel, _events.c.detail, _events.c.happened_at)
    mine = query.where(_events.c.subscriber_id == subscriber_id).order_by(_events.c.id)
    return [Evidence(**row) for row in session.execute(mine).mappings()]


def suppression_of(session: Session, address_hash: str) -> tuple[str, datetime] | None:
    """Why that address must not be mailed, and since when."""
    query = select(_suppressions.c.reason, _suppressions.c.created_at)
    row = session.execute(query.where(_suppressions.c.address_hash == address_hash)).first()
    return (row.reason, row.created_at) if row else None
