"""Restraint: the limits that all senders on one store keep, and the relay that is given a rest.

What is decided stands in `domain.limits` and `domain.breaker`; what all processes know of it lies
in the store. Here one run of one process asks and tells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from digest import observe
from digest.domain.breaker import Breaker
from digest.domain.limits import Limits
from digest.store import allowances, relay
from digest.store.database import transaction
from digest.store.relay import Approach

SEATS = "relay"


@dataclass(kw_only=True)
class Restraint:
    """One run's view of limits, seats and the relay's state; `seats` is how many connections it may
    have open by now.
    """

    engine: Engine
    owner: str
    limits: Limits
    lease: timedelta
    connections: int
    wall: Callable[[], datetime]
    jitter: Callable[[], float]
    breaker: Breaker = field(default_factory=Breaker)
    seats: int = 0

    def approach(self, *, insist: bool) -> Approach:
        """Ask for the relay and for seats; `insist` asks also while the relay rests."""
        with transaction(self.engine) as session:
            now = self.wall()
            found = relay.approach(session, self.owner, now, self.lease, insist=insist)
            if found.paused_until is None:
                self.breaker.learn(found.state, now, probing=found.probe)
                self._sit(session)
        return found

    def keep(self) -> None:
        """Renew the seats, and take further ones that were left meanwhile."""
        with transaction(self.engine) as session:
            now = self.wall()
            if self.breaker.probing:  # in the order of `approach`, so that nobody waits in a circle
                allowances.hold(session, relay.RELAY, now)
            if self.limits.connections:
                allowances.hold(session, allowances.seats_scope(SEATS), now)
            allowances.keep_seats(session, self.owner, now, self.lease)
            self._sit(session)

    def permit(self, session: Session, emails: Sequence[str]) -> list[datetime | None]:
        """When each of these messages may begin: None for now."""
        return allowances.take(session, emails, self.limits, self.wall())

    def back_in_line(
        self, session: Session, emails: Sequence[str], not_before: Sequence[datetime]
    ) -> list[datetime]:
        """When messages that are given back to the queue may be claimed again."""
        return allowances.put_off(session, emails, self.limits, self.wall(), not_before)

    def tell(self, session: Session) -> None:
        """Let all processes know what this one has heard of the relay, where that is news."""
        now = self.wall()
        if news := self.breaker.take_news(now):
            self.breaker.told(relay.settle(session, news, now, self.jitter()))
            observe.PAUSES.add(news.opened)

    def leave(self) -> None:
        """Tell the rest, and free the seats."""
        with transaction(self.engine) as session:
            self.tell(session)
            allowances.leave(session, self.owner)
            if self.limits:
                allowances.sweep(session, self.wall())

    def _sit(self, session: Session) -> None:
        self.seats = allowances.sit(
            session,
            SEATS,
            self.owner,
            self.wall(),
            most=self.limits.connections,
            wanted=self.connections,
            lease=self.lease,
        )
