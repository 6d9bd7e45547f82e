"""Rows by the million, written as quickly as each engine can: COPY, or one statement prepared once.

Nothing of it is measured. Foreign keys are not checked: the rows fit by construction.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from sqlalchemy import make_url

Row = Sequence[Any]


def write(url: str, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows into a table of a migrated store."""
    if url.startswith("postgresql"):
        _copy(url, table, columns, rows)
    else:
        _insert(url, table, columns, rows)


def settle(url: str) -> None:
    """What a store has done long before it has grown to a size: statistics of its tables, sequences
    behind the ids in use, and nothing left in the log.
    """
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as connection:
            for table in ("papers", "aliases", "signals", "subscribers", "interests", "sources"):
                last = f"COALESCE((SELECT max(id) FROM {table}), 1)"
                connection.execute(f"SELECT setval('{table}_id_seq', {last})".encode())
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
    else:
        with sqlite3.connect(_path(url)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


def _copy(url: str, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row(row)


def _insert(url: str, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    marks = ", ".join("?" for _ in columns)
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    connection = sqlite3.connect(_path(url))
    connection.execute("PRAGMA synchronous=OFF")
    with connection:
        connection.executemany(statement, (tuple(map(_plain, row)) for row in rows))
    connection.close()


def _path(url: str) -> str:
    return make_url(url).database or ""


def _plain(value: Any) -> Any:
    """As SQLAlchemy writes it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, date) else value
