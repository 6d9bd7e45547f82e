"""Tries that the relay did not take: each with its words, for the story of one mail."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlmodel import Session

from digest.domain.deliveries import DeliveryId, TryOutcome
from digest.domain.subscribers import SubscriberId
from digest.store.tables import DeliveryRow, TryRow, table

_tries = table(TryRow)
_deliveries = table(DeliveryRow)


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """One try: when its outcome was known, and what was said; no code where no relay spoke."""

    tried_at: datetime
    outcome: TryOutcome
    smtp_code: int | None
    reply: str


def remember(session: Session, delivery_id: DeliveryId, tried: Try) -> None:
    """Write a try down; `reply` is plain by now."""
    row = {
        "delivery_id": delivery_id,
        "tried_at": tried.tried_at,
        "outcome": tried.outcome.value,
        "smtp_code": tried.smtp_code,
        "reply": tried.reply,
    }
    session.execute(insert(_tries).values(row))


def of(session: Session, delivery_id: DeliveryId) -> list[Try]:
    """A delivery's failed tries, the first one first."""
    query = select(_tries).where(_tries.c.delivery_id == delivery_id).order_by(_tries.c.id)
    return [
        Try(
            tried_at=row["tried_at"],
            outcome=TryOutcome(row["outcome"]),
            smtp_code=row["smtp_code"],
            reply=row["reply"],
        )
        for row in session.execute(query).mappings()
    ]


def forget(session: Session, subscriber_id: SubscriberId) -> None:
    """Delete the tries of a subscriber's mails before an erase: they may quote the address."""
    theirs = select(_deliveries.c.id).where(_deliveries.c.subscriber_id == subscriber_id)
    session.execute(delete(_tries).where(_tries.c.delivery_id.in_(theirs)))
