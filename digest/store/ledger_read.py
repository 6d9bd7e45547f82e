"""What the ledger knows: listings, counts, statistics by day, and what was sent before."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, bindparam, case, func, or_, select
from sqlmodel import Session

from digest.domain.deliveries import Delivery, DeliveryId, MailKind, State
from digest.domain.papers import PaperId
from digest.domain.subscribers import (
    ConsentEvent,
    SubscriberId,
    SuppressionReason,
    address_key,
)
from digest.errors import NotFound, StoreError
from digest.store.contents import paper_ids
from digest.store.papers import chunks, surviving
from digest.store.prepared import among, as_date, prepared
from digest.store.tables import (
    AddressChangeRow,
    ConsentEventRow,
    DeliveryRow,
    PaperRow,
    SubscriberRow,
    SuppressionRow,
    table,
)

CHUNK = 1_000

_deliveries = table(DeliveryRow)
_changes = table(AddressChangeRow)
_subscribers = table(SubscriberRow)
_papers = table(PaperRow)
_events = table(ConsentEventRow)
_suppressions = table(SuppressionRow)

_NOT_SENT = (State.SKIPPED.value, State.CANCELLED.value)
_LEFT = (ConsentEvent.UNSUBSCRIBED.value, ConsentEvent.SUPPRESSED.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Which:
    """Which deliveries a listing shows; empty means all. `email` is a whole address."""

    states: Sequence[State] = ()
    kinds: Sequence[MailKind] = ()
    email: str = ""
    digest_on: date | None = None
    ids: Sequence[DeliveryId] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DayStats:
    """One UTC day: who joined (confirmed) and left, deliveries queued by state now, new papers."""

    day: date
    joined: int = 0
    left: int = 0
    deliveries: dict[State, int] = field(default_factory=dict)
    papers: int = 0


def list_deliveries(
    session: Session, which: Which | None = None, *, limit: int = 50, offset: int = 0
) -> list[Delivery]:
    """Rows of the ledger, the latest first; `limit` 0 gives all."""
    query = _chosen(which or Which()).order_by(_deliveries.c.id.desc()).offset(offset)
    rows = session.execute(query.limit(limit) if limit else query).mappings()
    return [_delivery(row) for row in rows]


def delivery(session: Session, delivery_id: DeliveryId) -> Delivery:
    """One row of the ledger. Raises NotFound."""
    found = list_deliveries(session, Which(ids=[delivery_id]))
    if not found:
        raise NotFound(f"no delivery has the id {delivery_id}")
    return found[0]


def counts(session: Session, which: Which | None = None) -> dict[State, int]:
    """How many deliveries are in each state; none is left out."""
    chosen = _chosen(which or Which()).subquery()
    query = select(chosen.c.state, func.count()).group_by(chosen.c.state)
    found = {State(state): number for state, number in session.execute(query)}
    return {state: found.get(state, 0) for state in State}


def due_count(session: Session, now: datetime) -> int:
    """How many deliveries a sender could claim at `now`, those of expired leases too."""
    waiting = _deliveries.c.state.in_([State.QUEUED.value, State.DEFERRED.value])
    expired = and_(_deliveries.c.state == State.SENDING.value, _deliveries.c.lease_until <= now)
    due = or_(and_(waiting, _deliveries.c.due_at <= now), expired)
    named = _deliveries.c.subscriber_id.is_not(None)
    return int(session.scalar(select(func.count()).select_from(_deliveries).where(due, named)) or 0)


def has_row(session: Session, subscriber_id: SubscriberId, day: date) -> bool:
    """Whether the ledger holds a digest or a skip of that local date, in whatever state."""
    return bool(days_with_rows(session, [(subscriber_id, day)]))


def days_with_rows(
    session: Session, wanted: Iterable[tuple[SubscriberId, date]]
) -> set[tuple[SubscriberId, date]]:
    """Which of these subscribers' local dates have a row already."""
    found: set[tuple[SubscriberId, date]] = set()
    for chunk in chunks(wanted, CHUNK):
        owners, days = {owner for owner, _ in chunk}, {day for _, day in chunk}
        query = select(_deliveries.c.subscriber_id, _deliveries.c.digest_on).where(
            _deliveries.c.kind == MailKind.DIGEST.value,
            _deliveries.c.subscriber_id.in_(owners),
            _deliveries.c.digest_on.in_(days),
        )
        rows = {(SubscriberId(owner), day) for owner, day in session.execute(query)}
        found |= rows & set(chunk)
    return found


def sent_before(
    session: Session, subscriber_ids: Iterable[SubscriberId], since: datetime
) -> dict[SubscriberId, set[PaperId]]:
    """The papers of each subscriber's digests queued since then, by old and by present id.

    What was skipped or cancelled was not sent; what failed or is held counts as sent, because it
    may have come or may yet, and so does what was cancelled after a try that ended in doubt. Who
    has none is left out.
    """
    sent: dict[SubscriberId, set[PaperId]] = defaultdict(set)
    for chunk in chunks(subscriber_ids, CHUNK):
        for owner, picks in _sent(session).rows(session, {"ids": chunk, "since": since}):
            with suppress(StoreError):  # a spoiled row must not stop everybody's digests
                sent[SubscriberId(owner)].update(paper_ids(picks))
    became = surviving(session, set().union(*sent.values()))
    return {owner: papers | {became[paper] for paper in papers} for owner, papers in sent.items()}


