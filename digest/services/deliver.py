"""Deliver: send what the ledger holds, and record every answer.

Each worker owns one connection. For every message it first begins the delivery, in one commit that
also records the connection's previous outcome and that refuses whoever opted out meanwhile; then it
sends, and goes on. So a crash leaves at most one message in doubt per connection.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.deliveries import (
    Deferred,
    Failed,
    InDoubt,
    NotTried,
    Result,
    State,
)
from digest.domain.subscribers import SubscriberId
from digest.errors import (
    DigestError,
    InDoubtError,
    PermanentMailError,
    RelayError,
    StoreError,
    TransientMailError,
)
from digest.mail.transport import Connection, Relay
from digest.services.mailroom import Mailroom, Outgoing
from digest.store import ledger
from digest.store.database import transaction

PROBLEMS_MOST = 50
RECORD_PAUSES_S = (0.5, 1.0, 2.0)


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
    `relay_error` says why the run ended early, if it did. `problems` names the first recipients
    whose message was not taken, with the reason.
    """

    states: Counter[State] = field(default_factory=Counter)
    relay_error: str = ""
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
        return bool(self.states) or bool(self.relay_error)

    def as_fields(self) -> dict[str, object]:
        """The summary as log fields."""
        counts = {state.value: count for state, count in sorted(self.states.items())}
        return counts | ({"relay_error": self.relay_error} if self.relay_error else {})

    def add(self, other: "Delivered") -> None:
        """Count another process's run too."""
        self.states.update(other.states)
        self.relay_error = self.relay_error or other.relay_error
        self.problems = (self.problems + other.problems)[:PROBLEMS_MOST]


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """What a run of the senders stands on: the ledger's store, the relay, the words, the clocks.

    `clock` says what is due, and may be another time; leases go by `wall`, the time that all
    senders share.
    """

    engine: Engine
    relay: Callable[[], Relay]
    mailroom: Mailroom
    clock: Callable[[], datetime]
    wall: Callable[[], datetime]
    jitter: Callable[[], float] = random.random


def deliver(
    post: Post, options: DeliverOptions, stop: Callable[[], bool] = lambda: False
) -> Delivered:
    """Send everything that is due in the ledger, at most `options.limit` messages.

    Returns when nothing is due now, when `stop()` turns true (messages in flight are finished), or
    when the relay cannot be used; what was claimed and not begun goes back to the queue.
    """
    run = _Run(post, options, stop)
    try:
        asyncio.run(run.all_rounds())
    finally:
        with transaction(post.engine) as session:
            ledger.release(session, options.owner)
    return run.summary


