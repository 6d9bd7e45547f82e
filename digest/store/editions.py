"""Editions: the instants at which the pool of candidates was looked at."""

from datetime import datetime, timedelta

from sqlalchemy import RowMapping, bindparam, insert, select
from sqlmodel import Session

from digest.domain.editions import Edition, EditionId
from digest.errors import NotFound
from digest.store.tables import EditionRow, table

FRESH = timedelta(hours=1)
# a batch is dated when its merge begins, and is seen when it commits
SETTLING = timedelta(minutes=2)

_editions = table(EditionRow)
_BY_ID = select(_editions).where(_editions.c.id == bindparam("number"))
_LATEST = (
    select(_editions)
    .where(_editions.c.cutoff_at <= bindparam("now"), _editions.c.cutoff_at > bindparam("oldest"))
    .where(_editions.c.lookback_days == bindparam("days"))
    .order_by(_editions.c.cutoff_at.desc(), _editions.c.id.desc())
    .limit(1)
)
_ADDED = insert(_editions).returning(_editions.c.id)


def edition_for(
    session: Session, now: datetime, lookback_days: int, last_change: datetime | None
) -> Edition:
    """The edition to compose from at `now`: the latest, if it is younger than an hour and nothing
    has changed in the store since two minutes before its cut-off, else a new one that is cut off
    at `now`.

    `last_change` is when papers or signals changed last, None for never. Editions from after `now`
    (a clock that was set back, `--now`) and of another `lookback_days` do not count.
    """
    asked = {"now": now, "oldest": now - FRESH, "days": lookback_days}
    latest = session.execute(_LATEST, asked).mappings().first()
    if latest and (last_change is None or last_change + SETTLING <= latest["cutoff_at"]):
        return _edition(latest)
    row = {"cutoff_at": now, "lookback_days": lookback_days}
    number = session.scalars(_ADDED, row).one()
    return Edition(id=EditionId(number), cutoff_at=now, lookback_days=lookback_days)


def by_id(session: Session, edition_id: EditionId) -> Edition:
    """The edition of that id. Raises NotFound."""
    row = session.execute(_BY_ID, {"number": edition_id}).mappings().first()
    if row is None:
        raise NotFound(f"no edition has the id {edition_id}")
    return _edition(row)


def _edition(row: RowMapping) -> Edition:
    return Edition(
        id=EditionId(row["id"]), cutoff_at=row["cutoff_at"], lookback_days=row["lookback_days"]
    )
