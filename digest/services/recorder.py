"""The recorder: what the connections have sent and what they begin next, written together.

Each connection asks for its turn and waits for the commit that holds it. What is asked for while
one commit is under way goes into the next: so the store's work, and its wait for the disk, is
shared by as many messages as are in the air, and still no connection is ever ahead of the ledger by
more than one message.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.deliveries import Deferred, DeliveryId, Failed, Result, State
from digest.faultpoints import reach
from digest.store import ledger, turns
from digest.store.database import transaction
from digest.store.turns import Ended, Sender, Turn

LINGER_S = 0.004

T = TypeVar("T")

Refused = Callable[[Session, DeliveryId, Failed], None]
"""What a refusal for good means for the subscriber; called in the transaction that records it."""


def no_consequence(_session: Session, _delivery: DeliveryId, _result: Failed) -> None:
    """The refusal of one message means nothing for the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One connection's turn: what it has sent, if anything, and what it would send next."""

    ended: Ended | None = None
    next: DeliveryId | None = None


@dataclass(kw_only=True, slots=True)
class _Waiting:
    ask: Ask
    answer: asyncio.Future[Turn]


@dataclass(kw_only=True)
class Recorder:
    """Takes turns from any number of connections of one event loop; one thread speaks to a
    store that is a server.

    `until` says how long all leases hold at least. It is asked just before a message begins: while
    its turn waited, they may have been renewed, and afterwards it is too late to believe that they
    were still ours.
    """

    engine: Engine
    sender: Callable[[], Sender]
    refused: Refused
    news: Callable[[Session], None]
    until: Callable[[], float]
    _asked: list[_Waiting] = field(default_factory=list)
    _usual: int = 0  # how many came along last time
    _enough: asyncio.Event = field(default_factory=asyncio.Event)
    _work: asyncio.Task[None] | None = None
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="recorder")
    )

    async def turn(self, ask: Ask) -> Turn:
        """Wait for the commit that records and begins what `ask` says.

        Raises StoreError where the store failed: nothing of it is written then.
        """
        reach("services.recorder.turn")
        waiting = _Waiting(ask=ask, answer=asyncio.get_running_loop().create_future())
        self._asked.append(waiting)
        if len(self._asked) >= self._usual:
            self._enough.set()
        if self._work is None:
            self._work = asyncio.create_task(self._commit_all())
        turn = await waiting.answer
        reach("services.recorder.turned")
        return turn

    async def run(self, step: Callable[..., T], *arguments: Any) -> T:
        """Do something else with the store, so that the connections go on where it takes long.

        SQLite is asked at once: it takes no longer than the change from thread to thread.
        """
        if self.engine.dialect.name == "sqlite":
            return step(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._thread, step, *arguments)

    def confirm(self, number: DeliveryId, result: Failed) -> bool:
        """A refusal that was recorded as one to try again is for good; whether it could be said."""
        with transaction(self.engine) as session:
            ledger.hold_subscriber(session, number)
            failed = ledger.fail_deferred(session, number, result)
            if failed:
                self.refused(session, number, result)
        return failed

    def close(self) -> None:
        """End the thread after what it is doing."""
        self._thread.shutdown()

    async def _commit_all(self) -> None:
        try:
            while self._asked:
                await self._gather()
                group, self._asked = self._asked, []
                self._usual = len(group)
                await self._commit(group)
        finally:
            self._work = None

    async def _gather(self) -> None:
        """Wait a moment for as many as came along last time: a commit costs the same for all."""
        await asyncio.sleep(0)
        if len(self._asked) < self._usual:
            self._enough.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), LINGER_S)

    async def _commit(self, group: list[_Waiting]) -> None:
        try:
            done = await self.run(self._written, [waiting.ask for waiting in group])
        except Exception as exc:  # whatever it is, the connections must hear of it
            for waiting in group:
                if not waiting.answer.done():
                    waiting.answer.set_exception(exc)
            return
        for waiting in group:
            if not waiting.answer.done():
                waiting.answer.set_result(done)

    def _written(self, group: list[Ask]) -> Turn:
        sender = self.sender()
        ended = [ask.ended for ask in group if ask.ended]
        alone = [one for one in ended if isinstance(one.result, Failed)]
        shared = [one for one in ended if not isinstance(one.result, Failed)]
        nexts = [ask.next for ask in group if ask.next is not None]
        states = {one.id: self._record(sender, one) for one in alone}
        until = self.until()
        with transaction(self.engine) as session:
            done = replace(turns.advance(session, sender, shared, nexts), until=until)
            self.news(session)
        done.states.update(states)
        for one in shared:
            if one.id not in done.states:  # held elsewhere, or given up: now by itself
                done.states[one.id] = self._record(sender, one)
        return done

    def _record(self, sender: Sender, one: Ended) -> State | None:
        with transaction(self.engine) as session:
            ledger.hold_subscriber(session, one.id)
            state = ledger.record(
                session,
                one.id,
                sender.owner,
                one.result,
                sender.now,
                jitter=sender.jitter(),
                give_up_after=sender.give_up_after,
            )
            if state is State.FAILED and (final := _final(one.result)):
                self.refused(session, one.id, final)
        return state


def _final(result: Result) -> Failed | None:
    """The refusal that a failed delivery ended in.

    None for one that was never believed, because the relay took no other mail to the very end: the
    delivery is given up, but who it was for must not pay for the relay.
    """
    unproved = isinstance(result, Deferred) and result.code >= 500
    if unproved or not isinstance(result, Failed | Deferred):
        return None
    return Failed(code=result.code, reply=result.reply, stage=result.stage)
