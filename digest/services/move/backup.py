"""SQLite's own copy of a store while it is in use; PostgreSQL has `pg_dump` for that."""

import errno
import os
import shlex
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Engine

from digest.errors import SchemaMismatch, StoreError, UsageError
from digest.services.move.outputs import beside
from digest.store import schema
from digest.store.database import store_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """A copy that was made and checked."""

    bytes: int
    schema: str


def back_up(engine: Engine, file: Path) -> Backup:
    """Copy the store into a new file of mode 600, whatever its schema and whoever writes to it
    meanwhile, and check the copy: its pages, its references, its schema.

    Raises UsageError on PostgreSQL, with the command for it, and for a file that is there already;
    StoreError for a store that is damaged.
    """
    if engine.dialect.name != "sqlite":
        raise UsageError(
            f"the store is PostgreSQL, which has its own tool: {pg_dump(engine, file)}"
        )
    found = schema.current(engine)
    if found is None:
        raise SchemaMismatch("there is no store yet: run digest init")
    with beside(file, replace=False) as passing:
        with store_errors():
            _copied(engine, passing)
        return Backup(bytes=passing.stat().st_size, schema=found)


def pg_dump(engine: Engine, file: Path) -> str:
    """The command that backs up this PostgreSQL store, without its password."""
    url = engine.url
    parts = (url.username, None, url.host, url.port, url.database, url.query)
    where = URL.create("postgresql", *parts).render_as_string(hide_password=False)
    return shlex.join(["pg_dump", "--format=custom", f"--file={file}", where])


def _copied(engine: Engine, file: Path) -> None:
    """All pages in one step of the backup API: one read transaction, which in WAL mode keeps no
    writer waiting and is never begun anew because of one (sqlite.org/backup.html).
    """
    with closing(sqlite3.connect(file, isolation_level=None)) as copy:
        pooled = engine.raw_connection()
        try:
            source = pooled.driver_connection
            if not isinstance(source, sqlite3.Connection):
                raise StoreError("the store's driver has no backup: copy it with digest export")
            source.backup(copy, pages=-1)
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode == sqlite3.SQLITE_FULL:  # the copy's disk: we only read ours
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from exc
            raise
        finally:
            pooled.close()
        copy.execute("PRAGMA journal_mode=DELETE")  # one file alone, until a program opens it
        said = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
        if said != ["ok"]:
            raise StoreError(f"the store is damaged, and so would be the backup: {said[0]}")
        if lost := copy.execute("PRAGMA foreign_key_check").fetchone():
            raise StoreError(f"the store is damaged: rows of {lost[0]} lack their parent")
