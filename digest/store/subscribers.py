"""Subscribers: rows ↔ domain values, one at a time or in bulk."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import text as words
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.domain.interests import Interest
from digest.domain.schedule import Frequency, Schedule, zone
from digest.domain.subscribers import (
    Channel,
    ConsentEvent,
    EmptyDay,
    Preferences,
    Status,
    Subscriber,
    SubscriberId,
    address_key,
)
from digest.errors import InvalidInput, NotFound
from digest.store.interests import forget_interests, interests_of, replace_interests
from digest.store.papers import chunks
from digest.store.tables import ConsentEventRow, SubscriberRow, table

CHUNK = 1_000

_K = TypeVar("_K")
_subscribers = table(SubscriberRow)
_events = table(ConsentEventRow)
READ = [
    _subscribers.c[name]
    for name in (
        *("id", "email", "status", "next_digest_at", "resume_at"),
        *("timezone", "hour", "frequency", "weekday", "empty_day"),
        *("max_papers", "threshold", "min_matches", "text_only"),
    )
]

_STATUSES = {status.value: status for status in Status}
# In the very words of the partial index ix_subscribers_due, or SQLite does not take it.
_ACTIVE = words("status = 'active'")
_LATER = select(_subscribers.c.id).where(
    _ACTIVE, _subscribers.c.next_digest_at > bindparam("instant")
)
_ANY_LATER = _LATER.limit(1)
_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_BY_ID = select(*READ).where(_subscribers.c.id.in_(_KEYS)).order_by(_subscribers.c.id)
_BY_KEY = select(*READ).where(_subscribers.c.email_key.in_(_KEYS)).order_by(_subscribers.c.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSubscriber:
    """A subscriber about to be added: one that has no id yet."""

    email: str
    status: Status
    interests: tuple[Interest, ...] = ()
    preferences: Preferences = field(default_factory=Preferences)
    next_digest_at: datetime | None = None
    resume_at: datetime | None = None


def add(session: Session, new: NewSubscriber, now: datetime) -> Subscriber:
    """Add one; an address that is there already breaks a constraint (IntegrityError)."""
    return add_many(session, [new], now)[0]


def add_many(session: Session, new: Sequence[NewSubscriber], now: datetime) -> list[Subscriber]:
    """Add many, in their order."""
    if not new:
        return []
    rows = [_row_of(item, now) for item in new]
    made = insert(_subscribers).returning(_subscribers.c.id, sort_by_parameter_order=True)
    ids = session.scalars(made, rows).all()
    added = [
        Subscriber(
            id=SubscriberId(number),
            email=item.email,
            status=item.status,
            interests=item.interests,
            preferences=item.preferences,
            next_digest_at=item.next_digest_at,
        )
        for number, item in zip(ids, new, strict=True)
    ]
    replace_interests(session, {one.id: one.interests for one in added if one.interests})
    return added


def add_missing(
    session: Session, new: Sequence[NewSubscriber], now: datetime
) -> dict[str, SubscriberId]:
    """Add those whose address is not there yet, without their interests; their ids by address key.

    In the order of their keys, so that two who add the same people do not wait in a circle.
    """
    if not new:
        return {}
    rows = sorted((_row_of(item, now) for item in new), key=itemgetter("email_key"))
    dialect = session.get_bind().dialect.name
    made = (postgresql if dialect == "postgresql" else sqlite).insert(_subscribers)
    added = made.on_conflict_do_nothing().returning(_subscribers.c.email_key, _subscribers.c.id)
    return {key: SubscriberId(number) for key, number in session.execute(added, rows)}


def save(session: Session, subscriber: Subscriber, now: datetime) -> None:
    """Write a subscriber's status, settings, interests and next instant; the address stays."""
    save_many(session, [subscriber], now)


def save_many(session: Session, changed: Sequence[Subscriber], now: datetime) -> None:
    """Write many subscribers, interests and all."""
    if not changed:
        return
    row = _subscribers.c.id == bindparam("row_id")
    columns: dict[str, Any] = {name: bindparam(name) for name in _columns(changed[0])}
    statement = update(_subscribers).where(row).values(**columns, updated_at=now)
    values = [_columns(one) | {"row_id": one.id} for one in changed]
    session.connection().execute(statement, values)
    replace_interests(session, {one.id: one.interests for one in changed})


