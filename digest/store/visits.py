"""How often networks ask for something, counted in the store so that it holds for all processes."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import Executable, bindparam, delete, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.errors import TooMany
from digest.store.prepared import POSTGRESQL, prepared
from digest.store.tables import VisitRow, table

HOUR_S = 3_600
KEPT = timedelta(hours=2)  # for longer than they matter, lest a fast clock delete them

_visits = table(VisitRow)
_EVERYBODY = "all"
_STALE = select(_visits.c.scope).where(_visits.c.opens_at < bindparam("oldest")).limit(1)


@prepared
def _counted(dialect: str) -> Executable:
    made = (postgresql if dialect == POSTGRESQL else sqlite).insert(_visits)
    statement: Executable = made.on_conflict_do_update(
        index_elements=[_visits.c.scope, _visits.c.opens_at],
        set_={"used": _visits.c.used + literal_column("1")},
    ).returning(_visits.c.used)
    return statement


@dataclass(frozen=True, kw_only=True, slots=True)
class VisitLimits:
    """How much may be asked for within a clock hour; 0 is no limit."""

    per_network_per_hour: int = 0
    per_hour: int = 0


def visit(session: Session, network: str, limits: VisitLimits, now: datetime) -> None:
    """Count one visit from that network. Raises TooMany where that is over a limit; counted is then
    nothing, as the transaction is undone.

    A network that is not known, and this machine's own, count for all together alone.
    """
    allowed = {}
    if limits.per_hour:
        allowed[_EVERYBODY] = limits.per_hour
    if limits.per_network_per_hour and _is_foreign(network):
        allowed[f"network {network}"] = limits.per_network_per_hour
    if not allowed:
        return
    second = int(now.timestamp())
    opens_at = second - second % HOUR_S
    # in one order everywhere, so that no two wait for each other in a circle
    for scope in sorted(allowed):
        counted = _counted(session).rows(session, {"scope": scope, "opens_at": opens_at, "used": 1})
        if counted[0].used > allowed[scope]:
            raise TooMany(opens_at + HOUR_S - second)


def has_stale(session: Session, now: datetime) -> bool:
    """Whether there is something to prune."""
    return session.execute(_STALE, {"oldest": _oldest(now)}).first() is not None


def prune(session: Session, now: datetime) -> None:
    """Forget what was counted in windows that have long closed."""
    session.execute(delete(_visits).where(_visits.c.opens_at < _oldest(now)))


def _oldest(now: datetime) -> int:
    return int((now - KEPT).timestamp())


@lru_cache(maxsize=1024)
def _is_foreign(network: str) -> bool:
    """Whether the network is one of the outside; an empty one is unknown, as on a Unix socket."""
    if not network:
        return False
    try:
        return not ipaddress.ip_network(network, strict=False).is_loopback
    except ValueError:
        return True
