"""The tables of what the operator is to see: alarms, and tries that failed."""

from datetime import datetime

from sqlmodel import Field

from digest.domain.deliveries import TryOutcome
from digest.store.base import Table, one_of, parent


class AlertRow(Table, table=True):
    """An alarm that stands: what it says, since when, when last seen, and when last told of.

    It is told by whoever holds its lease, and goes when its end was told.
    """

    __tablename__ = "alerts"

    key: str = Field(primary_key=True)
    text: str
    began_at: datetime
    seen_at: datetime
    told_at: datetime | None = None
    owner: str | None = None
    lease_until: datetime | None = None


class TryRow(Table, table=True):
    """One try of a delivery that the relay did not take, with its words; the last try's stand in
    the ledger too.
    """

    __tablename__ = "tries"
    __table_args__ = (one_of("outcome", TryOutcome),)

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = Field(sa_column=parent("deliveries.id"))
    tried_at: datetime
    outcome: str
    smtp_code: int | None = None
    reply: str = ""