def set_status(
    session: Session,
    subscriber_id: SubscriberId,
    status: Status,
    *,
    next_digest_at: datetime | None,
    now: datetime,
    resume_at: datetime | None = None,
) -> None:
    """Write status, next instant and the end of a pause alone."""
    mine = update(_subscribers).where(_subscribers.c.id == subscriber_id)
    instants = {"next_digest_at": next_digest_at, "resume_at": resume_at}
    session.execute(mine.values(status=status.value, updated_at=now, **instants))


def set_email(session: Session, subscriber_id: SubscriberId, email: str, now: datetime) -> None:
    """Write another address; one that is somebody else's breaks a constraint (IntegrityError)."""
    mine = update(_subscribers).where(_subscribers.c.id == subscriber_id)
    session.execute(mine.values(email=email, email_key=address_key(email), updated_at=now))


def erase_row(session: Session, subscriber_id: SubscriberId) -> None:
    """Delete the row with interests, feedback and consent; the ledger's rows stay, unnamed."""
    forget_interests(session, subscriber_id)
    session.execute(delete(_subscribers).where(_subscribers.c.id == subscriber_id))


def find_by_email(session: Session, email: str, *, lock: bool = False) -> Subscriber | None:
    """The subscriber of that address without regard to case; `lock` holds the row for a change."""
    return _one(session, _subscribers.c.email_key == address_key(email), lock=lock)


def by_email(session: Session, email: str, *, lock: bool = False) -> Subscriber:
    """The subscriber of that address. Raises NotFound."""
    if (found := find_by_email(session, email, lock=lock)) is None:
        raise NotFound(f"no subscriber has the address {email[:254]!r}")
    return found


def by_id(session: Session, subscriber_id: SubscriberId, *, lock: bool = False) -> Subscriber:
    """The subscriber of that id. Raises NotFound."""
    found = _one(session, _subscribers.c.id == subscriber_id, lock=lock)
    if found is None:
        raise NotFound(f"no subscriber has the id {subscriber_id}")
    return found


def by_ids(
    session: Session, ids: Iterable[SubscriberId], *, lock: bool = False
) -> dict[SubscriberId, Subscriber]:
    """The subscribers that are there, by id; `lock` holds the rows for a change."""
    return _many(session, ids, _BY_ID, lambda one: one.id, lock=lock)


def by_keys(session: Session, keys: Iterable[str], *, lock: bool = False) -> dict[str, Subscriber]:
    """The subscribers that are there, by address key."""
    return _many(session, keys, _BY_KEY, lambda one: address_key(one.email), lock=lock)


def dated_after(session: Session, instant: datetime, *, limit: int = CHUNK) -> list[Subscriber]:
    """Some of the active subscribers whose next digest is later than that, held for a change; those
    whom another transaction holds are left.
    """
    chosen = _LATER.order_by(_subscribers.c.next_digest_at).limit(limit)
    held = chosen.with_for_update(key_share=True, skip_locked=True)
    ids = session.scalars(held, {"instant": instant}).all()
    return list(by_ids(session, [SubscriberId(number) for number in ids]).values())


def any_dated_after(session: Session, instant: datetime) -> bool:
    """Whether there is any such subscriber."""
    return session.execute(_ANY_LATER, {"instant": instant}).first() is not None


def listed(
    session: Session,
    *,
    statuses: Sequence[Status] = (),
    contains: str = "",
    limit: int = 50,
    after_id: SubscriberId | int = 0,
) -> list[Subscriber]:
    """Subscribers in order of id; `contains` is a part of the address, `limit` 0 gives all."""
    query = select(*READ).where(_subscribers.c.id > after_id).order_by(_subscribers.c.id)
    if statuses:
        query = query.where(_subscribers.c.status.in_([status.value for status in statuses]))
    if contains:
        part = address_key(contains)
        query = query.where(_subscribers.c.email_key.contains(part, autoescape=True))
    return _with_interests(session, query.limit(limit) if limit else query)


def everyone(session: Session) -> Iterator[Subscriber]:
    """All subscribers in order of id, read in chunks."""
    after = 0
    while chunk := listed(session, limit=CHUNK, after_id=after):
        yield from chunk
        after = chunk[-1].id


def status_counts(session: Session) -> dict[Status, int]:
    """How many subscribers have each status; none is left out."""
    query = select(_subscribers.c.status, func.count()).group_by(_subscribers.c.status)
    found = {Status(status): count for status, count in session.execute(query)}
    return {status: found.get(status, 0) for status in Status}


