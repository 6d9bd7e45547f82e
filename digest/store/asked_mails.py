"""Mails that somebody asked for by typing an address into a form: one a day for each address.

Whoever types it in, and whatever they ask for; known is the address by its keyed hash alone.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Executable, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.store.prepared import POSTGRESQL, prepared
from digest.store.tables import AskedMailRow, table

DAY = timedelta(hours=24)
KEPT = 2 * DAY  # for longer than it matters, lest a fast clock delete it

_asked = table(AskedMailRow)
_STALE = select(_asked.c.address_hash).where(_asked.c.asked_at < bindparam("oldest")).limit(1)


@prepared
def _granted(dialect: str) -> Executable:
    made = (postgresql if dialect == POSTGRESQL else sqlite).insert(_asked)
    statement: Executable = made.on_conflict_do_update(
        index_elements=[_asked.c.address_hash],
        set_={"asked_at": made.excluded.asked_at},
        where=_asked.c.asked_at <= bindparam("before", type_=_asked.c.asked_at.type),
    ).returning(_asked.c.address_hash)
    return statement


def grant(session: Session, hashes: Iterable[str], now: datetime) -> set[str]:
    """Those of the addresses to which a mail may go now, and from now on for 24 h none.

    Of two transactions that ask for the same address one waits, and gets nothing.
    """
    granted: set[str] = set()
    # in one order everywhere, so that no two wait for each other in a circle
    for one in sorted(set(hashes)):
        values = {"address_hash": one, "asked_at": now, "before": now - DAY}
        granted.update(row.address_hash for row in _granted(session).rows(session, values))
    return granted


def may_ask(session: Session, address_hash: str, now: datetime) -> bool:
    """Whether one address may get such a mail now; if so, it is noted that it does."""
    return bool(grant(session, [address_hash], now))


def forget(session: Session, address_hash: str) -> None:
    """Forget that the address ever got one."""
    session.execute(delete(_asked).where(_asked.c.address_hash == address_hash))


def has_stale(session: Session, now: datetime) -> bool:
    """Whether there is something to prune."""
    return session.execute(_STALE, {"oldest": now - KEPT}).first() is not None


def prune(session: Session, now: datetime) -> None:
    """Forget what holds nobody back any more."""
    session.execute(delete(_asked).where(_asked.c.asked_at < now - KEPT))
