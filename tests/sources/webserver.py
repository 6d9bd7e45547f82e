"""A real HTTP server on loopback that answers as a test tells it, and a clock that tests move."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from digest.sources.http import HttpClient

START = datetime(2026, 3, 12, 12, tzinfo=UTC)


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    during: Callable[[], None] = lambda: None  # runs between headers and body


@dataclass
class Asked:
    path: str
    headers: dict[str, str]


class Web:
    """`answers[path]` is a list of replies, given one after the other, the last for ever."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answers: dict[str, list[Reply]] = {}
        self.asked: list[Asked] = []

    def reply(self, path: str) -> Reply:
        replies = self.answers.get(path) or self.answers.get(path.partition("?")[0])
        if not replies:
            return Reply(404)
        return replies.pop(0) if len(replies) > 1 else replies[0]


class Clock:
    """Seconds that pass only when somebody sleeps, or a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.seconds += seconds

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


@contextmanager
def serving() -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            web.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}))
            reply = web.reply(self.path)
            self.send_response(reply.status)
            headers = {"Content-Length": str(len(reply.body))} | reply.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                half = len(reply.body) // 2
                self.wfile.write(reply.body[:half])
                self.wfile.flush()
                reply.during()
                self.wfile.write(reply.body[half:])
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client had enough

        def log_message(self, *_args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_args: object) -> None:
            pass  # a client that had enough closes in the middle

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web = Web(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def a_client(clock: Clock, **changes: object) -> HttpClient:
    return HttpClient("ops@example.org", clock=clock, sleep=clock.sleep, wall=clock.wall, **changes)  # type: ignore[arg-type]
