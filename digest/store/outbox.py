"""What goes into the ledger, and what takes it out again before it is sent: the queue's near end.

`ledger` is its far end, where the senders stand.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain, starmap
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.domain.deliveries import Cancelled, DeliveryId, MailKind, State
from digest.domain.digests import Digest, Skip
from digest.domain.editions import EditionId
from digest.domain.subscribers import SubscriberId
from digest.store import contents, tries
from digest.store.papers import chunks
from digest.store.prepared import POSTGRESQL, as_date, prepared
from digest.store.tables import DeliveryRow, table

_deliveries = table(DeliveryRow)

PIECE = 100  # rows that are given in one statement
_WRITTEN = (_deliveries.c.subscriber_id, _deliveries.c.digest_on)
_OWN = ("subscriber_id", "digest_on", "edition_id", "message_id", "state", "reason", "picks")
_INSTANTS = ("queued_at", "due_at")
_NUMBERED = [f"{name}_{n}" for n in range(PIECE) for name in _OWN]
# what the rows of all digests begin with
_SAME: dict[str, Any] = {
    "kind": MailKind.DIGEST.value,
    "token": "",
    "smtp_reply": "",
} | dict.fromkeys(("attempts", "doubtful"), 0)
FREE: dict[str, Any] = {"owner": None, "lease_until": None, "begun_at": None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What composing gave one subscriber; `message_id` is empty for a skip."""

    subscriber_id: SubscriberId
    content: Digest | Skip
    edition_id: EditionId | None
    message_id: str = ""


def enqueue_digest(
    session: Session,
    subscriber_id: SubscriberId,
    digest: Digest,
    *,
    edition_id: EditionId | None,
    message_id: str,
    now: datetime,
) -> bool:
    """Queue a digest; whether it was written: a row for that date stands whatever its state."""
    outcome = Outcome(
        subscriber_id=subscriber_id, content=digest, edition_id=edition_id, message_id=message_id
    )
    return bool(write_outcomes(session, [outcome], now))


def write_skip(
    session: Session,
    subscriber_id: SubscriberId,
    skip: Skip,
    *,
    edition_id: EditionId | None,
    now: datetime,
) -> bool:
    """Note that there is no mail for a date, and why; whether it was written."""
    outcome = Outcome(subscriber_id=subscriber_id, content=skip, edition_id=edition_id)
    return bool(write_outcomes(session, [outcome], now))


def write_outcomes(
    session: Session, outcomes: Sequence[Outcome], now: datetime
) -> set[tuple[SubscriberId, date]]:
    """Write digests and skips in bulk; gives those whose date had no row yet."""
    rows = [(outcome.subscriber_id, *_own(outcome)) for outcome in outcomes]
    new: set[tuple[SubscriberId, date]] = set()
    for piece in chunks(rows, PIECE):
        new |= _write_piece(session, piece, dict.fromkeys(_INSTANTS, now))
    return new


def _write_piece(
    session: Session, rows: Sequence[tuple[Any, ...]], now: dict[str, datetime]
) -> set[tuple[SubscriberId, date]]:
    if session.get_bind().dialect.name == POSTGRESQL:
        # one text: the elements of an array are quoted one by one, which takes far longer
        listed = [dict(zip(_OWN, row, strict=True)) for row in rows]
        text = json.dumps(listed, default=date.isoformat)
        found: Sequence[Any] = _all_at_once(session).rows(session, {"rows": text} | now)
    elif len(rows) == PIECE:
        values = dict(zip(_NUMBERED, chain.from_iterable(rows), strict=True))
        found = _piece_at_once(session).rows(session, values | now)
    else:
        made = sqlite.insert(_deliveries).on_conflict_do_nothing().returning(*_WRITTEN)
        named = [dict(zip(_OWN, row, strict=True)) | now | _SAME for row in rows]
        found = session.execute(made, named).all()
    return {(SubscriberId(owner), as_date(day)) for owner, day in found}


