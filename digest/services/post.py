"""What a run of the senders stands on, what it is told, and what it tells afterwards."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from digest import observe
from digest.domain.deliveries import GIVE_UP_AFTER, State
from digest.domain.limits import Limits
from digest.domain.subscribers import SubscriberId
from digest.mail.transport import Relay
from digest.services.mailroom import Mailroom
from digest.services.recorder import Refused, no_consequence

PROBLEMS_MOST = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliverOptions:
    """How the ledger is worked off: who owns the leases, for how long, and how many at once.

    `limit` None sends all that is due; `only` sends to these subscribers alone, where it names any.
    `insist` tries also a relay that is given a rest, as a person may who has mended it.
    """

    owner: str
    lease: timedelta
    claim: int
    connections: int
    pepper: str = field(repr=False)
    limit: int | None = None
    only: tuple[SubscriberId, ...] = ()
    limits: Limits = field(default_factory=Limits)
    give_up_after: timedelta = GIVE_UP_AFTER
    insist: bool = False


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

    def count(self, state: State, recipient: str, said: str) -> None:
        """Count one message; what was not taken is told with the relay's words."""
        self.states[state] += 1
        observe.DELIVERIES.add(1, state.value)
        if state is not State.SENT and len(self.problems) < PROBLEMS_MOST:
            self.problems.append((recipient, f"{state.value}: {said}"))

    def move(self, old: State, new: State, recipient: str, said: str) -> None:
        """Count one message in another state than before."""
        self.states[old] -= 1
        self.states += Counter()  # leaves out what is none
        self.problems = [problem for problem in self.problems if problem[0] != recipient]
        self.count(new, recipient, said)

    def add(self, other: "Delivered") -> None:
        """Count another process's run too."""
        self.states.update(other.states)
        for state, count in other.states.items():
            observe.DELIVERIES.add(count, state.value)
        self.relay_error = self.relay_error or other.relay_error
        self.waiting += other.waiting
        self.again_at = min(filter(None, (self.again_at, other.again_at)), default=None)
        self.problems = (self.problems + other.problems)[:PROBLEMS_MOST]


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """What a run of the senders stands on: the ledger's store, the relay, the words, the clocks.

    `clock` says what is due, and may be another time; leases and limits go by `wall`, the time that
    all senders share; `sync` sets it anew. `refused` draws the consequence of a refusal for good.
    """

    engine: Engine
    relay: Callable[[], Relay]
    mailroom: Mailroom
    clock: Callable[[], datetime]
    wall: Callable[[], datetime]
    sync: Callable[[], object] = lambda: None
    jitter: Callable[[], float] = random.random
    refused: Refused = no_consequence