class _Run:
    """One run of the senders in this process."""

    def __init__(self, post: Post, options: DeliverOptions, stop: Callable[[], bool]) -> None:
        self.summary = Delivered()
        self._post = post
        self._options = options
        self._stop = stop
        self._begun = 0
        self._broken = False
        self._checked = False
        self._refusal = ""

    async def all_rounds(self) -> None:
        """Claim batches and send them until nothing is due."""
        async with self._post.relay() as relay:
            while not self._ended() and (batch := self._claimed()):
                queue: asyncio.Queue[Outgoing] = asyncio.Queue()
                for outgoing in batch:
                    queue.put_nowait(outgoing)
                await self._send_batch(relay, queue, min(self._options.connections, len(batch)))

    async def _send_batch(self, relay: Relay, queue: asyncio.Queue[Outgoing], workers: int) -> None:
        """Let the workers empty the queue; one that fails lets the others finish their message.

        Raises what a worker raised, after all of them have recorded what they sent.
        """
        async with self._heartbeat():
            tasks = [self._work(relay, queue) for _ in range(workers)]
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        if not queue.empty() and not self._ended():  # not one connection could be opened
            self.summary.relay_error = self._refusal

    def _ended(self) -> bool:
        spent = self._options.limit is not None and self._begun >= self._options.limit
        return spent or self._broken or bool(self.summary.relay_error) or self._stop()

    def _claimed(self) -> list[Outgoing]:
        options, limit = self._options, self._options.claim
        if options.limit is not None:
            limit = min(limit, options.limit - self._begun)
        with transaction(self._post.engine) as session:
            rows = ledger.claim(
                session,
                options.owner,
                self._post.clock(),
                options.lease,
                limit,
                only=options.only,
                wall=self._post.wall(),
            )
            if rows and not self._checked:
                self._post.mailroom.check()  # a wrong template gives all of them back
                self._checked = True
            return self._post.mailroom.outgoing(session, rows)

    @contextlib.asynccontextmanager
    async def _heartbeat(self) -> AsyncIterator[None]:
        """Renew the leases every third of their length while a batch is being sent."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(self._options.lease.total_seconds() / 3)
                # a store that is busy now may not be at the next beat; two are missed at most
                with contextlib.suppress(StoreError), transaction(self._post.engine) as session:
                    wall, lease = self._post.wall(), self._options.lease
                    ledger.renew(session, self._options.owner, wall, lease)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _work(self, relay: Relay, queue: asyncio.Queue[Outgoing]) -> None:
        """Send over one connection until the queue is empty or the run has ended.

        A relay that refuses one connection may hold others: then those do the work.
        """
        async with contextlib.AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(relay.connection())
            except RelayError as exc:
                self._refusal = str(exc)
                return
            try:
                await self._send_over(connection, queue)
            except BaseException:
                self._broken = True
                raise

    async def _send_over(self, connection: Connection, queue: asyncio.Queue[Outgoing]) -> None:
        previous: tuple[Outgoing, Result] | None = None
        try:
            while not self._ended() and not queue.empty():
                outgoing = queue.get_nowait()
                content = outgoing.content()
                begun = self._begin(outgoing, previous)
                previous = None
                if begun:
                    previous = (outgoing, await self._send(connection, outgoing, content))
        finally:
            if previous:
                await self._record_last(*previous)

    async def _record_last(self, outgoing: Outgoing, result: Result) -> None:
        """Record a connection's last outcome; a store that is busy gets a few more chances, because
        what is not recorded is sent again.
        """
        for pause in (*RECORD_PAUSES_S, None):
            try:
                with transaction(self._post.engine) as session:
                    state = self._record(session, outgoing, result)
            except StoreError:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                self._count(state, outgoing, result)
                return

    def _begin(self, outgoing: Outgoing, previous: tuple[Outgoing, Result] | None) -> bool:
        """Record what came before and begin this one, in one commit."""
        options, post = self._options, self._post
        state = None
        with transaction(post.engine) as session:
            if previous:
                ledger.hold_subscriber(session, outgoing.id)
                state = self._record(session, *previous)
            start = ledger.begin(
                session, outgoing.id, options.owner, post.clock(), options.pepper, wall=post.wall()
            )
        if previous:
            self._count(state, *previous)
        if start is ledger.Start.CANCELLED:
            self.summary.states[State.CANCELLED] += 1
        self._begun += start is ledger.Start.BEGUN
        return start is ledger.Start.BEGUN

    async def _send(
        self, connection: Connection, outgoing: Outgoing, content: bytes | DigestError
    ) -> Result:
        if isinstance(content, DigestError):  # this one message cannot be made; the others go on
            return Failed(code=0, reply=str(content))
        try:
            return await connection.send(outgoing.sender, outgoing.recipient, content)
        except TransientMailError as exc:
            return Deferred(code=exc.code, reply=exc.reply)
        except PermanentMailError as exc:
            return Failed(code=exc.code, reply=exc.reply)
        except InDoubtError as exc:
            return InDoubt(detail=str(exc))
        except RelayError as exc:
            self.summary.relay_error = str(exc)
            return NotTried(detail=str(exc))

    def _record(self, session: Session, outgoing: Outgoing, result: Result) -> State | None:
        now, jitter = self._post.clock(), self._post.jitter()
        return ledger.record(session, outgoing.id, self._options.owner, result, now, jitter=jitter)

    def _count(self, state: State | None, outgoing: Outgoing, result: Result) -> None:
        if state is None or isinstance(result, NotTried):
            return
        self.summary.states[state] += 1
        if state is not State.SENT and len(self.summary.problems) < PROBLEMS_MOST:
            said = result.detail if isinstance(result, InDoubt) else result.reply
            self.summary.problems.append((outgoing.recipient, f"{state.value}: {said}"))
