"""A network of a given delay: `python -m tests.benchmarks.mail.proxy PORT TARGET SECONDS`.

Each piece of data is passed on so many seconds after it came, in the order in which it came, in
both directions; nothing else is held back (asyncio turns Nagle's algorithm off).
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable


class Pipe(asyncio.Protocol):
    """One side of a connection; what it receives is written to `other` after the delay."""

    def __init__(self, delay_s: float, opened: "Callable[[Pipe], None] | None" = None) -> None:
        self.other: Pipe | None = None
        self.transport: asyncio.Transport | None = None
        self._opened = opened
        self._delay_s = delay_s
        self._held: deque[tuple[float, bytes | None]] = deque()
        self._loop = asyncio.get_running_loop()
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._opened:
            self._opened(self)

    def data_received(self, data: bytes) -> None:
        self._hold(data)

    def eof_received(self) -> bool:
        self._hold(None)
        return True  # the other direction stays open until its own end has come through

    def connection_lost(self, exc: Exception | None) -> None:
        self._hold(None)

    def _hold(self, data: bytes | None) -> None:
        self._held.append((self._loop.time() + self._delay_s, data))
        self._wait()

    def joined(self, other: "Pipe") -> None:
        """From now on there is somebody to pass on to."""
        self.other = other
        self._wait()

    def _wait(self) -> None:
        if self._held and self.other and not self._waiting:
            self._waiting = True
            self._loop.call_at(self._held[0][0], self._pass_on)

    def _pass_on(self) -> None:
        self._waiting = False
        now = self._loop.time() + 0.000_5  # timers have a resolution
        while self._held and self._held[0][0] <= now:
            _, data = self._held.popleft()
            target = self.other and self.other.transport
            if target is None or target.is_closing():
                continue
            if data is None:
                target.close()  # after what was written
            else:
                target.write(data)
        self._wait()


async def serve(port: int, target: int, delay_s: float) -> None:
    """Pass connections on until the process is ended."""
    loop = asyncio.get_running_loop()
    opening: set[asyncio.Task[None]] = set()

    async def connect(near: Pipe) -> None:
        _, far = await loop.create_connection(lambda: Pipe(delay_s), "127.0.0.1", target)
        far.joined(near)
        near.joined(far)

    def accepted(near: Pipe) -> None:
        task = loop.create_task(connect(near))
        opening.add(task)
        task.add_done_callback(opening.discard)

    server = await loop.create_server(
        lambda: Pipe(delay_s, accepted), "127.0.0.1", port, backlog=1000
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
