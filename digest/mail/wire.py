"""The bytes between us and the relay: an asyncio protocol that writes, and reads replies.

It takes the transport over once the handshake is done. Lean, because it runs for every message:
no task and no timer of its own per command, and no look at the message but the socket's.
"""

import asyncio
from collections import deque
from typing import Self, cast

from digest.faultpoints import ARMED, reach
from digest.mail.replies import Garbled, Reply, ReplyReader

# What is handed to the transport at once, so that it never holds a copy of a huge message; where
# faults are tried, little, so that there is a middle of a message to die in.
CHUNK = 256 * 1024 if not ARMED else 4096
# Replies are short; asyncio's own quarter of a megabyte costs more than the rest of a read.
INCOMING = 4096
REPLIES_MOST = 8  # more than are ever asked for at once


class Wire(asyncio.BufferedProtocol):
    """One connection's bytes; used by one task at a time.

    Everything that waits raises ConnectionError when the connection is lost, Garbled (one of them)
    when no reply but noise came, and TimeoutError at its deadline.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        # a view, because asyncio's TLS writes to a slice of it, which of a bytearray is a copy
        self._incoming = memoryview(bytearray(INCOMING))
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._fault: Exception | None = None
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._alarm: asyncio.TimerHandle | None = None

    @classmethod
    def take_over(cls, transport: asyncio.Transport) -> Self:
        """Become the transport's protocol, and let it keep nothing unsent without pausing us."""
        wire = cls(transport)
        transport.set_protocol(wire)
        # asyncio's sockets pause above this mark, its TLS at it, which for 0 would be always
        secured = transport.get_extra_info("sslcontext") is not None
        transport.set_write_buffer_limits(high=1 if secured else 0)
        return wire

    @property
    def is_open(self) -> bool:
        """Whether neither side has ended it."""
        return self._fault is None and not self._transport.is_closing()

    @property
    def is_silent(self) -> bool:
        """Whether the relay has said nothing that was not read."""
        return not self._replies and not self._reader.within

    @property
    def is_paused(self) -> bool:
        """Whether some of what was written has not left this process."""
        return self._paused

    @property
    def certificate(self) -> bytes | None:
        """The relay's certificate (DER); None without TLS."""
        tls = self._transport.get_extra_info("ssl_object")
        der: bytes | None = tls.getpeercert(binary_form=True) if tls else None
        return der

    def write(self, data: bytes | memoryview) -> None:
        """Write without waiting. Raises ConnectionError when the connection is lost."""
        if not self.is_open:
            raise self._lost()
        self._transport.write(data)
        if self._transport.is_closing():  # the kernel refused it
            raise self._lost()

    async def write_all(self, data: bytes, timeout: float) -> bool:
        """Write, and wait until all of it has left this process; False where the relay spoke first.

        TimeoutError after `timeout` seconds for the whole.
        """
        self._expect(timeout)
        view = memoryview(data)
        for at in range(0, len(data), CHUNK):
            self.write(view[at : at + CHUNK] if len(data) > CHUNK else data)
            reach("mail.wire.piece")
            while self._paused:
                if self._replies:
                    return False
                await self._wait()
        return True

    async def reply(self, timeout: float) -> Reply:
        """The next reply, whole within `timeout` seconds."""
        if not self._replies:
            self._expect(timeout)
            while not self._replies:
                await self._wait()
        return self._replies.popleft()

    def heard(self) -> Reply | None:
        """A reply that is there already."""
        return self._replies.popleft() if self._replies else None

    def close(self) -> None:
        """End the connection in order."""
        self._rest()
        self._transport.close()

    def drop(self) -> None:
        """Cut the connection; what is still unsent is never sent."""
        self._rest()
        self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where asyncio puts what comes."""
        return self._incoming

    def buffer_updated(self, nbytes: int) -> None:
        """Asyncio has put so many bytes there."""
        try:
            self._replies += self._reader.feed(bytes(self._incoming[:nbytes]))
        except Garbled as exc:
            self._fail(exc)
            self._transport.abort()
            return
        if len(self._replies) > REPLIES_MOST:
            self._fail(Garbled("more replies than commands"))
            self._transport.abort()
        elif self._replies:
            self._wake()

    def eof_received(self) -> None:
        """The relay has ended the connection; asyncio closes our side."""
        self._fail(ConnectionResetError("the relay closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio says that it is gone."""
        self._fail(exc or ConnectionResetError("connection lost"))

    def pause_writing(self) -> None:
        """The kernel takes no more for now."""
        self._paused = True

    def resume_writing(self) -> None:
        """Everything written has left."""
        self._paused = False
        self._wake()

    async def _wait(self) -> None:
        """Until something happens. Raises what ended the connection."""
        if self._fault:
            raise self._lost()
        if not self._alarm:
            self._alarm = self._loop.call_at(self._deadline, self._look_at_clock)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _lost(self) -> Exception:
        fault = self._fault or ConnectionResetError("connection lost")
        return fault if isinstance(fault, OSError) else ConnectionResetError(str(fault))

    def _fail(self, exc: Exception) -> None:
        self._fault = self._fault or exc
        self._rest()
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _expect(self, timeout: float) -> None:
        """Set the deadline; one timer per connection looks at it now and then."""
        self._deadline = self._loop.time() + timeout
        if self._alarm and self._alarm.when() > self._deadline:
            self._rest()

    def _look_at_clock(self) -> None:
        self._alarm = None
        if not self._waiter or self._waiter.done():
            return
        if self._loop.time() >= self._deadline:
            self._waiter.set_exception(TimeoutError("no answer in time"))
        else:  # it was put off meanwhile
            self._alarm = self._loop.call_at(self._deadline, self._look_at_clock)

    def _rest(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm = None


def transport_of(transport: asyncio.BaseTransport | None) -> asyncio.Transport:
    """A transport that reads and writes. Raises ConnectionError where there is none any more."""
    if transport is None or transport.is_closing():
        raise ConnectionResetError("connection lost")
    return cast(asyncio.Transport, transport)