def record_consent(
    session: Session,
    subscriber_ids: Iterable[SubscriberId],
    event: ConsentEvent,
    channel: Channel,
    *,
    now: datetime,
    detail: str = "",
) -> None:
    """Keep the evidence of what was agreed to or taken back."""
    told = {"event": event.value, "channel": channel.value, "detail": detail, "happened_at": now}
    if rows := [told | {"subscriber_id": number} for number in subscriber_ids]:
        session.execute(insert(_events), rows)


def consent_of(
    session: Session, subscriber_id: SubscriberId
) -> list[tuple[datetime, ConsentEvent, Channel]]:
    """A subscriber's evidence, oldest first."""
    query = select(_events).where(_events.c.subscriber_id == subscriber_id).order_by(_events.c.id)
    return [
        (row["happened_at"], ConsentEvent(row["event"]), Channel(row["channel"]))
        for row in session.execute(query).mappings()
    ]


def _one(session: Session, which: ColumnElement[bool], *, lock: bool) -> Subscriber | None:
    query = select(*READ).where(which)
    found = _with_interests(session, query.with_for_update() if lock else query)
    return found[0] if found else None


def _many(
    session: Session,
    keys: Iterable[_K],
    asked: Select[Any],
    key_of: Callable[[Subscriber], _K],
    *,
    lock: bool = False,
) -> dict[_K, Subscriber]:
    found: list[Subscriber] = []
    for chunk in chunks(keys, CHUNK):
        query = asked.with_for_update() if lock else asked
        found += _with_interests(session, query, {"keys": chunk})
    return {key_of(one): one for one in found}


def _with_interests(
    session: Session, query: Select[Any], values: Mapping[str, object] | None = None
) -> list[Subscriber]:
    """Run the query for rows of `READ`, and one more for all their interests."""
    rows = session.execute(query, values).all()
    held: dict[SubscriberId, tuple[Interest, ...]] = {}
    for chunk in chunks(rows, CHUNK * 5):
        held |= interests_of(session, [row[0] for row in chunk])
    return [subscriber_of(row, held.get(row[0], ())) for row in rows]


def subscriber_of(row: Sequence[Any], interests: tuple[Interest, ...]) -> Subscriber:
    """The subscriber of a row of the columns READ."""
    number, email, status, next_digest_at, resume_at, *chosen = row
    return Subscriber(
        id=SubscriberId(number),
        email=email,
        status=_STATUSES[status],
        interests=interests,
        preferences=_preferences(*chosen),
        next_digest_at=next_digest_at,
        resume_at=resume_at,
    )


def _preferences(name: str, *chosen: Any) -> Preferences:
    """With the schedule in UTC where this host's data has no such zone: one row that another host
    wrote must not stop the rest.
    """
    try:
        zone(name)
    except InvalidInput:
        return _chosen("UTC", name, *chosen)
    return _chosen(name, "", *chosen)


@lru_cache(maxsize=4_096)  # many subscribers have the same
def _chosen(name: str, unknown: str, *columns: Any) -> Preferences:
    hour, frequency, weekday, empty_day, max_papers, threshold, min_matches, text_only = columns
    return Preferences(
        schedule=Schedule(
            timezone=name,
            hour=hour,
            frequency=Frequency(frequency),
            weekday=weekday,
            unknown=unknown,
        ),
        max_papers=max_papers,
        threshold=threshold,
        empty_day=EmptyDay(empty_day),
        min_matches=min_matches,
        text_only=bool(text_only),
    )


def _row_of(new: NewSubscriber, now: datetime) -> dict[str, Any]:
    keys = {"email": new.email, "email_key": address_key(new.email)}
    return _columns(new) | keys | {"created_at": now, "updated_at": now}


def _columns(one: Subscriber | NewSubscriber) -> dict[str, Any]:
    wanted = one.preferences
    return {
        "status": one.status.value,
        "timezone": wanted.schedule.zone_name,
        "hour": wanted.schedule.hour,
        "frequency": wanted.schedule.frequency.value,
        "weekday": wanted.schedule.weekday,
        "max_papers": wanted.max_papers,
        "threshold": wanted.threshold,
        "empty_day": wanted.empty_day.value,
        "min_matches": wanted.min_matches,
        "text_only": wanted.text_only,
        "next_digest_at": one.next_digest_at,
        "resume_at": one.resume_at if one.status is Status.PAUSED else None,
    }
