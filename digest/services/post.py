"""What a run of the senders stands on, what it is told, and what it tells afterwards."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from digest.domain.deliveries import State
from digest.domain.subscribers import SubscriberId
from digest.mail.transport import Relay
from digest.services.mailroom import Mailroom
from digest.services.recorder import Refused, no_consequence
from digest.store.turns import Permit

PROBLEMS_MOST = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliverOptions:
    """How the ledger is worked off: who owns the leases, for how long, and how many at once.

    `limit` None sends all that is due; `only` sends to these subscribers alone, where it names any.
    """

    owner: str
    lease: timedelta
    claim: int
    connections: int
    pepper: str
    limit: int | None = None
    only: tuple[SubscriberId, ...] = ()


@dataclass(kw_only=True)
class Delivered:
    """What became of the messages of one run.

    `states` counts the state that each try ended in; a try in doubt ends queued or held.
    `relay_error` says why the run ended early, if it did; `waiting` counts what the limits put off,
    and `again_at` is when the first of it may go. `problems` names the first recipients whose
    message was not taken, with the reason.
    """

    states: Counter[State] = field(default_factory=Counter)
    relay_error: str = ""
    waiting: int = 0
    again_at: datetime | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Messages that the relay took."""
        return self.states[State.SENT]

    @property
    def unsent(self) -> int:
        """Messages that were tried and not taken."""
        tried = (State.DEFERRED, State.FAILED, State.HELD, State.QUEUED)
        return sum(self.states[state] for state in tried)

    @property
    def anything(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.states) or bool(self.relay_error) or bool(self.waiting)

    def as_fields(self) -> dict[str, object]:
        """The summary as log fields."""
        counts = {state.value: count for state, count in sorted(self.states.items())}
        waiting = {"waiting": self.waiting, "again_at": self.again_at} if self.waiting else {}
        return counts | waiting | ({"relay_error": self.relay_error} if self.relay_error else {})

    def add(self, other: "Delivered") -> None:
        """Count another process's run too."""
        self.states.update(other.states)
        self.relay_error = self.relay_error or other.relay_error
        self.waiting += other.waiting
        self.again_at = min(filter(None, (self.again_at, other.again_at)), default=None)
        self.problems = (self.problems + other.problems)[:PROBLEMS_MOST]


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """What a run of the senders stands on: the ledger's store, the relay, the words, the clocks.

    `clock` says what is due, and may be another time; leases and limits go by `wall`, the time that
    all senders share. `permit` keeps the limits, `refused` draws the consequence of a refusal.
    """

    engine: Engine
    relay: Callable[[], Relay]
    mailroom: Mailroom
    clock: Callable[[], datetime]
    wall: Callable[[], datetime]
    jitter: Callable[[], float] = random.random
    permit: Permit | None = None
    refused: Refused = no_consequence
