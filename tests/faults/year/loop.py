"""Asyncio on the virtual clock: callbacks in their order, and a step of the world after each."""

import asyncio
import contextlib
import heapq
import inspect
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from tests.faults.year.clock import Dead, Process, World

T = TypeVar("T")


class Loop(asyncio.AbstractEventLoop):
    """An event loop of one simulated process; threads' work is done in its turn."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[asyncio.TimerHandle] = []
        self._tasks: list[asyncio.Task[Any]] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `asyncio.run` does."""
        main = self.create_task(work)
        try:
            self._until(main)
            for task in self._left():
                task.cancel()
            while left := self._left():
                self._until(left[0])
        except Dead:
            self._bury()
            raise
        return main.result()

    def time(self) -> float:
        return self._world.steady

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self._process.check()
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._process.check()
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, timer)
        return timer

    def create_future(self) -> "asyncio.Future[Any]":
        self._process.check()
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None
    ) -> "asyncio.Task[Any]":
        if self._process.dead:
            coro.close()
            raise Dead(self._process.name)
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks = [one for one in self._tasks if not one.done()] + [task]
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: object, work: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        answer = self.create_future()

        def act() -> None:
            if answer.cancelled():
                return
            try:
                found = work(*args)
            except Exception as exc:
                if not answer.cancelled():
                    answer.set_exception(exc)
            else:
                if not answer.cancelled():
                    answer.set_result(found)

        self.call_soon(act)
        return answer

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._process.dead:
            self._world.complain(f"the event loop: {context}")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are passed over when their time comes."""

    def _left(self) -> list["asyncio.Task[Any]"]:
        return [task for task in self._tasks if not task.done()]

    def _until(self, task: "asyncio.Task[Any]") -> None:
        while not task.done():
            self._process.check()
            self._take_timers()
            if not self._ready:
                if not self._timers:
                    raise RuntimeError("the event loop waits for what never comes")
                self._world.pause(self._timers[0].when() - self.time())
                continue
            handle = self._ready.popleft()
            if not handle.cancelled():
                asyncio._set_running_loop(self)
                try:
                    handle._run()
                finally:
                    asyncio._set_running_loop(None)
                self._world.step("await")

    def _take_timers(self) -> None:
        while self._timers and (
            self._timers[0].cancelled() or self._timers[0].when() <= self.time()
        ):
            timer = heapq.heappop(self._timers)
            if not timer.cancelled():
                self._ready.append(timer)

    def _bury(self) -> None:
        """Unwind what was going on; it finds that nothing has any effect any more."""
        asyncio._set_running_loop(self)
        try:
            for task in self._left():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                _close(task.get_coro())
        finally:
            asyncio._set_running_loop(None)
        self._ready.clear()
        self._timers.clear()


def _close(coroutine: Any) -> None:
    """End it wherever it stands; each time that it would wait on its way out, end that too."""
    while inspect.getcoroutinestate(coroutine) != inspect.CORO_CLOSED:
        with contextlib.suppress(Dead, RuntimeError):
            coroutine.close()
