"""A server of sources that says raw bytes: what no library would let it say."""

import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Pieces = Iterable[bytes]
Answer = bytes | Callable[["Site"], Pieces]

GOOD = (
    b"<?xml version='1.0'?><rss version='2.0'><channel><title>x</title><item>"
    b"<title>Learning to Wait</title><link>https://arxiv.org/abs/2603.00001</link>"
    b"</item></channel></rss>"
)


def ok(body: bytes, *headers: str) -> bytes:
    """A whole reply."""
    return b"%s%s\r\n\r\n%s" % (head(*headers), b"\r\nContent-Length: %d" % len(body), body)


def head(*headers: str, status: str = "200 OK") -> bytes:
    """Status line and headers, without the empty line."""
    return "\r\n".join((f"HTTP/1.1 {status}", *headers)).encode("latin-1")


@dataclass
class Site:
    """What stands at each path, what was asked for, and a place that must not be asked."""

    url: str
    pages: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    secret: str = ""

    def slowly(self, data: bytes, pause_s: float = 0.02) -> Pieces:
        """One byte after the other, for as long as anybody listens."""
        for byte in data:
            yield bytes([byte])
            self.over.wait(pause_s)

    def for_ever(self, piece: bytes, first: bytes = b"") -> Pieces:
        yield first
        while not self.over.is_set():
            yield piece


class _Talk(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        site = self.server.site
        with suppress(OSError):
            while line := self.rfile.readline(65_536):
                path = line.split(b" ")[1].decode("latin-1") if b" " in line else ""
                while self.rfile.readline(65_536).strip():
                    pass
                site.asked.append(path)
                answer = site.pages.get(path, head(status="404 Not Found") + b"\r\n\r\n")
                if not isinstance(answer, bytes):
                    for piece in answer(site):
                        self.wfile.write(piece)
                    return
                self.wfile.write(answer)
                if b"\r\nContent-Length: " not in answer:
                    return


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    site: Site

    def handle_error(self, *_: object) -> None:
        pass  # whoever asks has had enough


@contextmanager
def site(host: str = "127.0.0.1") -> Iterator[Site]:
    """A server in threads of its own."""
    with _Server((host, 0), _Talk) as server:
        server.site = Site(f"http://{host}:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.site
        finally:
            server.site.over.set()
            server.shutdown()
            thread.join()
