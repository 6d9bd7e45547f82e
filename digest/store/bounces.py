"""What came back, once per key, and which delivery it belongs to."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.domain.deliveries import DeliveryId, MailKind, marked_address
from digest.domain.returns_policy import Event, EventKind
from digest.domain.subscribers import SubscriberId, address_key
from digest.store.ledger import plain
from digest.store.tables import BounceRow, DeliveryRow, SubscriberRow, table

MESSAGE_IDS_MOST = 50
LARGEST_ID = 2**31 - 1
KEYS_AT_ONCE = 500

_bounces = table(BounceRow)
_deliveries = table(DeliveryRow)
_subscribers = table(SubscriberRow)

# In the very words of the partial index ix_deliveries_returnable, or SQLite does not take it.
_RETURNABLE = text("state IN ('sent', 'held')")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailed:
    """The delivery that something came back about; no subscriber where that one was erased.

    `mark` names the new address of a change (`deliveries.address_mark`), and is empty for mail to
    the subscriber's own.
    """

    delivery_id: DeliveryId
    subscriber_id: SubscriberId | None
    mailed_at: datetime
    mark: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounce:
    """One thing that came back; `email` is empty once the subscriber is erased, and where it
    concerned another address that they wanted.
    """

    id: int
    happened_at: datetime
    kind: EventKind
    email: str
    delivery_id: int | None
    status: str
    detail: str
    acted: str


def mailed(session: Session, ids: Iterable[DeliveryId]) -> list[Mailed]:
    """The deliveries of these ids, as far as they are there."""
    known = [number for number in ids if 0 < number <= LARGEST_ID]
    return _mailed(session, _deliveries.c.id.in_(known)) if known else []


def mailed_as(session: Session, message_ids: Sequence[str]) -> list[Mailed]:
    """The deliveries whose message bore one of these ids and may have come back."""
    names = {f"<{name.strip(' <>')}>" for name in message_ids[:MESSAGE_IDS_MOST] if _may_be(name)}
    return _mailed(session, _deliveries.c.message_id.in_(names) & _RETURNABLE) if names else []


def add(
    session: Session,
    event: Event,
    *,
    subscriber_id: SubscriberId,
    delivery_id: DeliveryId | None,
    address_hash: str,
    acted: str,
) -> bool:
    """Keep an event; whether its key was not there yet."""
    dialect = session.get_bind().dialect.name
    made = (postgresql if dialect == "postgresql" else sqlite).insert(_bounces)
    row = {
        "key": event.key,
        "subscriber_id": subscriber_id,
        "delivery_id": delivery_id,
        "address_hash": address_hash,
        "kind": event.kind.value,
        "status": plain(event.status)[:20],
        "detail": plain(event.detail),
        "acted": acted,
        "happened_at": event.happened_at,
    }
    written = made.values(row).on_conflict_do_nothing().returning(_bounces.c.id)
    return session.scalars(written).first() is not None


def known(session: Session, keys: Iterable[str]) -> set[str]:
    """Which of these keys are kept already."""
    found: set[str] = set()
    asked = list(dict.fromkeys(keys))
    for start in range(0, len(asked), KEYS_AT_ONCE):
        some = asked[start : start + KEYS_AT_ONCE]
        found.update(session.scalars(select(_bounces.c.key).where(_bounces.c.key.in_(some))))
    return found


def days_of(
    session: Session,
    subscriber_id: SubscriberId,
    address_hash: str,
    kind: EventKind,
    since: datetime | None,
) -> set[date]:
    """The UTC days on which such a thing came back from a subscriber's address."""
    mine = and_(_bounces.c.subscriber_id == subscriber_id, _bounces.c.address_hash == address_hash)
    query = select(_bounces.c.happened_at).where(mine, _bounces.c.kind == kind.value)
    if since:
        query = query.where(_bounces.c.happened_at >= since)
    return {at.astimezone(UTC).date() for at in session.scalars(query)}


def listed(
    session: Session,
    *,
    email: str = "",
    delivery_id: int | None = None,
    kinds: Collection[EventKind] = (),
    limit: int = 50,
) -> list[Bounce]:
    """What came back, the latest first; `email` is a whole address, `limit` 0 gives all."""
    elsewhere = _deliveries.c.kind == MailKind.CHANGE_ADDRESS.value
    query = (
        select(_bounces, case((elsewhere, ""), else_=_subscribers.c.email).label("email"))
        .join_from(
            _bounces, _subscribers, _bounces.c.subscriber_id == _subscribers.c.id, isouter=True
        )
        .join(_deliveries, _bounces.c.delivery_id == _deliveries.c.id, isouter=True)
    )
    if email:
        query = query.where(_subscribers.c.email_key == address_key(email))
    if delivery_id is not None:
        query = query.where(_bounces.c.delivery_id == delivery_id)
    if kinds:
        query = query.where(_bounces.c.kind.in_([kind.value for kind in kinds]))
    query = query.order_by(_bounces.c.happened_at.desc(), _bounces.c.id.desc())
    rows = session.execute(query.limit(limit) if limit else query).mappings()
    return [
        Bounce(
            id=row["id"],
            happened_at=row["happened_at"],
            kind=EventKind(row["kind"]),
            email=row["email"] or "",
            delivery_id=row["delivery_id"],
            status=row["status"],
            detail=row["detail"],
            acted=row["acted"],
        )
        for row in rows
    ]


def unname(session: Session, subscriber_id: SubscriberId) -> None:
    """Take the words that may quote the address out of a subscriber's rows, before an erase."""
    mine = update(_bounces).where(_bounces.c.subscriber_id == subscriber_id)
    session.execute(mine.values(detail=""))


def _may_be(message_id: str) -> bool:
    """Whether it may be one of ours; NUL and lone surrogates would be errors in a query."""
    return message_id.isascii() and message_id.isprintable() and "@" in message_id


def _mailed(session: Session, which: ColumnElement[bool] | Any) -> list[Mailed]:
    at = func.coalesce(_deliveries.c.begun_at, _deliveries.c.queued_at).label("mailed_at")
    columns = (_deliveries.c[name] for name in ("id", "subscriber_id", "kind", "token"))
    query = select(*columns, at).where(which).order_by(_deliveries.c.id)
    return [
        Mailed(
            delivery_id=DeliveryId(number),
            subscriber_id=owner,
            mailed_at=instant,
            mark=marked_address(token) if kind == MailKind.CHANGE_ADDRESS.value else "",
        )
        for number, owner, kind, token, instant in session.execute(query)
    ]
