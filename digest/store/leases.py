"""Leases on what only one process at a time may do, whichever host it runs on.

They lie in the table of seats, as a scope with one seat.
"""

from datetime import datetime, timedelta

from sqlmodel import Session

from digest.store import allowances


def take(session: Session, what: str, owner: str, now: datetime, lease: timedelta) -> bool:
    """Whether `owner` has `what` to itself from now on, until it leaves or the lease runs out.

    Asked again by the owner it renews the lease.
    """
    taken = allowances.sit(session, what, owner, now, most=1, wanted=1, lease=lease)
    if taken:
        allowances.keep_seats(session, owner, now, lease)
    return bool(taken)


def leave(session: Session, owner: str) -> None:
    """Give it back at once."""
    allowances.leave(session, owner)
