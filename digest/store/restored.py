"""What a backup does not know: whether the mails that waited in it were sent since."""

from datetime import datetime

from sqlalchemy import text, update
from sqlmodel import Session

from digest.domain.deliveries import State
from digest.store.outbox import FREE
from digest.store.tables import DeliveryRow, table

PERHAPS_SENT = "it waited in the backup that was restored, and may have been sent since"

_deliveries = table(DeliveryRow)
_OPEN = text("state IN ('queued', 'deferred', 'sending')")


def hold_waiting(session: Session, until: datetime) -> int:
    """Hold for the operator all mails that waited or were in the air and were due by `until`; how
    many.
    """
    open_then = update(_deliveries).where(_OPEN, _deliveries.c.due_at <= until)
    held = open_then.values(state=State.HELD.value, reason=PERHAPS_SENT, **FREE)
    return session.connection().execute(held).rowcount
