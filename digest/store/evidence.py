"""The evidence of consent in bulk, and what people say when they leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlmodel import Session

from digest.domain.subscribers import Channel, ConsentEvent, SubscriberId
from digest.store.tables import ConsentEventRow, table

_events = table(ConsentEventRow)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What a subscriber agreed to or took back; `detail` is JSON: which text, and from where."""

    subscriber_id: SubscriberId
    event: ConsentEvent
    channel: Channel
    happened_at: datetime
    detail: str = ""


def record(session: Session, evidence: Sequence[Evidence]) -> None:
    """Keep the evidence."""
    rows = [
        {
            "subscriber_id": one.subscriber_id,
            "event": one.event.value,
            "channel": one.channel.value,
            "detail": one.detail,
            "happened_at": one.happened_at,
        }
        for one in evidence
    ]
    if rows:
        session.execute(insert(_events), rows)


def ever(session: Session, subscriber_id: SubscriberId, events: Sequence[ConsentEvent]) -> bool:
    """Whether any such event is in a subscriber's evidence."""
    query = select(_events.c.id).where(
        _events.c.subscriber_id == subscriber_id,
        _events.c.event.in_([event.value for event in events]),
    )
    return session.execute(query.limit(1)).first() is not None


def detail_last(
    session: Session, subscriber_id: SubscriberId, event: ConsentEvent, detail: str
) -> bool:
    """Write the detail of the latest such event; whether there is one."""
    mine = (_events.c.subscriber_id == subscriber_id, _events.c.event == event.value)
    last = select(func.max(_events.c.id)).where(*mine).scalar_subquery()
    written = update(_events).where(_events.c.id == last).values(detail=detail)
    return session.scalars(written.returning(_events.c.id)).first() is not None
