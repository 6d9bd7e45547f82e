"""Virtual time, and who goes on when: actors are greenlets, and one seeded order says who is next.

An actor goes on until it pauses: at each begin and after each commit of a transaction, at each
named point of the program, at each await. Nothing else runs meanwhile, so a seed replays all of it.
"""

import asyncio
import contextlib
import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from greenlet import greenlet

from tests.faults.year.trace import Trace

STEP_S = 0.02  # the longest that usually passes between two steps of an actor


class Dead(BaseException):
    """This process is gone: nothing that it still does on its way out may have any effect."""


@dataclass(eq=False)
class Process:
    """One process of the host; `doom` and `stall` count the steps until it dies or stands still."""

    name: str
    dead: bool = False
    doom: int | None = None
    stall: tuple[int, float] | None = None
    died_at: float = float("inf")
    stood_still: list[tuple[float, float]] = field(default_factory=list)

    def check(self) -> None:
        if self.dead:
            raise Dead(self.name)


class World:
    """The one clock: `steady` counts seconds that nobody sets, `now` is what the host shows."""

    def __init__(self, seed: int, start: datetime) -> None:
        self.rng = random.Random(f"world {seed}")
        self.start = start
        self.steady = 0.0
        self.wrong = timedelta(0)
        self.trace = Trace()
        self.complaints: list[tuple[float, str]] = []
        self.clock_set: list[float] = []
        self.process: Process | None = None
        self.writer: Callable[[], bool] = lambda: False
        self._numbers = count()
        self._queue: list[tuple[float, float, int, greenlet, Process | None]] = []
        self._until = 0.0
        self._main = greenlet.getcurrent()
        self.clock = self.now  # the same object each time: the product asks whether it is

    @property
    def true(self) -> datetime:
        """The instant by a clock that is right."""
        return self.start + timedelta(seconds=self.steady)

    @property
    def locked(self) -> bool:
        """Whether somebody writes: on SQLite others could do nothing but wait for it."""
        return self.writer()

    def now(self) -> datetime:
        """The instant that the host's clock shows."""
        return self.true + self.wrong

    def at(self, steady: float, work: Callable[[], None], process: Process | None = None) -> None:
        """Have `work` done by an actor of its own, of that process, from then on."""

        def act() -> None:
            with contextlib.suppress(Dead):
                work()

        self._push(steady, greenlet(act, self._main), process)

    def run(self, until: float) -> None:
        """Let everything happen that happens before that second."""
        self._main, self._until = greenlet.getcurrent(), until
        while self._queue and self._queue[0][0] < until:
            wake, _, _, actor, process = heapq.heappop(self._queue)
            self.steady, self.process = max(self.steady, wake), process
            actor.switch()
            self.process = None
        if until < math.inf:
            self.steady = max(self.steady, until)

    def pause(self, seconds: float) -> None:
        """The actor that calls goes on after so many seconds at the earliest."""
        process = self.process
        if process is not None and not process.dead:
            self._wait(self.steady + max(seconds, 0.0), process)
            process.check()

    def step(self, name: str) -> None:
        """A point at which others may go on, and at which the process may die or stand still."""
        process = self.process
        if process is None:
            return
        process.check()
        if process.doom is not None:
            process.doom -= 1
            if process.doom <= 0:
                self.kill(process, f"at {name}")
                raise Dead(process.name)
        if self.locked:
            return  # it holds SQLite's only lock: nobody else could do more than wait for it
        seconds = self.rng.random() * STEP_S
        if process.stall is not None:
            left, still = process.stall
            process.stall = (left - 1, still) if left > 1 else None
            if left <= 1:
                self.trace.tell(self, "stall", process.name, name, round(still))
                process.stood_still.append((self.steady, self.steady + still))
                seconds = still
        self.pause(seconds)

    def complain(self, text: str) -> None:
        """Something that the program itself calls a fault."""
        self.complaints.append((self.steady, text))

    def kill(self, process: Process, how: str = "") -> None:
        """End a process: its actors unwind without any effect when their turn comes."""
        if not process.dead:
            process.dead, process.doom, process.stall = True, None, None
            process.died_at = self.steady
            if self.process is process:  # what it writes is rolled back before anybody goes on
                self.writer = lambda: False
            self.trace.tell(self, "killed", process.name, how)

    def _wait(self, wake: float, process: Process) -> None:
        if wake < self._until and not (self._queue and self._queue[0][0] <= wake):
            self.steady = max(self.steady, wake)
            return
        loop = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        self._push(wake, greenlet.getcurrent(), process)
        self._main.switch()
        asyncio._set_running_loop(loop)

    def _push(self, wake: float, actor: greenlet, process: Process | None) -> None:
        entry = (wake, self.rng.random(), next(self._numbers), actor, process)
        heapq.heappush(self._queue, entry)
