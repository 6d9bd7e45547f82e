"""The whole store, table by table: read in one snapshot, filled in one transaction.

The tables are those of the metadata, so that none can be forgotten; those of an older schema are
asked of the database. What the migrations keep for themselves is none of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from digest.errors import InvalidInput, Refused, SchemaMismatch, StoreError
from digest.faultpoints import reach
from digest.store.database import store_errors
from digest.store.tables import DeliveryRow, metadata, table
from digest.store.version import NEWEST

CHUNK = 1_000
LOCK_TIMEOUT_MS = 10_000

Row = tuple[Any, ...]
"""One row of a table, its values in the order of the table's columns."""

SCHEMAS_OWN = ("alembic_version", "schema_support")
"""Written by the migrations: a store has them from its own, never from an archive."""

_deliveries = table(DeliveryRow)

# limits of the server that are meant for senders: they would end a long export or import
_NO_LIMITS = text(
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN"
    " ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')"
)


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the store as it is at the first question, whoever writes meanwhile."""
    with store_errors(), engine.connect() as fresh:
        if engine.dialect.name == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            connection = fresh.execution_options(**options)
            connection.execute(_NO_LIMITS)
        else:
            connection = fresh.execution_options(read_only=True)
        yield connection
        connection.rollback()


@contextmanager
def filling(engine: Engine, *, keep: bool = True) -> Iterator[Connection]:
    """One transaction over a store that nobody else may write to meanwhile; undone on any error,
    and at its end where it is not to be kept.

    Raises Refused for a store that holds a row.
    """
    with store_errors(), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(_NO_LIMITS)
            _lock(connection)
        if name := _occupied(connection):
            raise Refused(
                f"the store is not empty (there are rows in {name}): import goes into a new store; "
                "name another file or database in store.url, and run digest db upgrade"
            )
        yield connection
        if keep:
            reach("store.whole.filling.commit")
            connection.commit()
            reach("store.whole.filling.committed")
        else:
            connection.rollback()


def revision(connection: Connection) -> str:
    """The schema that this store has."""
    if not inspect(connection).has_table("alembic_version"):
        raise SchemaMismatch("there is no store yet: run digest init")
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return found[0] if len(found) == 1 else ""


def tables(connection: Connection) -> list[SqlTable]:
    """All tables of the store, parents before children."""
    known = metadata
    if revision(connection) != NEWEST:
        known = MetaData()
        known.reflect(connection)
    return [one for one in known.sorted_tables if one.name not in SCHEMAS_OWN]


def rows(connection: Connection, which: SqlTable) -> Iterator[Sequence[Row]]:
    """A table's rows in the order of its primary key, the same on both engines, in chunks."""
    query = select(which).order_by(*_in_order(connection, which))
    with connection.execute(query, execution_options={"yield_per": CHUNK}) as result:
        for partition in result.partitions():
            yield [tuple(row) for row in partition]


def fill(connection: Connection, which: SqlTable, chunk: Sequence[Row]) -> None:
    """Add rows to a table. Raises InvalidInput for what breaks one of its rules."""
    dbapi = connection.dialect.loaded_dbapi
    broken = (dbapi.IntegrityError, dbapi.DataError, dbapi.ProgrammingError, UnicodeError)
    try:
        if connection.dialect.name == "postgresql":
            _copy(connection, which, chunk)
        else:
            names = [column.name for column in which.columns]
            given = [dict(zip(names, row, strict=True)) for row in chunk]
            connection.execute(insert(which), given)
    except (IntegrityError, DataError, ProgrammingError) as exc:
        raise InvalidInput(f"table {which.name}: {exc.orig}") from exc
    except broken as exc:
        raise InvalidInput(f"table {which.name}: {_said(exc)}") from exc
    except dbapi.Error as exc:
        raise StoreError(f"the store failed: {exc}") from exc


def count(connection: Connection, which: SqlTable) -> int:
    """How many rows a table has."""
    return connection.execute(select(func.count()).select_from(which)).scalar_one()


def last_ids(connection: Connection, among: Sequence[SqlTable]) -> dict[str, int]:
    """The highest id that each table ever gave, of those that give none twice."""
    found = {}
    for one in among:
        if is_never_reused(one.name):
            given = _given(connection, one)
            found[one.name] = max(given, _highest(connection, one))
    return found


