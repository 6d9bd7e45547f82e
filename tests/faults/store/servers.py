"""A shop over PostgreSQL, and faults on the way to it: connections that are ended, replies lost."""

import contextlib
import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event

from tests.faults.store.shop import DAY, Shop
from tests.postgres import create_database, drop_database

_HELD = 65536


@dataclass
class ServerShop(Shop):
    """A shop whose store is a database of this server."""

    server: str = ""
    name: str = "shop"
    made: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.server}/{self.name}"

    def begin(self, stage: str) -> None:
        """Put a store of this stage in the place."""
        gc.collect()
        with contextlib.suppress(psycopg.errors.InvalidCatalogName):
            drop_database(self.server, self.name)
        create_database(self.server, self.name, "template0" if stage == "bare" else f"at_{stage}")

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(question.encode())
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table."""
        names = self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return {name: sorted(self.ask(f'SELECT * FROM "{name}"'), key=repr) for (name,) in names}

    def ledger(self) -> list[tuple[str, str, int]]:
        """State, Message-ID and doubts of every delivery."""
        return self.ask("SELECT state, message_id, doubtful FROM deliveries")

    def let_leases_end(self) -> None:
        """As if a lease's time had passed."""
        past = "UPDATE deliveries SET lease_until = '2026-01-01' WHERE lease_until IS NOT NULL"
        self.ask(past)


def stocked(shop: ServerShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a template of each stage, once a server."""
    monkeypatch.setenv("DIGEST_STORE__URL", shop.url)
    shop.begin("bare")
    for step in DAY:
        shop.desk.ok(*step.command)
        gc.collect()
        create_database(shop.server, f"at_{step.after}", _settled(shop))
    shop.sink.received.clear()


def _settled(shop: ServerShop) -> str:
    """The database's name, once nobody is connected to it: only then it can be copied."""
    with psycopg.connect(f"{shop.server}/postgres", autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [shop.name],
        )
    return shop.name


@contextmanager
def ended_at(server: str, number: int) -> Iterator[list[int]]:
    """Have the server end the connection that is about to run the statement of that number; gives
    the statements that were counted.
    """
    counted = [0]
    guard = threading.Lock()

    def end(connection: Any, *_others: Any) -> None:
        with guard:
            counted[0] += 1
            mine = counted[0] == number
        if mine:
            pid = connection.connection.driver_connection.info.backend_pid
            with psycopg.connect(f"{server}/postgres", autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    event.listen(Engine, "before_cursor_execute", end)
    try:
        yield counted
    finally:
        event.remove(Engine, "before_cursor_execute", end)


class Lossy:
    """A proxy on loopback before a server. The COMMIT of that number reaches the server and is
    done; its reply is lost, and the connection with it.
    """

    def __init__(self, port: int, number: int) -> None:
        self.commits = 0
        self._number = number
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._guard = threading.Lock()

    def __enter__(self) -> "Lossy":
        self._start(self._accept)
        return self

    def __exit__(self, *_raised: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _start(self, act: Any, *given: Any) -> None:
        thread = threading.Thread(target=act, args=given, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                lost = threading.Event()
                self._start(self._to_server, client, server, lost)
                self._start(self._to_client, client, server, lost)

    def _to_server(self, client: socket.socket, server: socket.socket, lost: Any) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(_HELD):
                if b"COMMIT" in data:
                    with self._guard:
                        self.commits += 1
                        if self.commits == self._number:
                            lost.set()
                server.sendall(data)
        _close(client, server)

    def _to_client(self, client: socket.socket, server: socket.socket, lost: Any) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(_HELD):
                if lost.is_set():  # the server has answered, so it has committed
                    break
                client.sendall(data)
        _close(client, server)


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
