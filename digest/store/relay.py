"""What all processes together know of the relay: whether it works, and until when it rests.

It lies in the table of paces: `relay` (until when it rests, and how many rests there were in a
row), `relay/blamed` and `relay/refused` (what was held against it in a row), `relay/taken` (when it
last took mail). Whoever changes any of them holds the row `relay`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlmodel import Session

from digest.domain.breaker import News, RelayState, pause_length
from digest.store import allowances
from digest.store.tables import PaceRow, SeatRow, table

RELAY, BLAMED, REFUSED, TAKEN = "relay", "relay/blamed", "relay/refused", "relay/taken"
PROBE = "probe"
STRIKES_MOST = 1_000_000

_paces = table(PaceRow)
_seats = table(SeatRow)
_KNOWN = select(_paces.c.scope, _paces.c.free_at, _paces.c.strikes).where(
    _paces.c.scope.in_((RELAY, BLAMED, REFUSED, TAKEN))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Approach:
    """How the relay may be used now: freely; with one message first, where `probe`; or not before
    `paused_until`, where that is set.
    """

    state: RelayState
    paused_until: datetime | None = None
    probe: bool = False


def relay_state(session: Session) -> RelayState:
    """What is known of the relay; one read, which locks nothing."""
    rows = {row.scope: row for row in session.execute(_KNOWN)}
    strikes = {scope: row.strikes for scope, row in rows.items()}
    return RelayState(
        paused_until=rows[RELAY].free_at if RELAY in rows else None,
        strikes=strikes.get(RELAY, 0),
        blamed=strikes.get(BLAMED, 0),
        refused=strikes.get(REFUSED, 0),
        taken_at=rows[TAKEN].free_at if TAKEN in rows else None,
    )


def approach(
    session: Session, owner: str, now: datetime, lease: timedelta, *, insist: bool = False
) -> Approach:
    """Ask before claiming whether the relay may be used.

    After a pause one owner at a time may probe with one message; the others wait as long as its
    lease, which `allowances.keep_seats` renews. `insist`, as a person at the command line does,
    probes within a pause too.
    """
    state = relay_state(session)
    if not state.strikes:
        return Approach(state=state)
    allowances.hold(session, RELAY, now)
    state = relay_state(session)
    if not state.strikes:
        return Approach(state=state)
    if (until := state.pause(now)) and not insist:
        return Approach(state=state, paused_until=until)
    seat = allowances.sit(session, PROBE, owner, now, most=1, wanted=1, lease=lease)
    if not seat:
        return Approach(state=state, paused_until=_probed_until(session) or now + lease)
    return Approach(state=state, probe=True)


def settle(session: Session, news: News, now: datetime, jitter: float = 0.0) -> RelayState:
    """Write what a process has heard, and give what is known then.

    Mail that was taken lifts a pause for everybody. An opened breaker begins one, each longer than
    the one before; where one stands already, as by another process, it stays as it is.
    """
    allowances.hold(session, RELAY, now)
    if news.taken:
        _forgive(session, now)
    _add(session, {BLAMED: news.blamed, REFUSED: news.refused}, now)
    if news.opened:
        _rest(session, now, jitter, lost=news.lost)
    return relay_state(session)


def _forgive(session: Session, now: datetime) -> None:
    mine = update(_paces).where(_paces.c.scope == RELAY)
    session.execute(mine.values(strikes=0, free_at=now))
    session.execute(delete(_paces).where(_paces.c.scope.in_((BLAMED, REFUSED))))
    allowances.hold(session, TAKEN, now)
    session.execute(update(_paces).where(_paces.c.scope == TAKEN).values(free_at=now))
    _end_probe(session)


def _add(session: Session, counts: Mapping[str, int], now: datetime) -> None:
    for scope, count in counts.items():
        if count:
            allowances.hold(session, scope, now)
            most = STRIKES_MOST - count
            counted = update(_paces).where(_paces.c.scope == scope, _paces.c.strikes < most)
            session.execute(counted.values(strikes=_paces.c.strikes + count))


def _rest(session: Session, now: datetime, jitter: float, *, lost: bool) -> None:
    state = relay_state(session)
    _end_probe(session)
    if state.pause(now):
        return
    until = now + pause_length(state.strikes, jitter, lost=lost)
    mine = update(_paces).where(_paces.c.scope == RELAY)
    session.execute(mine.values(free_at=until, strikes=min(state.strikes, STRIKES_MOST) + 1))


def _probed_until(session: Session) -> datetime | None:
    return session.scalars(select(_seats.c.lease_until).where(_seats.c.scope == PROBE)).first()


def _end_probe(session: Session) -> None:
    session.execute(delete(_seats).where(_seats.c.scope == PROBE))
