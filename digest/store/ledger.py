"""The ledger, which is also the queue: claim, begin, record (CONTRACT §1).

What goes into it stands in `outbox`, what is read from it in `ledger_read`. A row is claimed with a
lease, begun just before its message goes out (`turns`), and recorded with what the relay said. Who
holds no lease any more writes nothing. Only begun rows can be in doubt.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    RowMapping,
    Select,
    Update,
    and_,
    bindparam,
    select,
    text,
    update,
)
from sqlmodel import Session

from digest.domain.deliveries import (
    GIVE_UP_AFTER,
    Cancelled,
    Deferred,
    DeliveryId,
    Failed,
    InDoubt,
    MailKind,
    NotTried,
    Result,
    Sent,
    State,
    TryOutcome,
    Verdict,
    verdict,
)
from digest.domain.digests import Digest
from digest.domain.editions import EditionId
from digest.domain.subscribers import Subscriber, SubscriberId
from digest.errors import StoreError
from digest.store import address_changes, contents, subscribers, tries
from digest.store.outbox import FREE
from digest.store.tables import DeliveryRow, SubscriberRow, table

LONGEST_REPLY = 500
CRASHED = "the sender stopped before the relay's answer was recorded"

_deliveries = table(DeliveryRow)
_subscribers = table(SubscriberRow)

# In the very words of the partial indexes, or SQLite does not take them.
_WAITING = text("state IN ('queued', 'deferred')")
_LEASED = text("state = 'sending'")


def _locked(query: Select[Any]) -> Select[Any]:
    """On PostgreSQL the rows are locked, and those that another sender locks are passed over."""
    return query.with_for_update(skip_locked=True)


def _changed(which: Select[Any], **values: object) -> Update:
    """A change of these rows, but of none that another transaction holds."""
    picked = _locked(which).cte("picked")
    mine = update(_deliveries).where(_deliveries.c.id.in_(select(picked.c.id)))
    return mine.values(values)


# Built once: building such a statement takes longer than the store takes to run it.
_DUE = (
    select(_deliveries.c.id)
    .where(_WAITING, _deliveries.c.due_at <= bindparam("now"))
    .where(_deliveries.c.subscriber_id.is_not(None))
    .order_by(_deliveries.c.due_at, _deliveries.c.id)
    .limit(bindparam("most"))
)
_LEASE: dict[str, Any] = {"owner": bindparam("sender"), "lease_until": bindparam("until")}
_LEASING = {"state": State.SENDING.value, "begun_at": None} | _LEASE
_TAKEN = _changed(_DUE, **_LEASING).returning(_deliveries)
_ONLY = _deliveries.c.subscriber_id.in_(bindparam("only", expanding=True))
_TAKEN_OF = _changed(_DUE.where(_ONLY), **_LEASING).returning(_deliveries)
_OWN = select(_deliveries.c.id).where(_LEASED, _deliveries.c.owner == bindparam("sender"))
_RENEWED = _changed(_OWN, lease_until=bindparam("until")).returning(_deliveries.c.id)
_UNBEGUN = _OWN.where(_deliveries.c.begun_at.is_(None))
_FREED = _changed(_UNBEGUN, state=State.QUEUED.value, **FREE).returning(_deliveries.c.id)
_LAPSED = _deliveries.c.lease_until <= bindparam("now")
_EXPIRED = _locked(select(_deliveries).where(_LEASED, _LAPSED))


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """A delivery leased to a sender, with its subscriber; `digest` for digests alone.

    `recipient` is the subscriber's address, or the new one that is to be confirmed.
    """

    id: DeliveryId
    kind: MailKind
    subscriber: Subscriber
    recipient: str
    message_id: str
    token: str
    edition_id: EditionId | None
    digest: Digest | None
    attempts: int
    doubtful: int
    queued_at: datetime


def claim(
    session: Session,
    owner: str,
    now: datetime,
    lease: timedelta,
    limit: int,
    *,
    only: Sequence[SubscriberId] = (),
    wall: datetime | None = None,
) -> list[Claimed]:
    """Lease to `owner` the rows that are due, at most `limit`, in the order in which they are;
    with `only` just those of these subscribers.

    Rows of expired leases come back first: those never begun as they were, those begun as in doubt.
    Leases go by `wall`, where what is due is asked for another time than the present.
    """
    held_at = wall or now
    _take_back_expired(session, now, held_at)
    asked = {"now": now, "most": limit, "sender": owner, "until": held_at + lease}
    of = {"only": only} if only else {}
    rows = session.execute(_TAKEN_OF if only else _TAKEN, asked | of).mappings().all()
    people = subscribers.by_ids(session, {row["subscriber_id"] for row in rows})
    elsewhere = _new_addresses(session, rows)
    claimed = []
    for row in sorted(rows, key=lambda row: (row["due_at"], row["id"])):
        person = people[row["subscriber_id"]]
        if not (recipient := elsewhere.get(row["id"], person.email)):
            _cancel(session, row["id"], Cancelled.WITHDRAWN)
            continue
        try:
            claimed.append(_claimed(row, person, recipient))
        except StoreError as exc:  # a spoiled row must not stop the queue
            settle(session, row, Failed(code=0, reply=str(exc)), now, 0.0)
    return claimed


def waiting(session: Session, now: datetime, limit: int) -> list[Claimed]:
    """The digests that are due, at most `limit`, in the order in which they will be claimed; only
    read, and claimed by nobody.
    """
    which = (_WAITING, _deliveries.c.due_at <= now, _deliveries.c.digest_on.is_not(None))
    named = _deliveries.c.subscriber_id.is_not(None)
    order = (_deliveries.c.due_at, _deliveries.c.id)
    query = select(_deliveries).where(*which, named).order_by(*order).limit(limit)
    rows = session.execute(query).mappings().all()
    people = subscribers.by_ids(session, {row["subscriber_id"] for row in rows})
    found = []
    for row in rows:
        with suppress(StoreError):  # a spoiled row is told of when it is claimed
            person = people[row["subscriber_id"]]
            found.append(_claimed(row, person, person.email))
    return found


def renew(session: Session, owner: str, now: datetime, lease: timedelta) -> int:
    """Extend the leases of `owner`, also those that ran out and nobody took; how many they are.

    Rows that another transaction holds are left, as in `release`: to wait for one could cost all
    the others, and an erase that waits for one of ours would wait in a circle.
    """
    return len(session.scalars(_RENEWED, {"sender": owner, "until": now + lease}).all())


def hold_subscriber(session: Session, delivery_id: DeliveryId) -> None:
    """Lock the subscriber of a delivery before any delivery is, as an erase does: else an erase and
    a sender with two mails for one person could wait for each other.
    """
    query = (
        select(_subscribers.c.id)
        .join_from(_deliveries, _subscribers, _deliveries.c.subscriber_id == _subscribers.c.id)
        .where(_deliveries.c.id == delivery_id)
        .with_for_update(of=_subscribers)
    )
    session.execute(query).first()


def record(
    session: Session,
    delivery_id: DeliveryId,
    owner: str,
    result: Result,
    now: datetime,
    *,
    jitter: float = 0.0,
    give_up_after: timedelta = GIVE_UP_AFTER,
) -> State | None:
    """Write what became of a begun delivery; its new state, or None where it is not ours any more.

    A lease that ran out unnoticed counts as ours as long as nobody else has taken the row.
    """
    mine = and_(_deliveries.c.id == delivery_id, _LEASED, _deliveries.c.owner == owner)
    query = select(_deliveries).where(mine, _deliveries.c.begun_at.is_not(None))
    row = session.execute(query.with_for_update()).mappings().first()
    if row is None:
        return None
    return settle(session, row, result, now, jitter, give_up_after=give_up_after)


def fail_deferred(session: Session, delivery_id: DeliveryId, result: Failed) -> bool:
    """Let a deferred delivery fail after all; whether it was still deferred."""
    mine = update(_deliveries).where(_deliveries.c.id == delivery_id)
    waiting = mine.where(_deliveries.c.state == State.DEFERRED.value)
    said = plain(result.reply)
    failed = waiting.values(state=State.FAILED.value, reason=said, smtp_reply=said, **FREE)
    return session.scalars(failed.returning(_deliveries.c.id)).first() is not None


def put_off(session: Session, owner: str, until: Mapping[DeliveryId, datetime]) -> set[DeliveryId]:
    """Give back rows claimed and not begun, each to be claimed again from its instant on; those
    that were, or are not ours any more. The others another transaction holds.
    """
    mine = and_(_deliveries.c.id.in_(until), _LEASED, _deliveries.c.owner == owner)
    unbegun = and_(mine, _deliveries.c.begun_at.is_(None))
    given = list(session.scalars(_locked(select(_deliveries.c.id).where(unbegun))))
    if given:
        back = update(_deliveries).where(_deliveries.c.id == bindparam("number"))
        values = back.values(state=State.QUEUED.value, due_at=bindparam("instant"), **FREE)
        rows = [{"number": number, "instant": until[number]} for number in given]
        session.connection().execute(values, rows)
    return set(until) - set(session.scalars(select(_deliveries.c.id).where(mine)))


def release(session: Session, owner: str) -> int:
    """Give back what was claimed and never begun, as at a shutdown; how many rows."""
    return len(session.scalars(_FREED, {"sender": owner}).all())


def _take_back_expired(session: Session, now: datetime, held_at: datetime) -> None:
    for row in session.execute(_EXPIRED, {"now": held_at}).mappings().all():
        crashed = InDoubt(detail=CRASHED) if row["begun_at"] else NotTried(detail="")
        settle(session, row, crashed, now, 0.0)


def settle(
    session: Session,
    row: RowMapping,
    result: Result,
    now: datetime,
    jitter: float,
    *,
    give_up_after: timedelta = GIVE_UP_AFTER,
) -> State:
    """Write the verdict on one try into its row, which is locked."""
    decided = verdict(
        result,
        attempts=row["attempts"],
        doubtful=row["doubtful"],
        queued_at=row["queued_at"],
        now=now,
        jitter=jitter,
        give_up_after=give_up_after,
    )
    values = _written(row, result, decided, now)
    session.execute(update(_deliveries).where(_deliveries.c.id == row["id"]).values(values))
    if row["subscriber_id"] is not None and (tried := _try_of(result, now)):
        tries.remember(session, DeliveryId(row["id"]), tried)
    return State(values["state"])


def _try_of(result: Result, now: datetime) -> tries.Try | None:
    """What is kept of a try beside the ledger; what was taken, or never tried, needs no more."""
    match result:
        case Deferred() | Failed():
            outcome = TryOutcome.DEFERRED if isinstance(result, Deferred) else TryOutcome.FAILED
            code, reply = result.code or None, result.reply
        case InDoubt():
            outcome, code, reply = TryOutcome.IN_DOUBT, None, result.detail
        case _:
            return None
    return tries.Try(tried_at=now, outcome=outcome, smtp_code=code, reply=plain(reply))


def _written(row: RowMapping, result: Result, decided: Verdict, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {
        "state": decided.state.value,
        "reason": plain(decided.reason),
        "doubtful": decided.doubtful,
        "due_at": decided.due_at or row["due_at"],
        "owner": None,
        "lease_until": None,
    }
    if decided.state in (State.QUEUED, State.DEFERRED):
        values["begun_at"] = None
    if isinstance(result, Sent):
        values["sent_at"] = now
    if isinstance(result, NotTried) and row["begun_at"]:
        values["attempts"] = max(row["attempts"] - 1, 0)
    if not isinstance(result, InDoubt | NotTried):
        values |= {"smtp_code": result.code or None, "smtp_reply": plain(result.reply)}
    return values if row["subscriber_id"] is not None else _nameless(values)


def _nameless(values: dict[str, Any]) -> dict[str, Any]:
    """For a message that was in the air when its subscriber was erased: no address, no more try."""
    if values["state"] in (State.QUEUED.value, State.DEFERRED.value):
        values["state"] = State.CANCELLED.value
    cancelled = values["state"] == State.CANCELLED.value
    return values | {"reason": Cancelled.ERASED.value if cancelled else "", "smtp_reply": ""}


def _new_addresses(session: Session, rows: Sequence[RowMapping]) -> dict[DeliveryId, str]:
    """Whom the changes of address among the rows go to, empty where the change is over."""
    ids = [DeliveryId(row["id"]) for row in rows if row["kind"] == MailKind.CHANGE_ADDRESS.value]
    return dict.fromkeys(ids, "") | address_changes.recipients(session, ids) if ids else {}


def _cancel(session: Session, delivery_id: DeliveryId, why: Cancelled) -> None:
    mine = update(_deliveries).where(_deliveries.c.id == delivery_id)
    session.execute(mine.values(state=State.CANCELLED.value, reason=why.value, **FREE))


def _claimed(row: RowMapping, subscriber: Subscriber, recipient: str) -> Claimed:
    day = row["digest_on"]
    return Claimed(
        id=DeliveryId(row["id"]),
        kind=MailKind(row["kind"]),
        subscriber=subscriber,
        recipient=recipient,
        message_id=row["message_id"],
        token=row["token"],
        edition_id=EditionId(row["edition_id"]) if row["edition_id"] else None,
        digest=contents.content_from_json(row["picks"], day) if day else None,
        attempts=row["attempts"],
        doubtful=row["doubtful"],
        queued_at=row["queued_at"],
    )


def plain(said: str) -> str:
    """A relay's words as the store can hold them: one line of printable characters, cut off."""
    shown = said[: 4 * LONGEST_REPLY]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else " " for c in shown)
    return " ".join(shown.split())[:LONGEST_REPLY]
