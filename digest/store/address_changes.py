"""New addresses that subscribers asked for and have not confirmed yet, one each."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.domain.deliveries import DeliveryId, marked_address
from digest.domain.subscribers import SubscriberId, address_key
from digest.store.tables import AddressChangeRow, DeliveryRow, table

_changes = table(AddressChangeRow)
_deliveries = table(DeliveryRow)


@dataclass(frozen=True, kw_only=True, slots=True)
class AddressChange:
    """The new address that a subscriber asked for last; links and deliveries name it by `token`."""

    subscriber_id: SubscriberId
    email: str
    token: str
    asked_at: datetime


def put(session: Session, change: AddressChange) -> None:
    """Keep a change in place of the subscriber's earlier one."""
    dialect = session.get_bind().dialect.name
    made = (postgresql if dialect == "postgresql" else sqlite).insert(_changes)
    values = asdict(change)
    latest = {name: values[name] for name in ("email", "token", "asked_at")}
    session.execute(
        made.values(values).on_conflict_do_update(index_elements=["subscriber_id"], set_=latest)
    )


def of(session: Session, subscriber_id: SubscriberId) -> AddressChange | None:
    """The change that a subscriber waits for."""
    return of_many(session, [subscriber_id]).get(subscriber_id)


def of_many(
    session: Session, subscriber_ids: Iterable[SubscriberId]
) -> dict[SubscriberId, AddressChange]:
    """The changes that these subscribers wait for; who waits for none is left out."""
    query = select(_changes).where(_changes.c.subscriber_id.in_(list(subscriber_ids)))
    rows = session.execute(query).mappings()
    return {SubscriberId(row["subscriber_id"]): AddressChange(**row) for row in rows}


def recipients(session: Session, delivery_ids: Iterable[DeliveryId]) -> dict[DeliveryId, str]:
    """Whom CHANGE_ADDRESS deliveries go to; those whose change is over are left out."""
    query = (
        select(_deliveries.c.id, _deliveries.c.token, _changes.c.token, _changes.c.email)
        .join_from(_deliveries, _changes, _deliveries.c.subscriber_id == _changes.c.subscriber_id)
        .where(_deliveries.c.id.in_(list(delivery_ids)))
    )
    return {
        DeliveryId(number): email
        for number, token, mark, email in session.execute(query)
        if marked_address(token) == mark
    }


def withdraw(session: Session, subscriber_id: SubscriberId) -> bool:
    """Forget a subscriber's change; whether there was one."""
    gone = delete(_changes).where(_changes.c.subscriber_id == subscriber_id)
    return session.scalars(gone.returning(_changes.c.subscriber_id)).first() is not None


def forget_address(session: Session, email: str) -> bool:
    """Forget the changes to that address, whoever asked for them; whether there were any."""
    # compared here: PostgreSQL's lower() knows no more than its locale
    key = address_key(email)
    rows = session.execute(select(_changes.c.subscriber_id, _changes.c.email))
    if theirs := sorted(row.subscriber_id for row in rows if address_key(row.email) == key):
        session.execute(delete(_changes).where(_changes.c.subscriber_id.in_(theirs)))
    return bool(theirs)


def forget_before(session: Session, instant: datetime) -> int:
    """Forget the changes that were asked for before then; how many."""
    gone = delete(_changes).where(_changes.c.asked_at < instant)
    return len(session.scalars(gone.returning(_changes.c.subscriber_id)).all())
