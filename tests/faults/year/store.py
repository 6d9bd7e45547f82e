"""The store of a simulated host: each transaction is a step of the world."""

import atexit
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event

from digest.store import schema
from digest.store.database import open_engine
from tests.faults.year.clock import World

_MEMORY = Path("/dev/shm")


_worlds: list[World] = []


@cache
def watched_engine(url: str) -> Engine:
    """The engine of that store, with a step of the world that lives at that time before each
    transaction and each commit. All processes share it: what they would not share is its pool, and
    statements are compiled but once.
    """
    engine = open_engine(url)

    def connected(_connection: Any) -> None:  # the begin event comes when it has begun
        for world in _worlds:
            world.step("begin")

    def begin(connection: Any) -> None:
        if not connection.get_execution_options().get("read_only", False):
            for world in _worlds:
                world.writer = _is_open(connection.connection.dbapi_connection)

    def commit(_connection: Any) -> None:
        for world in _worlds:
            if world.locked:
                world.step("commit")

    event.listen(engine, "engine_connect", connected)
    event.listen(engine, "begin", begin)
    event.listen(engine, "commit", commit)
    return engine


@contextmanager
def watching(world: World) -> Iterator[None]:
    """The engines make steps of this world within the block."""
    _worlds.append(world)
    try:
        yield
    finally:
        _worlds.remove(world)


def _is_open(connection: Any) -> Callable[[], bool]:
    """Tells whether what this connection writes has not been committed yet."""
    if isinstance(connection, sqlite3.Connection):
        return lambda: _writes(connection)
    return lambda: connection.info.transaction_status != TransactionStatus.IDLE


def _writes(connection: sqlite3.Connection) -> bool:
    try:
        return connection.in_transaction
    except sqlite3.ProgrammingError:  # closed, as its process died
        return False


@cache
def folder() -> Path:
    """This process's folder in memory, where there is such a thing; gone when it ends."""
    where = _MEMORY if _MEMORY.is_dir() else None
    made = tempfile.TemporaryDirectory(prefix="year-", dir=where)
    atexit.register(made.cleanup)
    return Path(made.name)


@cache
def _template() -> bytes:
    """A migrated, empty SQLite store."""
    path = folder() / "template.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    engine.dispose()
    return path.read_bytes()


def fresh_sqlite() -> str:
    """The URL of an empty store, in place of the one before."""
    path = folder() / "digest.sqlite"
    url = f"sqlite:///{path}"
    watched_engine(url).dispose()
    for old in folder().glob("digest.sqlite*"):
        old.unlink()
    path.write_bytes(_template())
    return url