@prepared
def _all_at_once(_dialect: str) -> Executable:
    kinds = {name: _deliveries.c[name].type for name in _OWN}
    text = cast(bindparam("rows", type_=Text), postgresql.JSON)
    given = func.json_to_recordset(text).table_valued(*starmap(column, kinds.items()))
    given = given.render_derived(with_types=True)
    instants = [bindparam(name, type_=_deliveries.c[name].type) for name in _INSTANTS]
    chosen = select(*(given.c[name] for name in _OWN), *instants, *map(literal, _SAME.values()))
    made = postgresql.insert(_deliveries)
    made = made.from_select([*_OWN, *_INSTANTS, *_SAME], chosen, include_defaults=False)
    return made.on_conflict_do_nothing().returning(*_WRITTEN)


@prepared
def _piece_at_once(_dialect: str) -> Executable:
    kinds = {name: _deliveries.c[name].type for name in _OWN}
    now = {name: bindparam(name, type_=_deliveries.c[name].type) for name in _INSTANTS}
    rows = [  # of the rows after the first SQLAlchemy does not find the types by itself
        {name: bindparam(f"{name}_{n}", type_=kind) for name, kind in kinds.items()} | now | _SAME
        for n in range(PIECE)
    ]
    return sqlite.insert(_deliveries).values(rows).on_conflict_do_nothing().returning(*_WRITTEN)


def replace_skipped(session: Session, outcome: Outcome, now: datetime) -> bool:
    """Put a digest, or another skip, in place of that date's skip (`--only`); whether there was
    one.
    """
    day = _day_of(outcome.subscriber_id, outcome.content.digest_on)
    skipped = update(_deliveries).where(day, _deliveries.c.state == State.SKIPPED.value)
    values = dict(zip(_OWN[1:], _own(outcome), strict=True)) | dict.fromkeys(_INSTANTS, now)
    written = skipped.values(values).returning(_deliveries.c.id)
    return session.scalars(written).first() is not None


def enqueue_mail(
    session: Session,
    kind: MailKind,
    subscriber_id: SubscriberId,
    token: str,
    *,
    message_id: str,
    now: datetime,
) -> bool:
    """Queue a confirmation or welcome; whether it was written: once per (subscriber, kind, token).

    Raises ValueError for a digest, which has a date instead of a token.
    """
    if kind is MailKind.DIGEST:
        raise ValueError("a digest is queued by enqueue_digest")
    letter = Letter(kind=kind, subscriber_id=subscriber_id, token=token, message_id=message_id)
    row = _mail_columns(letter, now)
    made = _insert(session).values(row).on_conflict_do_nothing().returning(_deliveries.c.id)
    return session.scalars(made).first() is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A mail other than a digest; `token` is what makes it one of its kind for its subscriber."""

    kind: MailKind
    subscriber_id: SubscriberId
    token: str
    message_id: str


def enqueue_mails(session: Session, letters: Sequence[Letter], now: datetime) -> None:
    """Queue many mails at once; what is there already stays as it is."""
    if letters:
        rows = [_mail_columns(one, now) for one in letters]
        session.execute(_insert(session).on_conflict_do_nothing(), rows)


def waiting_for_mail(
    session: Session, subscriber_ids: Sequence[SubscriberId], kinds: Sequence[MailKind]
) -> set[tuple[SubscriberId, MailKind]]:
    """Which of these subscribers have a mail of these kinds that is not begun yet."""
    query = select(_deliveries.c.subscriber_id, _deliveries.c.kind).where(
        _deliveries.c.subscriber_id.in_(subscriber_ids),
        _deliveries.c.kind.in_([kind.value for kind in kinds]),
        _open_and_not_begun(),
    )
    return {(SubscriberId(owner), MailKind(kind)) for owner, kind in session.execute(query)}


def cancel_open(
    session: Session,
    subscriber_id: SubscriberId,
    reason: Cancelled,
    kinds: Iterable[MailKind] = tuple(MailKind),
) -> int:
    """Cancel a subscriber's rows that wait or are claimed but not begun; how many."""
    mine = update(_deliveries).where(
        _deliveries.c.subscriber_id == subscriber_id,
        _deliveries.c.kind.in_([kind.value for kind in kinds]),
        _open_and_not_begun(),
    )
    values = mine.values(state=State.CANCELLED.value, reason=reason.value, **FREE)
    return len(session.scalars(values.returning(_deliveries.c.id)).all())


