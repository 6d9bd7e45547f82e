"""The senders of one process: a feeder claims, and each connection sends one message after another.

For every message its connection takes a turn at the recorder first, which records the connection's
previous outcome, refuses whoever opted out meanwhile, and begins the message. So a crash leaves at
most one message in doubt per connection.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from digest import observe
from digest.domain.deliveries import DeliveryId, InDoubt, NotTried, Result, State
from digest.errors import RelayError, StoreError
from digest.mail.transport import Connection, Relay
from digest.services.ahead import Ahead
from digest.services.attempts import Content, Jury, attempt
from digest.services.claims import Claims
from digest.services.heartbeat import heartbeat
from digest.services.line import Line
from digest.services.mailroom import Outgoing
from digest.services.post import Delivered, DeliverOptions, Post
from digest.services.recorder import Ask, Recorder
from digest.services.restraint import Restraint
from digest.store.turns import Ended, Sender, Start

RECORD_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)  # a server takes some seconds to start again
HELD_ELSEWHERE_S = 0.05  # another transaction holds the row: ask again after so long, and longer
LOOK_S = 0.2  # how often one who waits looks whether the run has ended
PATIENCE = timedelta(seconds=2)  # how long a message waits for its turn here, not in the store
STAY_MOST = timedelta(seconds=60)  # how long a run with nothing else to do waits for the limits
NO_SEAT = "other senders hold all of limits.connections"

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
        self._held: dict[DeliveryId, float] = {}  # since when another transaction holds it
        self._later: list[tuple[Outgoing, datetime]] = []  # to be given back to the queue
        self._workers = options.connections
        self._seated = 0
        self._broken = False
        self._fed = False
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
        self._line = Line(post, options, self._restraint, self.summary)
        self._claims = Claims(post, options, self._line)
        self._ahead = Ahead(options.connections)
        self._jury = Jury(self._restraint.breaker)
        self._recorder = Recorder(
            engine=post.engine,
            sender=self._sender,
            refused=post.refused,
            news=self._restraint.tell,
            until=lambda: self._claims.until,
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
            self.summary.relay_error = NO_SEAT
        return not self.summary.relay_error

    async def _send_all(self) -> None:
        async with self._post.relay() as relay, heartbeat(self._options.lease / 3, self._renew):
            workers = [self._work(relay) for _ in range(self._workers)]
            outcomes = await asyncio.gather(self._feed(), *workers, return_exceptions=True)
            await self._jury.close(self._recorder, self.summary)
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
        if self._later:
            await self._give_back()
        room = min(self._room(), self._options.claim - self._patient)
        if self._queue.qsize() > self._options.connections or room <= 0:
            await self._change()
            return True
        batch, put_off = await self._recorder.run(self._claims.take, room)
        self._open += len(batch)
        self._unbegun += len(batch)
        self._ahead.line_up(batch)
        for outgoing in batch:
            self._queue.put_nowait(outgoing)
        self._line.tell(put_off)
        if batch or put_off or self._later:
            return True
        if self._open:  # one in doubt may be due again afterwards
            return not self._stuck() and await self._some_done()
        return await self._limits_allow()

    async def _some_done(self) -> bool:
        """Wait until nothing is open; but look now and then whether more was queued meanwhile."""
        clock = asyncio.get_running_loop().time
        until = clock() + PATIENCE.total_seconds()
        while self._open and not self._later and clock() < until and not self._ended():
            await self._change()
        return True

    def _stuck(self) -> bool:
        """Whether all that is left was held elsewhere for as long as a lease: not our business."""
        since = asyncio.get_running_loop().time() - self._options.lease.total_seconds()
        return len(self._held) == self._open and all(at < since for at in self._held.values())

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
        until = self._line.next_at()
        if until is None or until - self._post.wall() > STAY_MOST:
            return False
        while self._post.wall() < until and not self._ended():
            await asyncio.sleep(min(LOOK_S, max((until - self._post.wall()).total_seconds(), 0)))
        self._line.pass_on()
        return True

    async def _give_back(self) -> None:
        """Give those to the queue that the limits let wait for long."""
        later, self._later = self._later, []
        waiting = {one.id: (one.recipient, at) for one, at in later}
        until = await self._recorder.run(self._line.put_off, waiting)
        self._open -= len(until)
        self._unbegun -= len(until)
        self._line.tell(until)
        for outgoing, _ in later:
            if outgoing.id not in until:
                self._come_back(outgoing, PATIENCE.total_seconds())

    async def _change(self) -> None:
        """Wait until a worker has done something, at most for a moment."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), LOOK_S)

    def _renew(self) -> None:
        self._claims.renew()
        if self._options.limits.connections or self._restraint.breaker.probing:
            self._restraint.keep()
            if not self._restraint.seats:  # somebody took them, as after a long sleep of ours
                self.summary.relay_error = NO_SEAT

    # The workers, one for each connection

    async def _work(self, relay: Relay) -> None:
        """Send over one connection until there is nothing left or the run has ended.

        A relay that refuses one connection may hold others: then those do the work. Workers for
        whom there is no seat wait until there is.
        """
        try:
            while await self._take_seat():
                try:
                    first = await self._queue.get()
                    if first is None or not await self._connect_and_send(relay, first):
                        break
                finally:
                    self._seated -= 1
        except BaseException:
            self._broken = True
            raise
        finally:
            self._workers -= 1
            if not self._workers and self._unbegun and not self._ended():
                self.summary.relay_error = self._refusal
                self._restraint.breaker.lost(self._refusal)
            self._changed.set()

    async def _take_seat(self) -> bool:
        while self._seated >= self._restraint.seats and not self._fed:
            await asyncio.sleep(LOOK_S)
        self._seated += 1
        return True

    async def _connect_and_send(self, relay: Relay, first: Outgoing) -> bool:
        """Whether to come back for another seat, because this one is lost."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(relay.connection())
            except RelayError as exc:
                self._refusal = str(exc)
                self._queue.put_nowait(first)
                return False
            await self._send_over(connection, first)
            if lost := self._seat_is_lost():
                await connection.close()
            return lost

    def _seat_is_lost(self) -> bool:
        return self._seated > self._restraint.seats and not self._ended() and not self._fed

    async def _send_over(self, connection: Connection, outgoing: Outgoing | None) -> None:
        previous: Tried | None = None
        try:
            while outgoing is not None and not self._ended():
                content = self._ahead.content(outgoing)
                if not connection.is_ready:
                    previous = await self._recorded(previous)
                    if not await self._opened(connection):
                        break
                until = await self._turn(previous, outgoing)
                previous = None
                if until is not None:
                    previous = (outgoing, await self._result(connection, outgoing, content, until))
                if self._queue.empty():
                    previous = await self._recorded(previous)
                done = self._ended() or self._seat_is_lost()
                outgoing = None if done else await self._queue.get()
        finally:
            if previous:
                await self._record_last(previous)

    async def _recorded(self, previous: Tried | None) -> Tried | None:
        """Record what came before at once, because what comes next may take long; what is left."""
        if previous:
            await self._turn(previous, None)
        return None

    async def _opened(self, connection: Connection) -> bool:
        """Connect anew before a message begins: who opts out meanwhile is not mailed then."""
        try:
            await connection.open()
        except RelayError as exc:
            self._restraint.breaker.lost(str(exc))
            self.summary.relay_error = self._restraint.breaker.why or str(exc)
            return False
        return True

    async def _result(
        self, connection: Connection, outgoing: Outgoing, content: Content, until: float
    ) -> Result:
        """Send one message, unless its lease ran out after it began; what to record of it."""
        with observe.TRY_SECONDS.timed():
            result = await attempt(connection, outgoing, content, until, self._ahead.make_one)
        if isinstance(result, NotTried):
            self.summary.relay_error = result.detail
        judged = self._jury.judged(outgoing, result)
        if self._restraint.breaker.is_open:
            self.summary.relay_error = self._restraint.breaker.why
        return judged

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

    async def _turn(self, previous: Tried | None, outgoing: Outgoing | None) -> float | None:
        """Record what came before and begin this one, in one commit; the steady second until which
        it may be sent, None where it has not begun.
        """
        ended = Ended(id=previous[0].id, result=previous[1]) if previous else None
        turn = await self._recorder.turn(Ask(ended=ended, next=outgoing.id if outgoing else None))
        if previous:
            self._open -= 1
            self._count(turn.states.get(previous[0].id), *previous)
        start = turn.starts.get(outgoing.id) if outgoing else None
        if outgoing and start in (None, Start.WAITS):
            self._wait(outgoing, turn.waits.get(outgoing.id))
        elif outgoing:
            self._held.pop(outgoing.id, None)
            self._line.begun(outgoing.id)
            self._unbegun -= 1
            self._begun += start is Start.BEGUN
            self._open -= start is not Start.BEGUN
            if start is Start.CANCELLED:
                self.summary.states[State.CANCELLED] += 1
        if self._queue.qsize() <= self._options.connections or not self._open:
            self._changed.set()
        return turn.until if start is Start.BEGUN else None

    def _wait(self, outgoing: Outgoing, until: datetime | None) -> None:
        """Ask for this one again when it may begin; where that is long, leave it to the store."""
        if until is None:  # at first it is soon free again; then asking often is of no use
            now = asyncio.get_running_loop().time()
            longer = now - self._held.setdefault(outgoing.id, now)
            most = PATIENCE.total_seconds()
            self._come_back(outgoing, min(max(longer, HELD_ELSEWHERE_S), most))
            return
        self._held.pop(outgoing.id, None)
        delay = until - self._post.wall()
        if delay <= PATIENCE and self._patient < 2 * self._options.connections:
            self._come_back(outgoing, max(delay.total_seconds(), 0))
            return
        if delay > PATIENCE:
            self._line.close(outgoing.recipient, until)
        self._later.append((outgoing, until))
        self._changed.set()

    def _come_back(self, outgoing: Outgoing, after_s: float) -> None:
        self._patient += 1
        asyncio.get_running_loop().call_later(after_s, self._back, outgoing)

    def _back(self, outgoing: Outgoing) -> None:
        self._patient -= 1
        self._queue.put_nowait(outgoing)

    def _count(self, state: State | None, outgoing: Outgoing, result: Result) -> None:
        if state is None or isinstance(result, NotTried):
            return
        said = result.detail if isinstance(result, InDoubt) else result.reply
        self.summary.count(state, outgoing.recipient, said)
