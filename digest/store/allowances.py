"""What may begin now under the limits, and who holds which connection: the store decides for all.

Every scope that a message counts against is one locked row; scopes are locked in the order of their
names, so that no two senders wait for each other in a circle. Nothing here is asked of the store
where nothing is limited. Clocks of hosts may differ: instants never go back, and one that lies
hours ahead is a clock's fault (`domain.limits.AHEAD_MOST`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, NamedTuple

from sqlalchemy import (
    Executable,
    Select,
    and_,
    bindparam,
    delete,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.domain.limits import (
    AHEAD_MOST,
    ASKED_MOST,
    STARTS_WITHIN,
    Limits,
    Meter,
    Rate,
    Scope,
    admitted,
    hour_before,
    minute_of,
)
from digest.store.tables import PaceRow, SeatRow, SpendingRow, table

DAY_MINUTES = 24 * 60  # counts are kept for longer than they matter, lest a fast clock delete them


class _Statements(NamedTuple):
    hold: Executable
    spend: Executable
    seat: Executable


_paces = table(PaceRow)
_spendings = table(SpendingRow)
_seats = table(SeatRow)


def take(
    session: Session, wanted: Sequence[str], limits: Limits, now: datetime
) -> list[datetime | None]:
    """Of messages about to begin in this transaction, by their recipients' addresses or domains in
    order: None for one that may begin now, which is counted, sent or not; else the earliest instant
    at which to ask again.

    Per second, any two begin at least 1/rate apart; per hour, at most N begin in 3,600 s. Senders
    of one scope wait for each other from here to the commit, so call it last.
    """
    needs = [limits.scopes(one) for one in wanted] if limits else []
    rates = {scope: rate for need in needs for scope, rate in need}
    if not rates:
        return [None] * len(wanted)
    meters = _meters(session, rates, now)
    answers = admitted([[meters[scope] for scope, _ in need] for need in needs], now)
    _write(session, meters, now)
    return answers


def put_off(
    session: Session,
    wanted: Sequence[str],
    limits: Limits,
    now: datetime,
    not_before: Sequence[datetime] = (),
) -> list[datetime]:
    """When to try messages again that are given back to the queue, in order: behind all those of
    their scopes that were given back before, as fast as the limits let them through.

    Nothing is promised or counted by it: it spreads out a crowd, so that a limited domain's
    messages are not claimed again and again in front of everybody else's. At most 4 h ahead, and
    none before its own instant of `not_before`, where `take` named one.
    """
    needs = [limits.scopes(one) for one in wanted]
    shares = _shares(session, {scope: rate for need in needs for scope, rate in need}, now)
    rates = {Scope(f"line/{scope}"): rate for need in needs for scope, rate in need}
    line = {scope: min(at, now + ASKED_MOST) for scope, at in _hold(session, rates, now).items()}
    instants = []
    for need, earliest in zip(needs, not_before or [now] * len(needs), strict=True):
        own = [Scope(f"line/{scope}") for scope, _ in need]
        for scope in own:
            line[scope] = min(max(line[scope], now) + shares[scope], now + ASKED_MOST)
        instants.append(max((line[scope] for scope in own), default=now))
        instants[-1] = max(instants[-1], min(earliest, now + ASKED_MOST))
    _move(session, line)
    return instants


def sweep(session: Session, now: datetime) -> int:
    """Delete what has not counted for a day, such as domains nobody was mailed at; how many rows.

    Rows that another sender holds are left.
    """
    day_ago = now - timedelta(minutes=DAY_MINUTES)
    idle = select(_paces.c.scope).where(
        or_(_paces.c.scope.startswith("domain/"), _paces.c.scope.startswith("line/")),
        _paces.c.free_at < day_ago,
    )
    held = idle.with_for_update(skip_locked=True)
    gone = session.scalars(
        delete(_paces).where(_paces.c.scope.in_(held)).returning(_paces.c.scope)
    ).all()
    key = tuple_(_spendings.c.scope, _spendings.c.minute)
    old = select(_spendings.c.scope, _spendings.c.minute).where(
        _spendings.c.minute < minute_of(day_ago)
    )
    free = delete(_spendings).where(key.in_(old.with_for_update(skip_locked=True)))
    counts = session.scalars(free.returning(_spendings.c.minute)).all()
    return len(gone) + len(counts)


def sit(
    session: Session,
    scope: str,
    owner: str,
    now: datetime,
    *,
    most: int,
    wanted: int,
    lease: timedelta,
) -> int:
    """How many connections `owner` may have open, at most `wanted`, where all owners together may
    have `most` (0: any number): those it holds, and further ones out of free and expired seats.
    """
    if not most:
        return wanted
    hold(session, seats_scope(scope), now)
    farthest = now + max(4 * lease, AHEAD_MOST)  # a lease that ends later is a clock's fault
    asked = {"of": scope, "now": now, "farthest": farthest}
    taken = {row.number: row.owner for row in session.execute(_TAKEN, asked).all() if row.taken}
    mine = list(taken.values()).count(owner)
    room = max(0, min(wanted - mine, most - len(taken)))
    free = [number for number in range(1, most + 1) if number not in taken][:room]
    if free:
        seating = [
            {"scope": scope, "number": n, "owner": owner, "lease_until": now + lease} for n in free
        ]
        session.connection().execute(_of(session).seat, seating)
    return min(mine + len(free), wanted)


def keep_seats(session: Session, owner: str, now: datetime, lease: timedelta) -> int:
    """Renew the seats of `owner`, also those that ran out and nobody took; how many it holds.

    Fewer than before means that somebody else has them: close as many connections. Who sits down
    in the same transaction holds `seats_scope` first, as `sit` does before it looks at any seat:
    else two who renew wait for each other's seats.
    """
    held = session.execute(_OWNED, {"of": owner}).all()
    if held:
        session.execute(_KEPT, {"of": owner, "until": now + lease})
    return len(held)


def seats_scope(scope: str) -> str:
    """What is held by whoever looks for a free seat."""
    return f"seats/{scope}"


def leave(session: Session, owner: str) -> None:
    """Free the seats of `owner`."""
    if session.execute(_OWNED, {"of": owner}).all():
        session.execute(_LEFT, {"of": owner})


def hold(session: Session, scope: str, now: datetime) -> datetime:
    """Lock one scope's row until the commit, made where it was missing; when it is free."""
    return _hold(session, [Scope(scope)], now)[Scope(scope)]


