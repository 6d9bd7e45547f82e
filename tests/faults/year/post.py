"""A simulated relay: what it was given, what it said, and the mail that it took.

It stands where `digest.mail.transport.Relay` does and raises what that raises. Its moods are set
from outside; each try's fate is drawn from the mood's.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Self

from digest.domain.deliveries import Sent
from digest.errors import InDoubtError, PermanentMailError, RelayError, TransientMailError
from tests.faults.year.clock import Process, World

HANG_S = 45.0

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.IGNORECASE | re.MULTILINE)


class Fate(StrEnum):
    """What becomes of one try."""

    TAKEN = "taken"
    LATER = "later"  # 4xx that speaks of the recipient
    BUSY = "busy"  # 4xx that speaks of the relay
    NEVER = "never"  # 5xx that speaks of this message
    NOBODY = "nobody"  # 5xx that speaks of the recipient
    CUT = "cut"  # lost before the final dot
    ANSWER_LOST = "answer lost"  # taken, and lost before the answer
    DOT_LOST = "dot lost"  # not taken, but the sender cannot know
    HANGS = "hangs"  # taken, and no answer for longer than a lease


Mood = Mapping[Fate, float]
GOOD: Mood = {Fate.TAKEN: 1.0}
FLAKY: Mood = {
    Fate.TAKEN: 0.55, Fate.LATER: 0.12, Fate.BUSY: 0.06, Fate.NEVER: 0.02, Fate.CUT: 0.08,
    Fate.ANSWER_LOST: 0.09, Fate.DOT_LOST: 0.04, Fate.HANGS: 0.04,
}  # fmt: skip
FULL: Mood = {Fate.BUSY: 1.0}
GREY: Mood = {Fate.LATER: 0.7, Fate.TAKEN: 0.3}
FORGETFUL: Mood = {Fate.ANSWER_LOST: 0.6, Fate.TAKEN: 0.4}


@dataclass(eq=False)
class Try:
    """One message that was handed over, in the order in which tries began."""

    order: int
    number: int
    begun: int | None
    steady: float
    shown: datetime
    process: Process
    recipient: str
    message_id: str
    content: bytes
    taken: bool = False
    doubtful: bool = False
    refused: bool = False
    answered: bool = False


@dataclass
class Post:
    """The relay, and everybody's inbox."""

    world: World
    rng: Random
    mood: Mood = field(default_factory=lambda: GOOD)
    down: bool = False
    dead_boxes: dict[str, float] = field(default_factory=dict)
    tries: list[Try] = field(default_factory=list)
    by_message: dict[str, list[Try]] = field(default_factory=lambda: defaultdict(list))
    arrived: Callable[[Try], None] = lambda _one: None
    begun_at: dict[int, int] = field(default_factory=dict)
    begins: dict[int, list[tuple[float, Process]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    orders: int = 0

    def order(self) -> int:
        """The next number of a happening, so that any two can be told apart."""
        self.orders += 1
        return self.orders

    def begun(self, numbers: set[int]) -> None:
        """A transaction that began these deliveries has just committed."""
        order = self.order()
        self.begun_at.update(dict.fromkeys(numbers, order))
        assert self.world.process is not None
        for number in numbers:
            self.begins[number].append((self.world.steady, self.world.process))

    def relay(self) -> "Relay":
        assert self.world.process is not None
        return Relay(self, self.world.process)

    def fate(self, recipient: str) -> Fate:
        if recipient in self.dead_boxes:
            return Fate.NOBODY
        fates, weights = zip(*self.mood.items(), strict=True)
        return Fate(self.rng.choices(fates, weights)[0])


class Relay:
    """One run's way to the relay."""

    def __init__(self, post: Post, process: Process) -> None:
        self._post, self._process = post, process

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None: ...

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Connection"]:
        """An open connection. Raises RelayError while the relay is down."""
        connection = Connection(self._post, self._process)
        await connection.open()
        yield connection


class Connection:
    """One connection: it ends whenever a try loses it."""

    def __init__(self, post: Post, process: Process) -> None:
        self._post, self._process = post, process
        self.is_open = False

    @property
    def is_ready(self) -> bool:
        return self.is_open

    async def open(self) -> None:
        if self.is_open:
            return
        await self._passes(0.3)
        if self._post.down:
            raise RelayError("the relay does not answer")
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def send(
        self,
        sender: str,
        recipient: str,
        message: bytes,
        *,
        envelope_id: str = "",
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Sent:
        """Hand over one message; see `digest.mail.transport.Connection.send`."""
        self._process.check()
        post = self._post
        one = self._told(recipient, message, int(envelope_id.rpartition("-")[2]))
        fate = Fate.CUT if post.down else post.fate(recipient)
        post.world.trace.tell(post.world, self._process.name, "sends", recipient, fate)
        await self._passes(0.4)
        meanwhile()
        self._refuse(fate, one)
        if fate is Fate.CUT:
            self.is_open = False
            raise RelayError("lost within the message")
        one.doubtful = True
        if fate is not Fate.DOT_LOST:
            one.taken = True
            post.arrived(one)
        await self._passes(HANG_S if fate is Fate.HANGS else 0.4)
        if fate is not Fate.TAKEN:
            self.is_open = False
            raise InDoubtError("no answer after the message was sent")
        one.answered = True
        return Sent(code=250, reply="2.0.0 taken")

    def _told(self, recipient: str, message: bytes, number: int) -> Try:
        found = _MESSAGE_ID.search(message)
        post, world = self._post, self._post.world
        one = Try(
            order=post.order(),
            number=number,
            begun=post.begun_at.get(number),
            steady=world.steady,
            shown=world.now(),
            process=self._process,
            recipient=recipient,
            message_id=found[1].decode() if found else "",
            content=message,
        )
        post.tries.append(one)
        post.by_message[one.message_id].append(one)
        return one

    def _refuse(self, fate: Fate, one: Try) -> None:
        match fate:
            case Fate.LATER:
                raise TransientMailError(452, "4.2.2 mailbox full", status="4.2.2", stage="rcpt")
            case Fate.BUSY:
                raise TransientMailError(451, "4.3.2 too busy", status="4.3.2", stage="rcpt")
            case Fate.NEVER:
                one.refused = True
                raise PermanentMailError(554, "5.7.1 spam", status="5.7.1", stage="data")
            case Fate.NOBODY:
                one.refused = True
                raise PermanentMailError(550, "5.1.1 no such user", status="5.1.1", stage="rcpt")

    async def _passes(self, most_s: float) -> None:
        await asyncio.sleep(most_s if most_s == HANG_S else self._post.rng.random() * most_s)
