"""Who is due: asked at every tick, read in chunks, held for their digests, and dated anew."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Integer,
    Row,
    Select,
    Update,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlmodel import Session

from digest.domain.subscribers import Subscriber, SubscriberId
from digest.store.interests import interests_of
from digest.store.prepared import among, prepared
from digest.store.subscribers import READ, subscriber_of
from digest.store.tables import SubscriberRow, table

CHUNK = 1_000

_subscribers = table(SubscriberRow)
_INSTANT = _subscribers.c.next_digest_at.type
# In the very words of the partial index ix_subscribers_due, or SQLite does not take it.
_ACTIVE = text("status = 'active'")
_DUE = select(_subscribers.c.id).where(_ACTIVE, _subscribers.c.next_digest_at <= bindparam("now"))
_ANYONE_DUE = _DUE.limit(1)
_COUNTED = select(func.count()).select_from(_DUE.limit(bindparam("most")).subquery())
_MARKED = [*READ, _subscribers.c.updated_at]

Mark = Row[Any]
"""A subscriber's row as the driver gave it, which differs after every change of it or of the
interests."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A subscriber who is due, as they were when the `mark` was read."""

    subscriber: Subscriber
    mark: Mark


def anyone_due(session: Session, now: datetime) -> bool:
    """Whether any active subscriber is due at `now`."""
    return session.execute(_ANYONE_DUE, {"now": now}).first() is not None


def count_due(session: Session, now: datetime, most: int) -> int:
    """How many are due at `now`, counted up to `most`."""
    return int(session.execute(_COUNTED, {"now": now, "most": most}).scalar_one())


def due(
    session: Session, now: datetime, *, after_id: SubscriberId | int = 0, limit: int = CHUNK
) -> list[Due]:
    """The next chunk of active subscribers who are due at `now`, with ids above `after_id`, in
    order of id.

    Two statements, however many they are.
    """
    ask = _next_due if after_id else _first_due
    rows = ask(session).rows(session, {"now": now, "after": int(after_id), "most": limit})
    held = interests_of(session, [row[0] for row in rows])
    instant = _reader(session.get_bind().dialect)
    return [
        Due(
            subscriber=subscriber_of(
                (*row[:3], instant(row[3]), instant(row[4]), *row[5:-1]),
                held.get(row[0], ()),
            ),
            mark=row,
        )
        for row in rows
    ]


def unchanged(session: Session, marks: Mapping[SubscriberId, Mark]) -> set[SubscriberId]:
    """Those who still are as their mark says, now held until the commit; those whom another
    transaction holds are left out.
    """
    rows = _marks(session).rows(session, {"ids": list(marks)})
    return {SubscriberId(row[0]) for row in rows if marks[SubscriberId(row[0])] == row}


def set_next(session: Session, instants: Iterable[tuple[SubscriberId, datetime]]) -> None:
    """Write the next instants of subscribers who are still active; the others keep none."""
    together: dict[datetime, list[int]] = defaultdict(list)
    for number, instant in instants:
        together[instant].append(number)
    for instant, numbers in together.items():
        _dated(session).run(session, {"instant": instant, "ids": numbers})


@prepared
def _first_due(_dialect: str) -> Select[Any]:
    return _due_by(_subscribers.c.next_digest_at)


@prepared
def _next_due(_dialect: str) -> Select[Any]:
    """A full chunk came before, so many are due: walking the ids once is cheaper than sorting all
    who are due for every chunk, and an expression keeps SQLite off their index.
    """
    instant = _subscribers.c.next_digest_at
    return _due_by(func.coalesce(instant, bindparam("never", None, type_=_INSTANT)))


def _due_by(instant: ColumnElement[Any]) -> Select[Any]:
    query = select(*_MARKED).where(
        _ACTIVE,
        instant <= bindparam("now", type_=_INSTANT),
        _subscribers.c.id > bindparam("after", type_=Integer),
    )
    return query.order_by(_subscribers.c.id).limit(bindparam("most", type_=Integer))


@prepared
def _marks(dialect: str) -> Select[Any]:
    query = select(*_MARKED).where(among(dialect, _subscribers.c.id, "ids"))
    return query.order_by(_subscribers.c.id).with_for_update(skip_locked=True)


@prepared
def _dated(dialect: str) -> Update:
    active = update(_subscribers).where(among(dialect, _subscribers.c.id, "ids"), _ACTIVE)
    return active.values(next_digest_at=bindparam("instant", type_=_INSTANT))


@lru_cache(maxsize=8)
def _reader(dialect: Dialect) -> Callable[[Any], datetime | None]:
    """Makes an instant of what the driver gives; many subscribers have the same."""
    process = _INSTANT.dialect_impl(dialect).result_processor(dialect, None)
    return lru_cache(maxsize=4_096)(process or (lambda value: value))