def set_last_ids(connection: Connection, last: Mapping[str, int]) -> None:
    """Let every table go on behind its highest id, and behind what `last` says it gave before."""
    for one in metadata.sorted_tables:
        if connection.dialect.name == "postgresql":
            _set_sequence(connection, one, last.get(one.name, 0))
        elif is_never_reused(one.name):
            _set_autoincrement(connection, one.name, last.get(one.name, 0))


def is_never_reused(name: str) -> bool:
    """Whether a table's ids outlive its rows."""
    known = metadata.tables.get(name)
    return known is not None and bool(known.dialect_options["sqlite"]["autoincrement"])


def in_the_air(connection: Connection) -> tuple[int, int]:
    """How many deliveries are leased to senders, and how many of them were begun."""
    leased = _deliveries.c.state == "sending"
    query = select(func.count(), func.count(_deliveries.c.begun_at)).where(leased)
    found = connection.execute(query).one()
    return found[0], found[1]


def analyze(connection: Connection) -> None:
    """Let PostgreSQL count what came in, so that it plans its ways well from the first query on."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE")


def _in_order(connection: Connection, which: SqlTable) -> list[Any]:
    plain = connection.dialect.name != "postgresql"
    return [
        column if plain or column.type.python_type is not str else column.collate("C")
        for column in which.primary_key.columns
    ]


def _lock(connection: Connection) -> None:
    quote = connection.dialect.identifier_preparer.format_table
    names = ", ".join(quote(one) for one in metadata.sorted_tables)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
    connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


def _occupied(connection: Connection) -> str | None:
    """The first table that has a row, None where there is no row at all."""
    for one in tables(connection):
        if connection.execute(select(one).limit(1)).first() is not None:
            return one.name
    return None


def _copy(connection: Connection, which: SqlTable, chunk: Sequence[Row]) -> None:
    """PostgreSQL's own way in, several times as fast as INSERT."""
    quote = connection.dialect.identifier_preparer.format_column
    columns = ", ".join(quote(column) for column in which.columns)
    name = connection.dialect.identifier_preparer.format_table(which)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {name} ({columns}) FROM STDIN") as copy:
        for row in chunk:
            copy.write_row(row)


def _said(exc: Exception) -> str:
    """What is wrong, without the row, which may hold an address."""
    if isinstance(exc, UnicodeError):
        return "text that is not Unicode"
    primary: str | None = getattr(getattr(exc, "diag", None), "message_primary", None)
    return primary or str(exc).partition("\n")[0]


def _highest(connection: Connection, which: SqlTable) -> int:
    (key,) = which.primary_key.columns
    return int(connection.execute(select(func.coalesce(func.max(key), 0))).scalar_one())


def _given(connection: Connection, which: SqlTable) -> int:
    if connection.dialect.name == "postgresql":
        last = text("SELECT pg_sequence_last_value(cast(:sequence AS regclass))")
        values = {"sequence": _sequence(connection, which)}
        return int(connection.execute(last, values).scalar() or 0)
    query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    return int(connection.execute(query, {"name": which.name}).scalar() or 0)


def _sequence(connection: Connection, which: SqlTable) -> str | None:
    """The name of the sequence behind a table's key, quoted where it must be."""
    if len(which.primary_key.columns) != 1:
        return None
    (key,) = which.primary_key.columns
    name = connection.dialect.identifier_preparer.format_table(which)
    query = text("SELECT pg_get_serial_sequence(:name, :key)")
    found: str | None = connection.execute(query, {"name": name, "key": key.name}).scalar()
    return found


def _set_sequence(connection: Connection, which: SqlTable, last: int) -> None:
    if sequence := _sequence(connection, which):
        highest = max(last, _highest(connection, which))
        query = text("SELECT setval(cast(:sequence AS regclass), :value, :called)")
        values = {"sequence": sequence, "value": max(highest, 1), "called": highest > 0}
        connection.execute(query, values)


def _set_autoincrement(connection: Connection, name: str, last: int) -> None:
    known = text("UPDATE sqlite_sequence SET seq = max(seq, :last) WHERE name = :name")
    values = {"name": name, "last": last}
    if last and not connection.execute(known, values).rowcount:
        connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), values)
