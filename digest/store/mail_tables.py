"""The tables of sending and returning mail, beside the ledger: limits, and what came back."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint
from sqlmodel import Field

from digest.domain.returns_policy import EventKind
from digest.store.base import Table, count, one_of, parent


class PaceRow(Table, table=True):
    """When a scope (the relay, or a recipient domain) may be used again."""

    __tablename__ = "paces"
    __table_args__ = (count("strikes"),)

    scope: str = Field(primary_key=True)
    free_at: datetime
    strikes: int = 0


class SpendingRow(Table, table=True):
    """How many messages of a scope went out in a minute, counted from the Unix epoch."""

    __tablename__ = "spendings"
    __table_args__ = (count("used"),)

    scope: str = Field(primary_key=True)
    minute: int = Field(
        sa_column=Column(BigInteger, primary_key=True, nullable=False, autoincrement=False)
    )
    used: int = 0


class SeatRow(Table, table=True):
    """One of a scope's numbered connections, and who holds it until when."""

    __tablename__ = "seats"

    scope: str = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    owner: str | None = None
    lease_until: datetime | None = None


class BounceRow(Table, table=True):
    """Something that came back and was proved to concern a mail of ours, once per `key`.

    Holds no address: the subscriber has it, and once they are erased the keyed hash alone is left.
    `acted` says what followed.
    """

    __tablename__ = "bounces"
    __table_args__ = (
        one_of("kind", EventKind),
        UniqueConstraint("key"),
        Index(None, "subscriber_id", "happened_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str
    subscriber_id: int | None = Field(
        sa_column=parent("subscribers.id", on_delete="SET NULL", nullable=True, index=False)
    )
    delivery_id: int | None = Field(
        sa_column=parent("deliveries.id", on_delete="SET NULL", nullable=True)
    )
    address_hash: str
    kind: str
    status: str = ""
    detail: str = ""
    acted: str = ""
    happened_at: datetime = Field(index=True)
