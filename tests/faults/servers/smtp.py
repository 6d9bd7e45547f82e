"""A relay that goes wrong in one way at one step, until it is mended; otherwise a sane one.

It counts what it took, and how often its yes to that did not get through: so a test knows what the
ledger cannot.
"""

import socket
import socketserver
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Literal

VICTIM = "victim@example.com"
EXTENSIONS = (b"PIPELINING", b"8BITMIME", b"SIZE 30000000")
Step = Literal["hello", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "body", ".", "RSET"]
Then = Literal["go on", "cut", "reset", "hang", "flood"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong: at `step` the server says `say`, one byte every `drip_s` where that is set,
    and goes on, cuts or resets the connection, says no more, or floods with `say` without end.

    `at_all` hits every mail, else those to VICTIM alone. `takes` is whether a message is taken at
    its final dot all the same, and `is_yes` whether the answer to that is a yes. `times` bounds how
    often it happens.
    """

    step: Step
    say: bytes = b""
    then: Then = "go on"
    drip_s: float = 0.0
    at_all: bool = False
    takes: bool = False
    is_yes: bool = False
    times: int = 1_000_000


@dataclass
class Book:
    """What the server did."""

    taken: list[tuple[str, str]] = field(default_factory=list)  # recipient, Message-ID
    unheard: Counter[str] = field(default_factory=Counter)  # taken, and the yes was not clear
    logins: int = 0
    connections: int = 0
    hits: int = 0


class Server(socketserver.ThreadingTCPServer):
    """Listens on a free port of 127.0.0.1. `fault` may be taken away and set while it runs."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, fault: Fault | None, tls: ssl.SSLContext | None, implicit: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.fault = fault
        self.tls = tls
        self.implicit = implicit
        self.book = Book()
        self.lock = threading.Lock()
        self.over = threading.Event()

    @property
    def port(self) -> int:
        port: int = self.server_address[1]
        return port

    def strikes(self, step: str, recipient: str) -> Fault | None:
        """The fault, where it is to happen now."""
        with self.lock:
            fault = self.fault
            meant = fault and fault.step == step and (fault.at_all or recipient == VICTIM)
            if not fault or not meant or self.book.hits >= fault.times:
                return None
            self.book.hits += 1
            return fault

    def take(self, recipient: str, content: bytes, *, heard: bool) -> None:
        with self.lock:
            self.book.taken.append((recipient, message_from_bytes(content)["Message-ID"]))
            self.book.unheard[recipient] += not heard

    def handle_error(self, *_: object) -> None:
        pass  # clients cut connections


class _Cut(Exception):
    """This connection is over."""


class _Talk(socketserver.BaseRequestHandler):
    """One connection."""

    server: Server
    request: socket.socket

    def handle(self) -> None:
        server = self.server
        with server.lock:
            server.book.connections += 1
        self._recipient, self._is_refused = "", True
        with suppress(_Cut, OSError, ValueError):
            if server.implicit and server.tls:
                self.request = server.tls.wrap_socket(self.request, server_side=True)
            self._lines = self.request.makefile("rb")
            self._say("hello", b"220 relay.example ready\r\n")
            while line := self._lines.readline(2_000):
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        verb = line.split(b" ")[0].strip().upper().decode("ascii", "replace")
        match verb:
            case "EHLO":
                self._say("EHLO", self._offers())
            case "STARTTLS" if self.server.tls:
                self._say("STARTTLS", b"220 go\r\n")
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
                self._lines = self.request.makefile("rb")  # what came in clear is forgotten
            case "AUTH":
                self.server.book.logins += 1
                self._say("AUTH", b"235 welcome\r\n")
            case "RCPT":
                self._recipient = line.partition(b"<")[2].partition(b">")[0].decode()
                self._is_refused = self._say("RCPT", b"250 ok\r\n")[:1] in b"45"
            case "DATA" if self._is_refused:
                self.request.sendall(b"503 5.5.1 no recipient\r\n")
            case "DATA":
                self._say("DATA", b"354 go on\r\n")
                self._message()
            case "QUIT":
                self.request.sendall(b"221 bye\r\n")
                raise _Cut
            case _:
                self._say(verb, b"250 ok\r\n")

    def _message(self) -> None:
        if fault := self.server.strikes("body", self._recipient):
            self._act(fault)
        content = bytearray()
        while (line := self._lines.readline()) not in (b".\r\n", b""):
            content += line
        if not line:
            raise _Cut
        fault = self.server.strikes(".", self._recipient)
        if fault is None or fault.takes:
            heard = fault is None or fault.is_yes
            self.server.take(self._recipient, bytes(content), heard=heard)
        if fault:
            self._act(fault)
        else:
            self.request.sendall(b"250 2.0.0 taken\r\n")

    def _offers(self) -> bytes:
        secured = isinstance(self.request, ssl.SSLSocket)
        more = (b"STARTTLS",) if self.server.tls and not secured else (b"AUTH PLAIN LOGIN",)
        *lines, last = (b"relay.example", *EXTENSIONS, *more)
        return b"".join(b"250-%s\r\n" % line for line in lines) + b"250 %s\r\n" % last

    def _say(self, step: str, sane: bytes) -> bytes:
        if fault := self.server.strikes(step, self._recipient):
            self._act(fault)
            return fault.say
        self.request.sendall(sane)
        return sane

    def _act(self, fault: Fault) -> None:
        while fault.then == "flood" and not self.server.over.is_set():
            self.request.sendall(fault.say)
        if fault.drip_s:
            for byte in fault.say:
                self.request.sendall(bytes([byte]))
                self.server.over.wait(fault.drip_s)
        else:
            self.request.sendall(fault.say)
        if fault.then == "hang":
            self.request.settimeout(60)
            while self.request.recv(65_536):
                pass
        if fault.then == "reset":  # RST instead of FIN
            linger = struct.pack("ii", 1, 0)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.request.close()
        if fault.then != "go on":
            raise _Cut


@contextmanager
def relay(
    fault: Fault | None = None, *, tls: ssl.SSLContext | None = None, implicit: bool = False
) -> Iterator[Server]:
    """A relay in threads of its own; with `tls` it offers STARTTLS, or begins with it."""
    with Server(fault, tls, implicit) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
