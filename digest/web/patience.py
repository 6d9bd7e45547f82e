"""How long and how much a connection may take: what uvicorn itself leaves open.

A proxy before the pages keeps most of this off; but they must not fall over without one. Each open
connection is a file, and a process that has none left can neither accept nor open its store.
"""

import asyncio
import logging
import resource
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MESSAGE_S = 20.0  # for a whole request to come; a form that is late has been answered by then
SENDING_S = 30.0  # without any of an answer being taken
LONGEST_HEAD = 64 * 1024  # looked at with each read, of which one brings at most 256 KiB
LONGEST_MESSAGE = 4 * 1024 * 1024  # a report of 1 MiB in small chunks; trailers count, too
_MOST_FILES = 16_384
_OTHER_FILES = 200  # the store, mails on their way, what is being read

# uvicorn writes a line for each connection that does not speak HTTP: anybody could fill the disk
_log = logging.getLogger("digest.web.connection")
_log.setLevel(logging.ERROR)

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class Patient(HttpToolsProtocol):
    """One connection. `most` may be open at once; `waiting` are those that nothing is done for,
    the longest waiting first, and they make room for others.
    """

    most: ClassVar[int] = 1_000
    message_s: ClassVar[float] = MESSAGE_S
    waiting: ClassVar[dict["Patient", None]] = {}

    _timer: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None
    _came = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; where there is no room, the longest waiting goes."""
        self.logger = _log
        super().connection_made(transport)
        self._await_message()
        self.waiting[self] = None
        if len(self.connections) > self.most:
            next(iter(self.waiting)).give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """End every timer."""
        self._message_is_here()
        self.waiting.pop(self, None)
        self._can_write()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Close without another word."""
        self.waiting.pop(self, None)
        self.connections.discard(self)
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on, up to the most there may be."""
        self._came += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._came > LONGEST_HEAD:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._came > LONGEST_MESSAGE:
            self.give_up()

    def on_message_begin(self) -> None:
        """The first byte of a request: its time runs, if it did not already."""
        self._in_head = True
        if self._timer is None:
            self._await_message()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """From here on somebody works on it."""
        self._in_head = False
        self.waiting.pop(self, None)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of a request is here."""
        self._message_is_here()
        self._came = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for another request, if this was the last that came."""
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None and not self.transport.is_closing():
            self.waiting[self] = None

    def pause_writing(self) -> None:
        """The other side takes no more: it may think it over, but not for ever."""
        super().pause_writing()
        self._writing = self.loop.call_later(SENDING_S, self.give_up)

    def resume_writing(self) -> None:
        """The other side takes what is sent."""
        self._can_write()
        super().resume_writing()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: an upgrade that is not offered may be asked for (RFC 9110 §7.8)."""

    def _await_message(self) -> None:
        self._timer = self.loop.call_later(self.message_s, self.give_up)

    def _message_is_here(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _can_write(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None


def patient(most: int, message_s: float = MESSAGE_S) -> type[Patient]:
    """The protocol of one server, with `most` connections at once."""
    values = {"most": most, "message_s": message_s, "waiting": {}}
    return type("Patient", (Patient,), values)


def room_for_connections(backlog: int) -> int:
    """How many connections this process can hold open, after the limit of open files is raised as
    far as it may be; `backlog` are accepted at once before anybody can count them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = _MOST_FILES if soft == resource.RLIM_INFINITY else min(soft, _MOST_FILES)
    return max(50, files - backlog - _OTHER_FILES)
