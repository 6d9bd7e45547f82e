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
from typing import Any

from sqlalchemy import Row, bindparam, select, update
from sqlmodel import Session

from digest.domain.deliveries import (
    GIVE_UP_AFTER,
    Cancelled,
    DeliveryId,
    MailKind,
    Result,
    Sent,
    State,
)
from digest.domain.subscribers import Status, address_hash
from digest.store import suppressions
from digest.store.ledger import plain, settle
from digest.store.outbox import FREE
from digest.store.tables import DeliveryRow, SubscriberRow, table

_deliveries = table(DeliveryRow)
_subscribers = table(SubscriberRow)

Permit = Callable[[Session, Sequence[str]], Sequence[datetime | None]]
"""Asked in the same transaction, with the addresses of messages about to begin: for each None, or
the instant before which it may not."""

_COLUMNS = (
    *("id", "kind", "subscriber_id", "state", "attempts", "doubtful", "queued_at", "due_at"),
    *("owner", "lease_until", "begun_at"),
)
# of each delivery with its subscriber, both held against everybody else until the commit
_HELD = (
    select(
        *(_deliveries.c[name] for name in _COLUMNS),
        _subscribers.c.status.label("status_now"),
        _subscribers.c.email,
    )
    .join_from(_deliveries, _subscribers, _deliveries.c.subscriber_id == _subscribers.c.id)
    .where(_deliveries.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update(key_share=True, skip_locked=True)
)
_BEGUN = (
    update(_deliveries)
    .where(_deliveries.c.id.in_(bindparam("ids", expanding=True)))
    .values(begun_at=bindparam("now"), attempts=_deliveries.c.attempts + 1)
)
_SENT = (
    update(_deliveries)
    .where(_deliveries.c.id == bindparam("number"))
    .values(
        state=State.SENT.value,
        reason="",
        owner=None,
        lease_until=None,
        sent_at=bindparam("now"),
        smtp_code=bindparam("code"),
        smtp_reply=bindparam("reply"),
    )
)


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
    pepper: str
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
    """

    states: dict[DeliveryId, State | None] = field(default_factory=dict)
    starts: dict[DeliveryId, Start] = field(default_factory=dict)
    waits: dict[DeliveryId, datetime] = field(default_factory=dict)


def advance(
    session: Session, sender: Sender, ended: Sequence[Ended], nexts: Sequence[DeliveryId]
) -> Turn:
    """Record `ended` and begin `nexts`, as far as no other transaction holds their rows."""
    ids = [one.id for one in ended] + list(nexts)
    rows = {DeliveryId(row.id): row for row in session.execute(_HELD, {"ids": ids})}
    done = Turn()
    _record(session, sender, [one for one in ended if one.id in rows], rows, done)
    _begin(session, sender, [rows[number] for number in nexts if number in rows], done)
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
    rows: Mapping[DeliveryId, Row[Any]],
    done: Turn,
) -> None:
    sent = []
    for one in ended:
        row = rows[one.id]
        if not (_is_ours(row, sender) and row.begun_at):
            done.states[one.id] = None
        elif isinstance(one.result, Sent):
            reply = plain(one.result.reply)
            sent.append({"number": one.id, "code": one.result.code or None, "reply": reply})
            done.states[one.id] = State.SENT
        else:
            done.states[one.id] = settle(
                session,
                row._mapping,
                one.result,
                sender.now,
                sender.jitter(),
                give_up_after=sender.give_up_after,
            )
    if sent:
        session.connection().execute(_SENT, [{**values, "now": sender.now} for values in sent])


def _begin(session: Session, sender: Sender, rows: Sequence[Row[Any]], done: Turn) -> None:
    hashes = {row.id: address_hash(sender.pepper, row.email) for row in rows}
    suppressed = suppressions.reasons_for(session, hashes.values())
    free = []
    for row in rows:
        if not _is_ours(row, sender) or row.begun_at:
            done.starts[row.id] = Start.LOST
        elif row.lease_until <= sender.wall:
            # nobody took it, and our heartbeat would keep it from everybody
            mine = update(_deliveries).where(_deliveries.c.id == row.id)
            session.execute(mine.values(state=State.QUEUED.value, **FREE))
            done.starts[row.id] = Start.LOST
        elif why := _obstacle(row, hashes[row.id] in suppressed):
            mine = update(_deliveries).where(_deliveries.c.id == row.id)
            session.execute(mine.values(state=State.CANCELLED.value, reason=why.value, **FREE))
            done.starts[row.id] = Start.CANCELLED
        else:
            free.append(row)
    permit = sender.permit or (lambda _session, emails: [None] * len(emails))
    begun = []
    for row, instant in zip(free, permit(session, [row.email for row in free]), strict=True):
        done.starts[row.id] = Start.WAITS if instant else Start.BEGUN
        if instant:
            done.waits[row.id] = instant
        else:
            begun.append(row.id)
    if begun:
        session.execute(_BEGUN, {"ids": begun, "now": sender.now})


def _is_ours(row: Row[Any], sender: Sender) -> bool:
    return bool(row.state == State.SENDING.value and row.owner == sender.owner)


def _obstacle(row: Row[Any], suppressed: bool) -> Cancelled | None:
    """Why a message must not go out now."""
    if suppressed:
        return Cancelled.SUPPRESSED
    match Status(row.status_now):
        case Status.PENDING:
            confirms = row.kind == MailKind.CONFIRM.value
            return None if confirms else Cancelled.UNCONFIRMED
        case Status.ACTIVE:
            confirms = row.kind == MailKind.CONFIRM.value
            return Cancelled.CONFIRMED if confirms else None
        case status:
            return Cancelled(status.value)
