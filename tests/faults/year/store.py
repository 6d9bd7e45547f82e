"""The store of a simulated host: each transaction is a step of the world."""

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


def watched(engine: Engine, world: World) -> Engine:
    """The engine, with a step of the world before each transaction and before each commit."""

    def connected(_connection: Any) -> None:  # the begin event comes when it has begun
        world.step("begin")

    def begin(connection: Any) -> None:
        if not connection.get_execution_options().get("read_only", False):
            world.writer = _is_open(connection.connection.dbapi_connection)

    def commit(_connection: Any) -> None:
        if world.locked:
            world.step("commit")

    event.listen(engine, "engine_connect", connected)
    event.listen(engine, "begin", begin)
    event.listen(engine, "commit", commit)
    return engine


def _is_open(connection: Any) -> Callable[[], bool]:
    """Tells whether what this connection writes has not been committed yet."""
    if isinstance(connection, sqlite3.Connection):
        return lambda: connection.in_transaction
    return lambda: connection.info.transaction_status != TransactionStatus.IDLE


@contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory, where there is one, that is gone afterwards."""
    where = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="year-", dir=where) as name:
        yield Path(name)


@cache
def _template() -> bytes:
    """A migrated, empty SQLite store."""
    with folder() as here:
        path = here / "template.sqlite"
        engine = open_engine(f"sqlite:///{path}")
        schema.upgrade(engine)
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        engine.dispose()
        return path.read_bytes()


def fresh_sqlite(here: Path) -> str:
    """The URL of an empty store in that folder."""
    path = here / "digest.sqlite"
    path.write_bytes(_template())
    return f"sqlite:///{path}"
