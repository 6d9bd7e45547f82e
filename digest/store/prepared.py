"""Statements written out once for a driver, for what is asked for every message.

SQLAlchemy finds the text of a statement anew each time, and turns every column of every row into
what its type says; that takes longer than the store does.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Dialect,
    Executable,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import CompilerElement
from sqlmodel import Session

POSTGRESQL = "postgresql"


class Prepared:
    """One statement in a driver's own words.

    What it is given is turned into what the driver takes. What comes back is the driver's own, so
    ask for no dates.
    """

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        assert isinstance(statement, CompilerElement)
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        parameters = {name: compiled.binds[name] for name in compiled.params}
        self._text = str(compiled)
        self._order = compiled.positiontup
        self._processors = {
            name: process
            for name, parameter in parameters.items()
            if (process := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        }
        self._fixed = {
            name: process(parameter.value)
            if (process := self._processors.get(name))
            else parameter.value
            for name, parameter in parameters.items()
            if not parameter.required
        }

    def rows(self, session: Session, values: dict[str, Any]) -> Sequence[Any]:
        """Run it with these values; the rows that it gives."""
        return session.connection().exec_driver_sql(self._text, self._parameters(values)).all()

    def run(self, session: Session, values: dict[str, Any]) -> None:
        """Run it with these values."""
        session.connection().exec_driver_sql(self._text, self._parameters(values))

    def run_each(self, session: Session, values: Sequence[dict[str, Any]]) -> None:
        """Run it with each of these."""
        many = [self._parameters(one) for one in values]
        session.connection().exec_driver_sql(self._text, many)

    def _parameters(self, values: dict[str, Any]) -> Any:
        given = self._fixed | values
        for name, process in self._processors.items():
            if name in values:
                given[name] = process(given[name])
        return tuple([given[name] for name in self._order]) if self._order else given


def prepared(build: Callable[[str], Executable]) -> Callable[[Session], Prepared]:
    """For a function that builds a statement for the dialect of that name: the same, written out
    for a session's driver.
    """

    @lru_cache(maxsize=8)
    def written(dialect: Dialect) -> Prepared:
        return Prepared(build(dialect.name), dialect)

    return lambda session: written(session.get_bind().dialect)


def among(dialect: str, column: Column[Any], name: str) -> ColumnElement[bool]:
    """That the column holds one of a list of that name, which is one value for the driver however
    long it is.
    """
    if dialect == POSTGRESQL:
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    listed = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
    return column.in_(select(listed.c.value))


def as_date(day: date | str) -> date:
    """A date as the driver gave it: SQLite's is text."""
    return date.fromisoformat(day) if isinstance(day, str) else day