@prepared
def _sent(dialect: str) -> Select[Any]:
    return select(_deliveries.c.subscriber_id, _deliveries.c.picks).where(
        _deliveries.c.kind == MailKind.DIGEST.value,
        among(dialect, _deliveries.c.subscriber_id, "ids"),
        _deliveries.c.queued_at >= bindparam("since", type_=_deliveries.c.queued_at.type),
        or_(
            and_(*(_deliveries.c.state != state for state in _NOT_SENT)),
            _deliveries.c.doubtful > 0,
        ),
    )


def stats_by_day(session: Session, now: datetime, days: int) -> list[DayStats]:
    """The last `days` UTC days up to today, oldest first, the quiet ones too."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    since = datetime.combine(first, time(), UTC)
    joined = _joined(session, since)
    left = _left(session, since)
    papers = _by_day(session, _papers.c.first_seen_at, since)
    states = _states(session, since)
    return [
        DayStats(
            day=day,
            joined=joined.get(day, 0),
            left=left.get(day, 0),
            deliveries=states.get(day, {}),
            papers=papers.get(day, 0),
        )
        for day in (first + timedelta(days=number) for number in range(days))
    ]


def _chosen(which: Which) -> Select[Any]:
    elsewhere = _deliveries.c.kind == MailKind.CHANGE_ADDRESS.value
    wanted = and_(
        elsewhere,
        _deliveries.c.subscriber_id == _changes.c.subscriber_id,
        _deliveries.c.token.startswith(_changes.c.token + "."),
    )
    email = case((elsewhere, _changes.c.email), else_=_subscribers.c.email).label("email")
    query = (
        select(_deliveries, email)
        .join_from(
            *(_deliveries, _subscribers, _deliveries.c.subscriber_id == _subscribers.c.id),
            isouter=True,
        )
        .join(_changes, wanted, isouter=True)
    )
    if which.states:
        query = query.where(_deliveries.c.state.in_([state.value for state in which.states]))
    if which.kinds:
        query = query.where(_deliveries.c.kind.in_([kind.value for kind in which.kinds]))
    if which.email:
        query = query.where(_subscribers.c.email_key == address_key(which.email))
    if which.digest_on:
        query = query.where(_deliveries.c.digest_on == which.digest_on)
    if which.ids:
        query = query.where(_deliveries.c.id.in_(which.ids))
    return query


def _delivery(row: RowMapping) -> Delivery:
    return Delivery(
        id=DeliveryId(row["id"]),
        kind=MailKind(row["kind"]),
        subscriber_id=row["subscriber_id"],
        email=row["email"] or "",
        digest_on=row["digest_on"],
        edition_id=row["edition_id"],
        state=State(row["state"]),
        reason=row["reason"],
        attempts=row["attempts"],
        doubtful=row["doubtful"],
        message_id=row["message_id"],
        token=row["token"],
        picks=row["picks"],
        queued_at=row["queued_at"],
        due_at=row["due_at"],
        begun_at=row["begun_at"],
        sent_at=row["sent_at"],
        smtp_code=row["smtp_code"],
    )


def _joined(session: Session, since: datetime) -> dict[date, int]:
    confirmed = _events.c.event == ConsentEvent.CONFIRMED.value
    return _by_day(session, _events.c.happened_at, since, confirmed)


def _left(session: Session, since: datetime) -> dict[date, int]:
    """Opt-outs; an erased subscriber's own evidence is gone, the keyed hash stands for it."""
    wished = _by_day(session, _events.c.happened_at, since, _events.c.event.in_(_LEFT))
    erased = _suppressions.c.reason == SuppressionReason.ERASED.value
    gone = _by_day(session, _suppressions.c.created_at, since, erased)
    return {day: wished.get(day, 0) + gone.get(day, 0) for day in wished.keys() | gone.keys()}


def _by_day(
    session: Session,
    instant: ColumnElement[datetime],
    since: datetime,
    which: ColumnElement[bool] | None = None,
) -> dict[date, int]:
    day = _utc_day(session, instant)
    query = select(day, func.count()).where(instant >= since).group_by(day)
    found = session.execute(query if which is None else query.where(which))
    return {as_date(when): number for when, number in found}


def _states(session: Session, since: datetime) -> dict[date, dict[State, int]]:
    day = _utc_day(session, _deliveries.c.queued_at)
    query = select(day, _deliveries.c.state, func.count()).group_by(day, _deliveries.c.state)
    found: dict[date, dict[State, int]] = defaultdict(dict)
    for when, state, number in session.execute(query.where(_deliveries.c.queued_at >= since)):
        found[as_date(when)][State(state)] = number
    return dict(found)


def _utc_day(session: Session, instant: ColumnElement[datetime]) -> ColumnElement[Any]:
    if session.get_bind().dialect.name == "postgresql":
        return func.date(func.timezone("UTC", instant))
    return func.date(instant)
