"""The turns of many connections at once: what each has sent is recorded and what each sends next is
begun, in one transaction.

The bound of CONTRACT §1 stays as it is, for no connection goes on before the commit that holds its
outcome; but the commit, and most of the work in it, is shared. Nothing here waits for another
transaction, so that no two can wait in a circle: rows that one holds are left. What ended is then
recorded by `ledger.record`, which waits; what is to begin is asked for again a little later.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import starmap
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    Integer,
    Select,
    Text,
    Update,
    bindparam,
    column,
    func,
    select,
    update,
)
from sqlmodel import Session

from digest.domain.deliveries import (
    GIVE_UP_AFTER,
    Cancelled,
    Deferred,
    DeliveryId,
    MailKind,
    Result,
    Sent,
    State,
    gives_up,
)
from digest.domain.subscribers import Status, address_hash
from digest.store import address_changes, suppressions
from digest.store.ledger import plain, settle
from digest.store.outbox import FREE
from digest.store.prepared import POSTGRESQL, among, prepared
from digest.store.tables import DeliveryRow, SubscriberRow, table

_deliveries = table(DeliveryRow)
_subscribers = table(SubscriberRow)

_CHANGES = MailKind.CHANGE_ADDRESS.value
_BEFORE = (MailKind.CONFIRM.value, MailKind.ACCESS.value)  # may come before the confirmation
_ASKED_FOR = (MailKind.ACCESS.value, _CHANGES)  # by the reader, who may be pausing

Permit = Callable[[Session, Sequence[str]], Sequence[datetime | None]]
"""Asked in the same transaction, with the addresses of messages about to begin: for each None, or
the instant before which it may not."""


_Taken = tuple[DeliveryId, int | None, str]
"""Id, code and reply of a message that the relay took."""


class _Held(NamedTuple):
    """A delivery with its subscriber, both held against everybody else until the commit."""

    id: int
    kind: str
    state: str
    owner: str | None
    begun: bool
    expired: bool
    status_now: str
    email: str


@prepared
def _held(dialect: str) -> Select[Any]:
    return (
        select(
            *(_deliveries.c[name] for name in ("id", "kind", "state", "owner")),
            _deliveries.c.begun_at.is_not(None),
            _deliveries.c.lease_until <= bindparam("wall", type_=_deliveries.c.lease_until.type),
            _subscribers.c.status,
            _subscribers.c.email,
        )
        .join_from(_deliveries, _subscribers, _deliveries.c.subscriber_id == _subscribers.c.id)
        .where(among(dialect, _deliveries.c.id, "ids"))
        .with_for_update(key_share=True, skip_locked=True)
    )


def _beginning(dialect: str) -> Update:
    begun = update(_deliveries).where(among(dialect, _deliveries.c.id, "ids"))
    return begun.values(begun_at=bindparam("now"), attempts=_deliveries.c.attempts + 1)


_begun = prepared(_beginning)
_SENT: dict[str, Any] = {
    "state": State.SENT.value,
    "reason": "",
    "owner": None,
    "lease_until": None,
    "sent_at": bindparam("now"),
}


@prepared
def _sent(_dialect: str) -> Update:
    sent = update(_deliveries).where(_deliveries.c.id == bindparam("number", type_=Integer))
    return sent.values(**_SENT, smtp_code=bindparam("code"), smtp_reply=bindparam("reply"))


@prepared
def _sent_and_begun(_dialect: str) -> Update:
    """Both for all of them at once, as PostgreSQL can: there each statement costs a way."""
    columns: dict[str, Any] = {"number": Integer, "code": Integer, "reply": Text}
    lists = [bindparam(name, type_=ARRAY(kind)) for name, kind in columns.items()]
    valued = func.unnest(*lists).table_valued(*starmap(column, columns.items()))
    said = valued.render_derived()
    sent = update(_deliveries).where(_deliveries.c.id == said.c.number)
    values = _SENT | {"smtp_code": said.c.code, "smtp_reply": said.c.reply}
    return _beginning(POSTGRESQL).add_cte(sent.values(**values).cte("sent"))


class Start(StrEnum):
    """What beginning found: send it; it was cancelled; the lease is somebody else's by now; or the
    limits want it to wait.
    """

    BEGUN = "begun"
    CANCELLED = "cancelled"
    LOST = "lost"
    WAITS = "waits"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A begun delivery and what became of it."""

    id: DeliveryId
    result: Result


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """Who asks, by which clocks and which rules: what is due goes by `now`, leases by `wall`;
    `permit` None lets every message begin.
    """

    owner: str
    pepper: str = field(repr=False)
    now: datetime
    wall: datetime
    jitter: Callable[[], float] = random.random
    permit: Permit | None = None
    give_up_after: timedelta = GIVE_UP_AFTER


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What one step did, by delivery.

    `states` of what was recorded, None where the row is not ours any more; `starts` of what was to
    begin; `waits` until when those wait that may not begin yet. What is in none of them is left.
    Of what began, the leases hold until the steady second `until` at least, as whoever asks knows.
    """

    states: dict[DeliveryId, State | None] = field(default_factory=dict)
    starts: dict[DeliveryId, Start] = field(default_factory=dict)
    waits: dict[DeliveryId, datetime] = field(default_factory=dict)
    until: float = float("inf")


def advance(
    session: Session, sender: Sender, ended: Sequence[Ended], nexts: Sequence[DeliveryId]
) -> Turn:
    """Record `ended` and begin `nexts`, as far as no other transaction holds their rows.

    One that is given up is left, too: what follows from that belongs into one transaction with it,
    and that takes `ledger.record`.
    """
    ids = [one.id for one in ended] + list(nexts)
    found = _held(session).rows(session, {"ids": ids, "wall": sender.wall}) if ids else ()
    rows = {DeliveryId(row[0]): _Held._make(row) for row in found}
    done = Turn()
    sent = _record(session, sender, [one for one in ended if one.id in rows], rows, done)
    begun = _begin(session, sender, [rows[number] for number in nexts if number in rows], done)
    _write(session, sender.now, sent, begun)
    if missing := [number for number in nexts if number not in rows]:
        done.starts.update(dict.fromkeys(_lost(session, sender, missing), Start.LOST))
    return done


def _lost(session: Session, sender: Sender, missing: Sequence[DeliveryId]) -> set[DeliveryId]:
    """Those that are not ours any more, as after an erase: no use in asking again."""
    ours = select(_deliveries.c.id).where(
        _deliveries.c.id.in_(missing),
        _deliveries.c.state == State.SENDING.value,
        _deliveries.c.owner == sender.owner,
        _deliveries.c.subscriber_id.is_not(None),
    )
    return set(missing) - {DeliveryId(number) for number in session.scalars(ours)}


def _record(
    session: Session,
    sender: Sender,
    ended: Sequence[Ended],
    rows: Mapping[DeliveryId, _Held],
    done: Turn,
) -> list[_Taken]:
    """What the relay took is still to be written."""
    sent: list[_Taken] = []
    for one in ended:
        row = rows[one.id]
        if not (_is_ours(row, sender) and row.begun):
            done.states[one.id] = None
        elif isinstance(one.result, Sent):
            sent.append((one.id, one.result.code or None, plain(one.result.reply)))
            done.states[one.id] = State.SENT
        elif state := _settle(session, sender, one):
            done.states[one.id] = state
    return sent


def _write(
    session: Session, now: datetime, sent: Sequence[_Taken], begun: Sequence[DeliveryId]
) -> None:
    names = ("number", "code", "reply")
    if not sent and not begun:
        return
    if session.get_bind().dialect.name == POSTGRESQL:
        lists = {name: [one[place] for one in sent] for place, name in enumerate(names)}
        _sent_and_begun(session).run(session, lists | {"ids": begun, "now": now})
        return
    if sent:
        each = [dict(zip(names, one, strict=True)) | {"now": now} for one in sent]
        _sent(session).run_each(session, each)
    if begun:
        _begun(session).run(session, {"ids": begun, "now": now})


def _settle(session: Session, sender: Sender, one: Ended) -> State | None:
    """None where it is to be given up."""
    row = session.execute(select(_deliveries).where(_deliveries.c.id == one.id)).mappings().one()
    allowed = sender.give_up_after
    if isinstance(one.result, Deferred) and gives_up(row["queued_at"], sender.now, allowed):
        return None
    return settle(session, row, one.result, sender.now, sender.jitter(), give_up_after=allowed)


def _addressed(session: Session, rows: Sequence[_Held]) -> Sequence[_Held]:
    """The rows with whom they go to: a change of address to the new one, none once it is over."""
    changes = [DeliveryId(row.id) for row in rows if row.kind == _CHANGES]
    if not changes:
        return rows
    new = address_changes.recipients(session, changes)
    return [
        row._replace(email=new.get(DeliveryId(row.id), "")) if row.kind == _CHANGES else row
        for row in rows
    ]


def _begin(session: Session, sender: Sender, rows: Sequence[_Held], done: Turn) -> list[DeliveryId]:
    """Those that may begin are still to be written."""
    rows = _addressed(session, rows)
    hashes = {row.id: address_hash(sender.pepper, row.email) for row in rows}
    suppressed = suppressions.suppressed(session, list(hashes.values()))
    free = []
    for row in rows:
        if not _is_ours(row, sender) or row.begun:
            done.starts[DeliveryId(row.id)] = Start.LOST
        elif row.expired:
            # nobody took it, and our heartbeat would keep it from everybody
            mine = update(_deliveries).where(_deliveries.c.id == row.id)
            session.execute(mine.values(state=State.QUEUED.value, **FREE))
            done.starts[DeliveryId(row.id)] = Start.LOST
        elif why := _obstacle(row, hashes[row.id] in suppressed):
            mine = update(_deliveries).where(_deliveries.c.id == row.id)
            session.execute(mine.values(state=State.CANCELLED.value, reason=why.value, **FREE))
            done.starts[DeliveryId(row.id)] = Start.CANCELLED
        else:
            free.append(row)
    return _permitted(session, sender, free, done)


def _permitted(
    session: Session, sender: Sender, free: Sequence[_Held], done: Turn
) -> list[DeliveryId]:
    """Those that the limits let go."""
    instants: Sequence[datetime | None] = [None] * len(free)
    if sender.permit:
        instants = sender.permit(session, [row.email for row in free])
    begun = []
    for row, instant in zip(free, instants, strict=True):
        number = DeliveryId(row.id)
        done.starts[number] = Start.WAITS if instant else Start.BEGUN
        if instant:
            done.waits[number] = instant
        else:
            begun.append(number)
    return begun


def _is_ours(row: _Held, sender: Sender) -> bool:
    return row.state == State.SENDING.value and row.owner == sender.owner


def _obstacle(row: _Held, suppressed: bool) -> Cancelled | None:
    """Why a message must not go out now."""
    if suppressed:
        return Cancelled.SUPPRESSED
    if not row.email:
        return Cancelled.WITHDRAWN
    match Status(row.status_now):
        case Status.PENDING:
            return None if row.kind in _BEFORE else Cancelled.UNCONFIRMED
        case Status.ACTIVE:
            confirms = row.kind == MailKind.CONFIRM.value
            return Cancelled.CONFIRMED if confirms else None
        case Status.PAUSED if row.kind in _ASKED_FOR:
            return None
        case status:
            return Cancelled(status.value)
