"""Subscribers' interests as rows: each distinct one once, so that it is scored once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, delete, exists, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.domain.interests import Interest, InterestKind
from digest.domain.subscribers import SubscriberId
from digest.store.papers import chunks
from digest.store.prepared import among, prepared
from digest.store.tables import InterestRow, SubscriberInterestRow, table

CHUNK = 2_000  # two parameters each; SQLite takes 32,766

_interests = table(InterestRow)
_held = table(SubscriberInterestRow)

_Key = tuple[str, str]


def interests_of(
    session: Session, subscribers: Sequence[int]
) -> dict[SubscriberId, tuple[Interest, ...]]:
    """The interests of these subscribers in their own order; who has none is left out."""
    found: dict[SubscriberId, list[Interest]] = defaultdict(list)
    rows = _of_owners(session).rows(session, {"owners": list(subscribers)})
    for owner, kind, text, weight, excluded in rows:
        found[owner].append(_interest(kind, text, weight, excluded))
    return {owner: tuple(items) for owner, items in found.items()}


@prepared
def _of_owners(dialect: str) -> Select[Any]:
    said = (_interests.c.kind, _held.c.text, _held.c.weight, _held.c.excluded)
    query = select(_held.c.subscriber_id, *said).join_from(
        _held, _interests, _held.c.interest_id == _interests.c.id
    )
    mine = query.where(among(dialect, _held.c.subscriber_id, "owners"))
    return mine.order_by(_held.c.subscriber_id, _held.c.position)


@lru_cache(maxsize=16_384)  # many subscribers have the same
def _interest(kind: str, text: str, weight: float, excluded: bool) -> Interest:
    return Interest(kind=InterestKind(kind), text=text, weight=weight, excluded=bool(excluded))


def replace_interests(session: Session, wanted: Mapping[SubscriberId, Sequence[Interest]]) -> None:
    """Give the subscribers exactly these interests."""
    for owners in chunks(wanted, CHUNK):
        session.execute(delete(_held).where(_held.c.subscriber_id.in_(owners)))
    ids = _ids(session, {(i.kind.value, i.key) for items in wanted.values() for i in items})
    rows = [
        {
            "subscriber_id": owner,
            "position": position,
            "interest_id": ids[item.kind.value, item.key],
            "text": item.text,
            "weight": item.weight,
            "excluded": item.excluded,
        }
        for owner, items in wanted.items()
        for position, item in enumerate(items)
    ]
    if rows:
        session.execute(insert(_held), rows)


def forget_interests(session: Session, subscriber: SubscriberId) -> None:
    """Remove a subscriber's interests, and those of them that nobody else has."""
    mine = session.scalars(
        select(_held.c.interest_id).where(_held.c.subscriber_id == subscriber)
    ).all()
    session.execute(delete(_held).where(_held.c.subscriber_id == subscriber))
    used = exists().where(_held.c.interest_id == _interests.c.id)
    session.execute(delete(_interests).where(_interests.c.id.in_(mine), ~used))


def _ids(session: Session, keys: Iterable[_Key]) -> dict[_Key, int]:
    """The ids of the distinct interests, which are made where they are new."""
    found: dict[_Key, int] = {}
    # in one order everywhere: two writers that insert the same rows cannot lock each other out
    for chunk in chunks(sorted(keys), CHUNK):
        known = _known(session, chunk)
        fresh = [{"kind": kind, "key": key} for kind, key in chunk if (kind, key) not in known]
        if fresh:
            dialect = session.get_bind().dialect.name
            made = (postgresql if dialect == "postgresql" else sqlite).insert(_interests)
            session.execute(made.on_conflict_do_nothing(), fresh)
            known = _known(session, chunk)
        found |= known
    return found


def _known(session: Session, keys: Sequence[_Key]) -> dict[_Key, int]:
    pair = tuple_(_interests.c.kind, _interests.c.key)
    query = select(_interests.c.kind, _interests.c.key, _interests.c.id).where(pair.in_(keys))
    return {(kind, key): number for kind, key, number in session.execute(query)}