def _shares(session: Session, rates: Mapping[Scope, Rate], now: datetime) -> dict[Scope, timedelta]:
    """The time that one message takes of each scope's line: by the second as long as the hour's
    messages are not used up, then in the long run.
    """
    counted = _counted(session, rates, now)
    shares = {}
    for scope, rate in rates.items():
        used_up = bool(rate.per_hour) and sum(counted[scope].values()) >= rate.per_hour
        hourly = timedelta(hours=1) / rate.per_hour if used_up else timedelta(0)
        shares[Scope(f"line/{scope}")] = max(rate.spacing, hourly)
    return shares


def _meters(session: Session, rates: Mapping[Scope, Rate], now: datetime) -> dict[Scope, Meter]:
    free_at = _hold(session, rates, now)
    counted = _counted(session, rates, now)
    return {
        scope: Meter(rate=rate, free_at=free_at[scope], minutes=counted[scope])
        for scope, rate in rates.items()
    }


def _counted(
    session: Session, rates: Mapping[Scope, Rate], now: datetime
) -> dict[Scope, dict[int, int]]:
    """What began within the hour, by scope and minute."""
    minutes: dict[Scope, dict[int, int]] = {scope: {} for scope in rates}
    if hourly := [scope for scope, rate in rates.items() if rate.per_hour]:
        first, last = hour_before(now)
        window = {"scopes": hourly, "first": first, "last": last}
        for scope, minute, used in session.connection().execute(_COUNTED, window):
            minutes[Scope(scope)][minute] = used
    return minutes


