"""PostgreSQL databases that tests borrow one after another.

To empty one takes a tenth of the time to make one. What a test left in another shape, or holds on
to, is dropped.
"""

from collections.abc import Collection
from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from tests.postgres import create_database, drop_database

# A change of the schema adds or takes away one of these: an object that replaces one has a new oid.
# Those of PostgreSQL itself are below 16384.
_SHAPE = """
SELECT (SELECT (count(*), max(oid)::text) FROM pg_class
         WHERE oid >= 16384 AND relpersistence <> 't')::text,
       (SELECT count(*) FROM pg_attribute
         WHERE attrelid >= 16384 AND attnum > 0 AND NOT attisdropped)::text,
       (SELECT (count(*), max(oid)::text) FROM pg_attrdef)::text,
       (SELECT (count(*), max(oid)::text) FROM pg_constraint WHERE oid >= 16384)::text,
       (SELECT (count(*), max(oid)::text) FROM pg_trigger)::text,
       (SELECT (count(*), max(oid)::text) FROM pg_proc WHERE oid >= 16384)::text,
       (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
         WHERE oid >= 16384 AND relnamespace = 'public'::regnamespace),
       (SELECT count(*) FROM pg_db_role_setting)::text
"""
_TABLES = """
SELECT relname FROM pg_class
 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname
"""
# sequences whose numbers no longer begin at 1
_COUNTED = "SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL"
_LARGE = """
SELECT relname FROM pg_class
 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 200000
"""
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_LOOKS = 20  # so often 2 ms for connections that are just being closed


class Lender:
    """Lends copies of the database `template`, each to one test at a time."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._free: list[str] = []
        self._made: dict[str, psycopg.Connection] = {}
        with psycopg.connect(f"{server}/{template}") as connection:
            tables = {name for (name,) in connection.execute(_TABLES)}
            kept = _chosen(connection, _filled(tables))  # by the migrations themselves
            self._asked = _filled(tables - kept)
            self._looks = [SQL(_SHAPE), *(_rows(name) for name in sorted(kept))]
            self._shape = self._look(connection)

    def lend(self) -> str:
        """The name of a database that equals the template."""
        if self._free:
            return self._free.pop()
        name = f"test_{len(self._made)}"
        url = create_database(self._server, name, self._template)
        self._made[name] = psycopg.connect(url, autocommit=True)
        self._made[name].execute("SET session_replication_role = replica")  # rows in any order
        return name

    def take_back(self, name: str) -> None:
        """Empty it for the next test, or drop it."""
        connection = self._made[name]
        try:
            is_good = _is_alone(connection) and self._look(connection) == self._shape
        except psycopg.OperationalError:  # whoever ends all connections ends this one, too
            is_good = False
        if is_good:
            self._empty(connection)
            self._free.append(name)
        else:
            connection.close()
            drop_database(self._server, name)

    def close(self) -> None:
        for connection in self._made.values():
            connection.close()

    def _look(self, connection: psycopg.Connection) -> list[object]:
        """What a test must leave as it was: the schema, and the rows that belong to it."""
        return [connection.execute(question).fetchall() for question in self._looks]

    def _empty(self, connection: psycopg.Connection) -> None:
        """Delete the rows; where there were many, let their files begin anew, which for all that
        hangs on a table takes longer than most tests.
        """
        if large := _chosen(connection, _LARGE):
            names = SQL(", ").join(Identifier(name) for name in sorted(large))
            connection.execute(SQL("TRUNCATE {} CASCADE").format(names))
        filled = sorted(_chosen(connection, self._asked))
        deletes = [SQL("DELETE FROM {}").format(Identifier(name)) for name in filled]
        counted = sorted(_chosen(connection, _COUNTED))
        resets = [SQL("SELECT setval({}::regclass, 1, false)").format(name) for name in counted]
        if deletes or resets:
            connection.execute(SQL("; ").join([*deletes, *resets]))


def _is_alone(connection: psycopg.Connection) -> bool:
    for _ in range(_LOOKS):
        if connection.execute(_OTHERS).fetchone() == (0,):
            return True
        connection.execute("SELECT pg_sleep(0.002)")
    return False


def _filled(tables: Collection[str]) -> Composed:
    """Asks which of the tables have rows."""
    return SQL(" UNION ALL ").join(
        SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(name, Identifier(name))
        for name in sorted(tables)
    )


def _rows(table: str) -> Composed:
    return SQL("SELECT * FROM {}").format(Identifier(table))


def _chosen(connection: psycopg.Connection, question: LiteralString | Composed) -> set[str]:
    return {name for (name,) in connection.execute(question)}
