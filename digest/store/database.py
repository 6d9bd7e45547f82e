"""The engine and its sessions, on SQLite or PostgreSQL."""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, ExceptionContext, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    IntegrityError,
    InvalidatePoolError,
    ProgrammingError,
)
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session, create_engine

from digest.errors import ConfigError, StoreError
from digest.faultpoints import caller, reach
from digest.store.troubles import plainly

BUSY_TIMEOUT_MS = 10_000
SCRUB_TIMEOUT_MS = 1_000
REST_S = 1.0
_LEAVES_NO_TRACE = "leaves no trace"
_INCREMENTAL = 2  # what `PRAGMA auto_vacuum` says of it
LEASE = timedelta(seconds=30)
CONNECT_S = 10
STATEMENT_S = 300  # longer than any of ours: what runs away ends at last
LEAST_S = 5.0  # of the other timeouts, however short a lease


def open_engine(url: str, lease: timedelta = LEASE) -> Engine:
    """An engine for `sqlite:///path` or `postgresql://…`.

    SQLite runs in WAL mode with foreign keys on, and a transaction takes the write lock with its
    first statement (BEGIN IMMEDIATE): a reader that turns writer would otherwise fail with
    "database is locked" in spite of the busy timeout. On PostgreSQL a host that is cut off holds
    no row for longer than a third of `lease`. Raises ConfigError for a URL that is neither.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        shown = re.sub(r"//.*@", "//…@", url)  # a password may stand before the host
        raise ConfigError(f"store.url {shown!r} is no database URL: write sqlite:///path") from exc
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed.render_as_string(hide_password=False), parsed.database)
        case "postgresql":
            return _postgresql(url, lease)
        case other:
            raise ConfigError(f"store.url: {other!r} is not supported: use sqlite or postgresql")


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One session in one transaction: committed at the end, rolled back on any error.

    An operational error of the engine (disk full, locked, gone) is raised as StoreError.
    """
    place = caller(2)  # contextlib stands between
    with store_errors(), Session(engine, expire_on_commit=False) as session:
        with session.begin():
            yield session
            reach(place, "commit")
        reach(place, "committed")
        if session.info.get(_LEAVES_NO_TRACE):
            scrub(engine)


def leave_no_trace(session: Session) -> None:
    """Have what this transaction deletes scrubbed out of SQLite's files once it is committed."""
    session.info[_LEAVES_NO_TRACE] = True


def scrub(engine: Engine) -> bool:
    """Write SQLite's write-ahead log into its file and cut it off, so that neither holds what was
    deleted; whether it could: a reader or a writer at work puts it off to the next time.

    PostgreSQL's dead rows are its VACUUM's business, and its log that of whoever archives it.
    """
    if engine.dialect.name != "sqlite":
        return True
    with _bare(engine) as connection:
        connection.execute(f"PRAGMA busy_timeout={SCRUB_TIMEOUT_MS}")
        try:
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:  # what is to be scrubbed has been committed all the same
            return False
        finally:
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return not busy


