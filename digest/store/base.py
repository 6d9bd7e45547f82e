"""What all tables stand on: one metadata with named constraints, and the kinds of columns.

Enumerations are text with a CHECK, because a native PostgreSQL enum cannot gain a member inside a
transaction. Every constraint has a name, so that a migration can find it on both engines.
"""

from enum import StrEnum
from typing import cast

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, MetaData, text
from sqlalchemy import Table as SqlTable
from sqlmodel import SQLModel

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite otherwise gives a deleted row's id to the next one; ledgers, merged papers and signed
# tokens remember ids for longer than the rows live.
NEVER_REUSED = {"sqlite_autoincrement": True}


class Table(SQLModel):
    """Base of all tables: one metadata with the naming convention."""

    metadata = metadata


def table(row: type[Table]) -> SqlTable:
    """The table of a row class, for statements that need no objects."""
    return cast(SqlTable, row.__table__)  # type: ignore[attr-defined]


def one_of(column: str, members: type[StrEnum]) -> CheckConstraint:
    """A CHECK that the text column holds a member's value."""
    values = ", ".join(f"'{m.value}'" for m in members)
    return CheckConstraint(f"{column} IN ({values})", name=column)


def partial(name: str, condition: str, *columns: str, unique: bool = False) -> Index:
    """An index over the rows that meet the condition.

    SQLite takes it only for a query that repeats the condition word for word, without parameters.
    """
    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def count(column: str) -> CheckConstraint:
    """A CHECK that the column holds a count that fits PostgreSQL's integer; NULL passes."""
    return CheckConstraint(f"{column} BETWEEN 0 AND 2147483647", name=column)


def parent(
    target: str,
    *,
    on_delete: str = "CASCADE",
    nullable: bool = False,
    index: bool = True,
    primary_key: bool = False,
) -> Column[int]:
    """A reference to another table's id."""
    reference = ForeignKey(target, ondelete=on_delete)
    return Column(reference, nullable=nullable, index=index, primary_key=primary_key)