def retry(
    session: Session,
    now: datetime,
    *,
    ids: Sequence[DeliveryId] = (),
    states: Sequence[State] = (State.FAILED, State.HELD),
) -> list[DeliveryId]:
    """Queue failed and held deliveries again, all or those of `ids`; the ids that were.

    The 48 h begin anew; the doubts stay counted, so that one more holds the delivery again.
    """
    again = {State.FAILED.value, State.HELD.value} & {state.value for state in states}
    chosen = update(_deliveries).where(
        _deliveries.c.state.in_(sorted(again)), _deliveries.c.subscriber_id.is_not(None)
    )
    if ids:
        chosen = chosen.where(_deliveries.c.id.in_(ids))
    queued = chosen.values(state=State.QUEUED.value, reason="", queued_at=now, due_at=now, **FREE)
    return sorted(DeliveryId(i) for i in session.scalars(queued.returning(_deliveries.c.id)))


def unname(session: Session, subscriber_id: SubscriberId) -> None:
    """Take what speaks of the person out of their rows, before the subscriber is erased: the
    relay's replies, which may quote the address, and the interests behind the picks.
    """
    mine = _deliveries.c.subscriber_id == subscriber_id
    query = select(_deliveries.c.id, _deliveries.c.picks).where(mine)
    for number, picks in session.execute(query.with_for_update()).all():
        nameless = contents.without_person(picks)
        one = update(_deliveries).where(_deliveries.c.id == number)
        session.execute(one.values(picks=nameless, smtp_reply=""))
    ours = _deliveries.c.state.in_([State.SKIPPED.value, State.CANCELLED.value])
    said = update(_deliveries).where(mine, ~ours)
    session.execute(said.values(reason=""))
    tries.forget(session, subscriber_id)


def _insert(session: Session) -> postgresql.Insert | sqlite.Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(_deliveries)
    return sqlite.insert(_deliveries)


def _mail_columns(letter: Letter, now: datetime) -> dict[str, Any]:
    return {
        "kind": letter.kind.value,
        "subscriber_id": letter.subscriber_id,
        "token": letter.token,
        "message_id": letter.message_id,
        "picks": contents.EMPTY,
        "state": State.QUEUED.value,
        "queued_at": now,
        "due_at": now,
    }


def _own(outcome: Outcome) -> tuple[Any, ...]:
    """What a row has of an outcome: `_OWN` but for the subscriber."""
    content, edition = outcome.content, outcome.edition_id
    if isinstance(content, Digest):
        picks = contents.content_to_json(content)
        return content.digest_on, edition, outcome.message_id, State.QUEUED.value, "", picks
    reason = content.reason.value
    return content.digest_on, edition, "", State.SKIPPED.value, reason, contents.EMPTY


def _day_of(subscriber_id: SubscriberId, day: date) -> ColumnElement[bool]:
    return and_(
        _deliveries.c.kind == MailKind.DIGEST.value,
        _deliveries.c.subscriber_id == subscriber_id,
        _deliveries.c.digest_on == day,
    )


def _open_and_not_begun() -> ColumnElement[bool]:
    claimed = and_(_deliveries.c.state == State.SENDING.value, _deliveries.c.begun_at.is_(None))
    waits = _deliveries.c.state.in_([State.QUEUED.value, State.DEFERRED.value])
    return waits | claimed