def free_pages(engine: Engine, most: int = 1_000) -> int:
    """Give at most so many free pages of SQLite's file back to the disk, in one transaction; how
    many. None of a file that was made by a version before this: `compact` mends that.
    """
    if engine.dialect.name != "sqlite":
        return 0
    with _bare(engine) as connection:
        (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
        (before,) = connection.execute("PRAGMA freelist_count").fetchone()
        if mode != _INCREMENTAL or not before:
            return 0
        # a page a step, and `execute` takes but one step of what has no columns
        connection.executescript(f"PRAGMA incremental_vacuum({most})")
        (after,) = connection.execute("PRAGMA freelist_count").fetchone()
        return int(before - after)


def compact(engine: Engine) -> None:
    """Write SQLite's file anew, without holes, so that `free_pages` works from then on.

    Nobody else can write meanwhile, and it takes as much disk again. PostgreSQL's VACUUM lets
    others work, and makes room for new rows.
    """
    if engine.dialect.name != "sqlite":
        with store_errors(), engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM"))
        return
    with _bare(engine) as raw:
        raw.execute("PRAGMA auto_vacuum=INCREMENTAL")
        raw.execute("VACUUM")
    scrub(engine)


@contextmanager
def _bare(engine: Engine) -> Iterator[sqlite3.Connection]:
    """SQLite's own connection, outside of any transaction, where alone some pragmas work."""
    place = caller(2)
    with store_errors(), closing(engine.raw_connection()) as connection:
        reach(place, "begun")
        yield cast(sqlite3.Connection, connection.driver_connection)
        reach(place, "done")


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session to read with: nothing is committed, and on SQLite it takes no write lock."""
    with store_errors(), engine.connect().execution_options(read_only=True) as connection:
        with Session(connection, expire_on_commit=False) as session:
            yield session
        connection.rollback()


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise as StoreError what the engine itself cannot do: disk full, locked, gone, no database.

    A broken constraint stays what it is: that is the caller's mistake, not the engine's.
    """
    try:
        yield
    except (IntegrityError, DataError, ProgrammingError):
        raise
    except DatabaseError as exc:
        raise StoreError(plainly(exc.orig)) from exc
    except sqlite3.DatabaseError as exc:  # raised by the pragmas of a fresh connection
        raise StoreError(plainly(exc)) from exc


def clock_ahead(engine: Engine, now: Callable[[], datetime]) -> timedelta:
    """By how much the store's clock is ahead of this host's, half the way there allowed for.

    On PostgreSQL all hosts' leases go by the server's clock: by their own, a host half a minute
    ahead would take over what another is sending. Zero on SQLite, which knows one host.
    """
    if engine.dialect.name != "postgresql":
        return timedelta(0)
    with reading(engine) as session:
        session.connection()  # connecting takes longer than asking
        before = now()
        theirs: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        return theirs.astimezone(UTC) - (before + (now() - before) / 2)


def _sqlite(url: str, path: str | None) -> Engine:
    if path and path != ":memory:":
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ConfigError(f"store.url: the folder of {path} cannot be made: {exc}") from exc
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, hide_parameters=True
    )

    @event.listens_for(engine, "do_connect")
    def _choose(
        _dialect: object, record: ConnectionPoolEntry, given: list[str], options: Any
    ) -> None:
        if path and _is_frozen(Path(path)):
            record.info["frozen"] = True
            given[0] = f"file:{quote(str(Path(path).absolute()))}?immutable=1"
            options["uri"] = True

    @event.listens_for(engine, "checkin")
    def _let_go(_connection: object, record: ConnectionPoolEntry) -> None:
        if record.info.get("frozen"):  # it would not see what others write once they can
            record.invalidate(soft=True)

    @event.listens_for(engine, "handle_error")
    def _judge(context: ExceptionContext) -> None:
        code = getattr(context.original_exception, "sqlite_errorcode", 0)
        if context.connection and code & 0xFF == sqlite3.SQLITE_READONLY:
            context.connection.info["frozen"] = True  # it stays so, though the disk may not

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # our own BEGIN below, so that DDL is transactional too
        connection.create_function("lower", 1, _lower, deterministic=True)
        _write_ahead(connection)
        for pragma in (
            "secure_delete=ON",  # what is erased is overwritten; builds of SQLite differ here
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _is_frozen(path: Path) -> bool:
    """Whether nobody can be writing here: the folder takes no new file, and there is no log beside
    the store. SQLite then reads it only where it is told so (sqlite.org/wal.html#read_only).
    """
    log = path.with_name(f"{path.name}-wal")
    return path.is_file() and not os.access(path.parent, os.W_OK) and not log.exists()


def _lower(value: object) -> str | None:
    """SQLite's own `lower` knows ASCII alone."""
    return None if value is None else str(value).lower()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn on WAL, and in a new file the giving back of free pages, waiting for whoever is doing
    the same at this moment.

    SQLite answers SQLITE_BUSY here at once: its busy timeout does not hold for this change.
    """
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            if connection.execute("PRAGMA page_count").fetchone() == (0,):
                # later it would want the write lock, and have no effect
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            busy = exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise
            time.sleep(0.02)
        else:
            return


def _postgresql(url: str, lease: timedelta) -> Engine:
    try:
        engine = create_engine(url, connect_args=timeouts(url, lease), hide_parameters=True)
    except ModuleNotFoundError as exc:
        raise ConfigError(
            "store.url names PostgreSQL, whose driver is missing: install the extra 'postgres'"
        ) from exc
    _ping_after_rest(engine)
    return engine


def timeouts(url: str, lease: timedelta) -> dict[str, str | int]:
    """What libpq is told, so that each end notices early when the other is cut off.

    Well within a lease the server ends a transaction whose client is silent, and with it its locks;
    who waits for these waits a little longer. What `url` says in its own `options` counts more.
    """
    third = max(lease.total_seconds() / 3, LEAST_S)
    at_the_server = {
        "idle_in_transaction_session_timeout": round(1000 * third),
        "lock_timeout": round(1500 * third),
        "statement_timeout": 1000 * STATEMENT_S,
        "tcp_keepalives_idle": max(round(third), 1),
        "tcp_keepalives_interval": max(round(third / 3), 1),
        "tcp_keepalives_count": 3,
        "tcp_user_timeout": round(2000 * third),
    }
    options = [f"-c {name}={value}" for name, value in at_the_server.items()]
    own = make_url(url).query.get("options", "")
    return {
        "connect_timeout": CONNECT_S,
        "keepalives_idle": max(round(third), 1),
        "keepalives_interval": max(round(third / 3), 1),
        "keepalives_count": 3,
        "tcp_user_timeout": round(1500 * third),
        "options": " ".join([*options, *([own] if isinstance(own, str) else own)]).strip(),
    }


def patient(connection: Connection) -> None:
    """Let this transaction take the time that it needs, as a migration or an export does."""
    if connection.dialect.name == "postgresql":
        for name in ("statement", "lock", "idle_in_transaction_session"):
            connection.execute(text(f"SET LOCAL {name}_timeout = 0"))


def _ping_after_rest(engine: Engine) -> None:
    """Ask a server that was not asked for a while whether it is still there, and connect anew where
    it is not; senders ask it so often that asking before each time would be a fifth of all ways.
    """

    @event.listens_for(engine, "checkin")
    def _remember(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: ConnectionPoolEntry, _lent: object) -> None:
        now = time.monotonic()
        if now - record.info.get("rests_since", now) < REST_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as exc:
            raise InvalidatePoolError from exc
