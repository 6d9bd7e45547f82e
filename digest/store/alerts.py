"""Alarms that stand, for all hosts: seen again and again, told by one of them, once."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.domain.alerts import REMIND_AFTER, Alarm, News, Standing
from digest.store.tables import AlertRow, table

_alerts = table(AlertRow)


def standing(session: Session) -> list[Standing]:
    """Every alarm that is not done with, by its key."""
    rows = session.execute(select(_alerts).order_by(_alerts.c.key)).mappings()
    return [
        Standing(
            key=row["key"],
            text=row["text"],
            began_at=row["began_at"],
            seen_at=row["seen_at"],
            told_at=row["told_at"],
        )
        for row in rows
    ]


def see(session: Session, raised: Sequence[Alarm], now: datetime) -> None:
    """Write down that these alarms stand now, in the order of their keys, so that two hosts that
    do so at once wait for each other and not in a circle.
    """
    dialect = session.get_bind().dialect.name
    made = (postgresql if dialect == "postgresql" else sqlite).insert(_alerts)
    for one in sorted(raised, key=lambda alarm: alarm.key):
        row = made.values(key=one.key, text=one.text, began_at=now, seen_at=now)
        values = {"text": one.text, "seen_at": now}
        session.execute(row.on_conflict_do_update(index_elements=["key"], set_=values))


def take(session: Session, owner: str, told: News, now: datetime, until: datetime) -> set[str]:
    """Lease to `owner`, until then, what is to be told and nobody else tells or has told; the keys
    that are.
    """
    alive = [alarm.key for alarm in (*told.begun, *told.again)]
    over = [one.key for one in told.over]
    untold = or_(_alerts.c.told_at.is_(None), _alerts.c.told_at <= now - REMIND_AFTER)
    unseen = [and_(_alerts.c.key == one.key, _alerts.c.seen_at == one.seen_at) for one in told.over]
    wanted: list[ColumnElement[bool]] = []
    if alive:
        wanted.append(and_(_alerts.c.key.in_(alive), untold))
    if over:
        wanted.append(or_(*unseen))
    if not wanted:
        return set()
    free = or_(_alerts.c.lease_until.is_(None), _alerts.c.lease_until <= now)
    leased = update(_alerts).where(free, or_(*wanted)).values(owner=owner, lease_until=until)
    return set(session.scalars(leased.returning(_alerts.c.key)))


def done(session: Session, owner: str, told: News, now: datetime) -> None:
    """What `owner` leased was told: remember when, and forget what is over."""
    mine = _alerts.c.owner == owner
    over = [one.key for one in told.over]
    session.execute(delete(_alerts).where(mine, _alerts.c.key.in_(over)))
    alive = [alarm.key for alarm in (*told.begun, *told.again)]
    written = update(_alerts).where(mine, _alerts.c.key.in_(alive))
    session.execute(written.values(told_at=now, owner=None, lease_until=None))


def drop(session: Session, keys: Sequence[str], seen_until: datetime) -> None:
    """Forget alarms that nobody is to hear of, unless they were seen again since."""
    session.execute(
        delete(_alerts).where(_alerts.c.key.in_(list(keys)), _alerts.c.seen_at <= seen_until)
    )
