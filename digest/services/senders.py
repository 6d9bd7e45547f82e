"""The senders of one process: a feeder claims, and each connection sends one message after another.

For every message its connection takes a turn at the recorder first, which records the connection's
previous outcome, refuses whoever opted out meanwhile, and begins the message. So a crash leaves at
most one message in doubt per connection.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from functools import partial

from digest.domain.bounces import Stage
from digest.domain.deliveries import Deferred, DeliveryId, Failed, InDoubt, NotTried, Result, State
from digest.domain.limits import recipient_domain
from digest.errors import (
    DigestError,
    InDoubtError,
    PermanentMailError,
    RelayError,
    StoreError,
    TransientMailError,
)
from digest.mail.transport import Connection, Relay
from digest.services.mailroom import Outgoing
from digest.services.post import Delivered, DeliverOptions, Post
from digest.services.recorder import Ask, Recorder
from digest.services.restraint import Restraint
from digest.store import ledger
from digest.store.database import transaction
from digest.store.turns import Ended, Sender, Start

RECORD_PAUSES_S = (0.5, 1.0, 2.0)
HELD_ELSEWHERE_S = 0.05  # another transaction held the row: ask again after so long
LOOK_S = 0.2  # how often one who waits looks whether the run has ended
PATIENCE = timedelta(seconds=2)  # how long a message waits for its turn here, not in the store
STAY_MOST = timedelta(seconds=60)  # how long a run with nothing else to do waits for the limits

Tried = tuple[Outgoing, Result]


class Senders:
    """One run of the senders in this process; `summary` counts while it goes on."""

    def __init__(self, post: Post, options: DeliverOptions, stop: Callable[[], bool]) -> None:
        self.summary = Delivered()
        self._post = post
        self._options = options
        self._stop = stop
        self._queue: asyncio.Queue[Outgoing | None] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._open = 0  # claimed; not yet recorded, cancelled or put off
        self._unbegun = 0  # of these, not yet begun
        self._begun = 0
        self._patient = 0  # waiting for their turn here
        self._again_at: datetime | None = None
        self._unproven: list[tuple[DeliveryId, str, Failed]] = []
        self._workers = options.connections
        self._broken = False
        self._fed = False
        self._checked = False
        self._refusal = ""
        self._restraint = Restraint(
            engine=post.engine,
            owner=options.owner,
            limits=options.limits,
            lease=options.lease,
            connections=options.connections,
            wall=post.wall,
            jitter=post.jitter,
        )
        self._recorder = Recorder(
            engine=post.engine,
            sender=self._sender,
            refused=post.refused,
            news=self._restraint.tell,
        )

    async def run(self) -> None:
        """Send until nothing is due or the run has ended; everything sent is recorded then.

        Raises what a worker or the feeder raised, after all of them have finished their message.
        """
        try:
            if await self._may_approach():
                await self._send_all()
        finally:
            await self._recorder.run(self._restraint.leave)
            self._recorder.close()

    async def _may_approach(self) -> bool:
        """Whether the relay may be used now: it does not rest, and a connection is left for us.

        Who insists waits for another's probe, which may end a rest, as long as a lease.
        """
        approach = partial(self._restraint.approach, insist=self._options.insist)
        until = self._post.wall() + self._options.lease
        while (found := await self._recorder.run(approach)).paused_until and not self._stop():
            if not self._options.insist or self._post.wall() >= until:
                break
            await asyncio.sleep(LOOK_S)
        if found.paused_until:
            self.summary.relay_error = (
                "the relay refused everything lately, so it is left alone until "
                f"{found.paused_until:%H:%M:%S} UTC"
            )
        elif not self._restraint.seats:
            self.summary.relay_error = "other senders hold all of limits.connections"
        return not self.summary.relay_error

    async def _send_all(self) -> None:
        async with self._post.relay() as relay, self._heartbeat():
            workers = [self._work(relay, number) for number in range(self._workers)]
            outcomes = await asyncio.gather(self._feed(), *workers, return_exceptions=True)
            await self._settle_unproven()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def _ended(self) -> bool:
        spent = self._options.limit is not None and self._begun >= self._options.limit
        return spent or self._broken or bool(self.summary.relay_error) or self._stop()

    def _sender(self) -> Sender:
        post, options = self._post, self._options
        return Sender(
            owner=options.owner,
            pepper=options.pepper,
            now=post.clock(),
            wall=post.wall(),
            jitter=post.jitter,
            permit=self._restraint.permit if options.limits else None,
            give_up_after=options.give_up_after,
        )

    # The feeder

    async def _feed(self) -> None:
        """Keep the queue filled until nothing is due any more, then send the workers home."""
        try:
            while not self._ended() and await self._more():
                pass
        except BaseException:
            self._broken = True
            raise
        finally:
            self._fed = True
            for _ in range(self._options.connections):
                self._queue.put_nowait(None)

    async def _more(self) -> bool:
        """Claim once there is room, or wait for what may change; False when nothing is to come."""
        room = self._room()
        if self._queue.qsize() > self._options.connections or room <= 0:
            await self._change()
            return True
        batch = await self._recorder.run(self._claimed, room)
        self._open += len(batch)
        self._unbegun += len(batch)
        for outgoing in batch:
            self._queue.put_nowait(outgoing)
        if batch:
            return True
        if self._open:  # one in doubt may be due again afterwards
            while self._open and not self._ended():
                await self._change()
            return True
        return await self._limits_allow()

    def _room(self) -> int:
        """How many more may be claimed."""
        options = self._options
        if self._restraint.breaker.probing:  # one goes ahead, to see whether the relay works again
            return 0 if self._open else 1
        if options.limit is None:
            return options.claim
        return min(options.claim, options.limit - self._begun - self._unbegun)

    async def _limits_allow(self) -> bool:
        """Wait for the first message that the limits put off, if that is not long."""
        until, self._again_at = self._again_at, None
        if until is None or until - self._post.wall() > STAY_MOST:
            return False
        while self._post.wall() < until and not self._ended():
            await asyncio.sleep(min(LOOK_S, max((until - self._post.wall()).total_seconds(), 0)))
        self.summary.waiting, self.summary.again_at = 0, None
        return True

    async def _change(self) -> None:
        """Wait until a worker has done something, at most for a moment."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), LOOK_S)

    def _claimed(self, most: int) -> list[Outgoing]:
        post, options = self._post, self._options
        with transaction(post.engine) as session:
            rows = ledger.claim(
                session,
                options.owner,
                post.clock(),
                options.lease,
                most,
                only=options.only,
                wall=post.wall(),
            )
            if rows and not self._checked:
                post.mailroom.check()  # a wrong template gives all of them back
                self._checked = True
            return post.mailroom.outgoing(session, rows)

    @contextlib.asynccontextmanager
    async def _heartbeat(self) -> AsyncIterator[None]:
        """Renew the leases every third of their length."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(self._options.lease.total_seconds() / 3)
                # a store that is busy now may not be at the next beat; two are missed at most
                with contextlib.suppress(StoreError):
                    await self._recorder.run(self._renew)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _renew(self) -> None:
        with transaction(self._post.engine) as session:
            wall, lease = self._post.wall(), self._options.lease
            ledger.renew(session, self._options.owner, wall, lease)
        if self._options.limits.connections or self._restraint.breaker.probing:
            self._restraint.keep()

    # The workers, one for each connection

    async def _work(self, relay: Relay, number: int) -> None:
        """Send over one connection until there is nothing left or the run has ended.

        A relay that refuses one connection may hold others: then those do the work. Workers for
        whom there is no seat wait until there is.
        """
        try:
            while number >= self._restraint.seats and not self._fed:
                await asyncio.sleep(LOOK_S)
            first = await self._queue.get()
            if first is not None:
                await self._connect_and_send(relay, first)
        except BaseException:
            self._broken = True
            raise
        finally:
            self._workers -= 1
            if not self._workers and self._unbegun and not self._ended():
                self.summary.relay_error = self._refusal
                self._restraint.breaker.lost(self._refusal)
            self._changed.set()

    async def _connect_and_send(self, relay: Relay, first: Outgoing) -> None:
        async with contextlib.AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(relay.connection())
            except RelayError as exc:
                self._refusal = str(exc)
                self._queue.put_nowait(first)
            else:
                await self._send_over(connection, first)

    async def _send_over(self, connection: Connection, outgoing: Outgoing | None) -> None:
        previous: Tried | None = None
        try:
            while outgoing is not None and not self._ended():
                content = outgoing.content()
                begun = await self._turn(previous, outgoing)
                previous = None
                if begun:
                    result = await self._send(connection, outgoing, content)
                    previous = (outgoing, self._judged(outgoing, result))
                if previous and self._queue.empty():
                    await self._turn(previous, None)
                    previous = None
                outgoing = await self._queue.get() if not self._ended() else None
        finally:
            if previous:
                await self._record_last(previous)

    async def _record_last(self, previous: Tried) -> None:
        """Record a connection's last outcome; a store that is busy gets a few more chances, because
        what is not recorded is sent again.
        """
        for pause in (*RECORD_PAUSES_S, None):
            try:
                await self._turn(previous, None)
            except StoreError:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                return

    async def _turn(self, previous: Tried | None, outgoing: Outgoing | None) -> bool:
        """Record what came before and begin this one, in one commit; whether it has begun."""
        ended = Ended(id=previous[0].id, result=previous[1]) if previous else None
        turn = await self._recorder.turn(Ask(ended=ended, next=outgoing.id if outgoing else None))
        if previous:
            self._open -= 1
            self._count(turn.states.get(previous[0].id), *previous)
        start = turn.starts.get(outgoing.id) if outgoing else None
        if outgoing and start in (None, Start.WAITS):
            await self._wait(outgoing, turn.waits.get(outgoing.id))
        elif outgoing:
            self._unbegun -= 1
            self._begun += start is Start.BEGUN
            self._open -= start is not Start.BEGUN
            if start is Start.CANCELLED:
                self.summary.states[State.CANCELLED] += 1
        if self._queue.qsize() <= self._options.connections or not self._open:
            self._changed.set()
        return start is Start.BEGUN

    async def _wait(self, outgoing: Outgoing, until: datetime | None) -> None:
        """Ask for this one again when it may begin; where that is long, leave it to the store."""
        delay = until - self._post.wall() if until else timedelta(seconds=HELD_ELSEWHERE_S)
        few = self._patient < 2 * self._options.connections
        if until is None or (delay <= PATIENCE and few):
            self._patient += 1
            loop = asyncio.get_running_loop()
            loop.call_later(max(delay.total_seconds(), 0), self._back, outgoing)
            return
        until = await self._recorder.run(self._put_off, outgoing)
        self._open -= 1
        self._unbegun -= 1
        self._again_at = min(filter(None, (self._again_at, until)))
        self.summary.waiting += 1
        self.summary.again_at = self._again_at

    def _back(self, outgoing: Outgoing) -> None:
        self._patient -= 1
        self._queue.put_nowait(outgoing)

    def _put_off(self, outgoing: Outgoing) -> datetime:
        with transaction(self._post.engine) as session:
            until = self._restraint.back_in_line(session, outgoing.recipient)
            ledger.put_off(session, self._options.owner, {outgoing.id: until})
        return until

    def _judged(self, outgoing: Outgoing, result: Result) -> Result:
        """What to record: a refusal for good that may be the relay's own fault becomes one to try
        again, until the relay has proved sound.
        """
        breaker = self._restraint.breaker
        judged = breaker.judged(result, domain=recipient_domain(outgoing.recipient))
        if isinstance(result, Failed) and isinstance(judged, Deferred):
            self._unproven.append((outgoing.id, outgoing.recipient, result))
        if breaker.is_open:
            self.summary.relay_error = breaker.why
        return judged

    async def _settle_unproven(self) -> None:
        """After a run in which the relay proved sound, what it refused for good has failed."""
        proven = self._restraint.breaker.proven
        for number, recipient, result in self._unproven if proven else ():
            if await self._recorder.run(self._recorder.confirm, number, result):
                self.summary.move(State.DEFERRED, State.FAILED, recipient, result.reply)

    async def _send(
        self, connection: Connection, outgoing: Outgoing, content: bytes | DigestError
    ) -> Result:
        if isinstance(content, DigestError):  # this one message cannot be made; the others go on
            return Failed(code=0, reply=str(content))
        try:
            return await connection.send(
                outgoing.sender, outgoing.recipient, content, envelope_id=f"delivery-{outgoing.id}"
            )
        except TransientMailError as exc:
            return Deferred(code=exc.code, reply=exc.reply, stage=Stage(exc.stage))
        except PermanentMailError as exc:
            return Failed(code=exc.code, reply=exc.reply, stage=Stage(exc.stage))
        except InDoubtError as exc:
            return InDoubt(detail=str(exc))
        except RelayError as exc:
            self.summary.relay_error = str(exc)
            return NotTried(detail=str(exc))

    def _count(self, state: State | None, outgoing: Outgoing, result: Result) -> None:
        if state is None or isinstance(result, NotTried):
            return
        said = result.detail if isinstance(result, InDoubt) else result.reply
        self.summary.count(state, outgoing.recipient, said)