def _write(session: Session, meters: Mapping[Scope, Meter], now: datetime) -> None:
    used = {scope: meter for scope, meter in sorted(meters.items()) if meter.taken}
    _move(session, {scope: meter.free_at for scope, meter in used.items() if meter.rate.per_second})
    minute = minute_of(now + STARTS_WITHIN)
    hourly = {scope: meter for scope, meter in used.items() if meter.rate.per_hour}
    if not hourly:
        return
    counts = [
        {"scope": scope, "minute": minute, "used": meter.taken} for scope, meter in hourly.items()
    ]
    session.connection().execute(_of(session).spend, counts)
    if opened := [scope for scope, meter in hourly.items() if minute not in meter.minutes]:
        session.connection().execute(_FORGET, {"scopes": opened, "old": minute - DAY_MINUTES})


def _hold(session: Session, scopes: Iterable[Scope], now: datetime) -> dict[Scope, datetime]:
    """Lock the rows of scopes in the order of their names, and say when each is free.

    One upsert that changes nothing locks rows that are there and rows that are not in one order;
    a SELECT … FOR UPDATE first and an INSERT of what is missing would not.
    """
    rows = [{"scope": scope, "free_at": now, "strikes": 0} for scope in sorted(scopes)]
    if not rows:
        return {}
    found = session.connection().execute(_of(session).hold, rows)
    return {Scope(scope): free_at for scope, free_at in found}


def _move(session: Session, free_at: Mapping[Scope, datetime]) -> None:
    rows = [{"of": scope, "at": at} for scope, at in sorted(free_at.items())]
    if rows:
        session.connection().execute(_MOVED, rows)


_COUNTED = select(_spendings.c.scope, _spendings.c.minute, _spendings.c.used).where(
    _spendings.c.scope.in_(bindparam("scopes", expanding=True)),
    _spendings.c.minute.between(bindparam("first"), bindparam("last")),
)
_FORGET = delete(_spendings).where(
    _spendings.c.scope.in_(bindparam("scopes", expanding=True)),
    _spendings.c.minute < bindparam("old"),
)


def _in_order(query: Select[Any]) -> Select[Any]:
    """Lock seats in one order, so that no two wait for each other in a circle."""
    return query.order_by(_seats.c.scope, _seats.c.number).with_for_update()


_OURS = _seats.c.owner == bindparam("of")
_OWNED = _in_order(select(_seats.c.number).where(_OURS))
_KEPT = update(_seats).where(_OURS).values(lease_until=bindparam("until"))
_LEFT = delete(_seats).where(_OURS)
_SAT_ON = and_(
    _seats.c.owner.is_not(None),
    _seats.c.lease_until > bindparam("now"),
    _seats.c.lease_until <= bindparam("farthest"),
)
_TAKEN = _in_order(
    select(_seats.c.number, _seats.c.owner, _SAT_ON.label("taken")).where(
        _seats.c.scope == bindparam("of")
    )
)
_MOVED = update(_paces).where(_paces.c.scope == bindparam("of")).values(free_at=bindparam("at"))


def _statements(dialect: ModuleType) -> _Statements:
    paces = dialect.insert(_paces)
    same = {"strikes": _paces.c.strikes}
    counts = dialect.insert(_spendings)
    more = {"used": _spendings.c.used + counts.excluded.used}
    seats = dialect.insert(_seats)
    over = {"owner": seats.excluded.owner, "lease_until": seats.excluded.lease_until}
    return _Statements(
        hold=paces.on_conflict_do_update(index_elements=["scope"], set_=same).returning(
            _paces.c.scope, _paces.c.free_at
        ),
        spend=counts.on_conflict_do_update(index_elements=["scope", "minute"], set_=more),
        seat=seats.on_conflict_do_update(index_elements=["scope", "number"], set_=over),
    )


# Built once: building such a statement takes longer than the store takes to run it.
_BUILT = {"postgresql": _statements(postgresql), "sqlite": _statements(sqlite)}


def _of(session: Session) -> _Statements:
    return _BUILT[session.get_bind().dialect.name]
