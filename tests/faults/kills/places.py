"""Stores to die over: each case gets a copy of a folder and of the store that was stocked once."""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Engine, inspect, text

from digest.store import schema
from digest.store.database import open_engine
from digest.store.tables import metadata
from tests.faults.waiting import until
from tests.postgres import create_database, drop_database

STORE = "digest.sqlite3"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(r"\d{8}T\d{6,12}Z|(?<=<confirm\.)[0-9a-f]+")
_numbers = count(1)


def _number() -> str:
    return f"{os.getpid()}_{next(_numbers)}"


class Row(NamedTuple):
    """What the ledger says of one mail."""

    message_id: str
    recipient: str
    kind: str
    state: str
    doubtful: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder to run the program in, and the store that it uses there."""

    folder: Path
    url: str

    server: str
    name: str

    @property
    def settings(self) -> dict[str, str]:
        """Where the store is."""
        return {"DIGEST_STORE__URL": self.url}

    def kept(self) -> "Stock":
        """A stock of it all as it stands now."""
        folder = self.folder.with_name(f"kept_{_number()}")
        shutil.copytree(self.folder, folder)
        if self.server:
            create_database(self.server, folder.name, self.name)
        return Stock(folder=folder, server=self.server, template=folder.name)

    def ledger(self) -> list[Row]:
        """All rows that are mails, once nobody else has the store open."""
        with self._alone() as connection:
            rows = connection.execute(
                text(
                    "SELECT message_id, coalesce(email, ''), kind, state, doubtful"
                    " FROM deliveries LEFT JOIN subscribers ON subscribers.id = subscriber_id"
                    " WHERE state <> 'skipped' ORDER BY deliveries.id"
                )
            )
            return [Row(*row) for row in rows]

    def leases_run_out(self) -> None:
        """As if the time had passed that the dead process had them for."""
        with self._alone() as connection:
            for one in metadata.sorted_tables:
                if "lease_until" in one.c:
                    held = one.c.lease_until.is_not(None)
                    connection.execute(one.update().where(held).values(lease_until=LONG_AGO))
            connection.commit()

    def content(self) -> dict[str, list[str]]:
        """All rows of all tables that there are, without numbers and instants, which differ from
        run to run, and what is made of these.
        """
        with self._alone() as connection:
            there = inspect(connection).get_table_names()
            return {
                one.name: sorted(_shown(row) for row in connection.execute(one.select()))
                for one in metadata.sorted_tables
                if one.name in there
            }

    def refusals(self) -> list[tuple[str, ...]]:
        """Of whom something came back, and what was done, whatever the day."""
        query = "SELECT address_hash, kind, detail, acted FROM bounces ORDER BY 1, 2"
        with self._alone() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        engine = open_engine(self.url)
        try:
            with engine.connect() as connection:
                _wait_for_the_dead(connection)
                yield connection
                connection.rollback()
        finally:
            engine.dispose()


def _shown(row: Iterable[object]) -> str:
    values = [value for value in row if not isinstance(value, int | float | datetime)]
    return _INSTANT.sub("", repr(values))


def _wait_for_the_dead(connection: Connection) -> None:
    """PostgreSQL may still be doing what a dead client has asked for."""
    if connection.dialect.name != "postgresql":
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def is_alone() -> bool:
        left = connection.execute(others).scalar_one()
        connection.rollback()
        return left == 0

    until(is_alone, "PostgreSQL has noticed who died", look_s=0.005)


@dataclass(frozen=True, kw_only=True)
class Stock:
    """A folder and a store to copy; `server` is PostgreSQL's URL, empty for SQLite."""

    folder: Path
    server: str
    template: str

    @contextmanager
    def copy(self) -> Iterator[Place]:
        """A place of one case's own, which goes with it."""
        name = f"place_{_number()}"
        folder = self.folder.with_name(name)
        shutil.copytree(self.folder, folder)
        if self.server:
            url = create_database(self.server, name, self.template)
        else:
            url = f"sqlite:///{folder / STORE}"
        try:
            yield Place(folder=folder, url=url, server=self.server, name=name)
        finally:
            if self.server:
                drop_database(self.server, name)
            shutil.rmtree(folder)


def stocked(folder: Path, server: str, fill: Callable[[Path, Engine], None]) -> Stock:
    """A stock that `fill` has filled."""
    folder.mkdir()
    name = f"stock_{_number()}"
    url = create_database(server, name) if server else f"sqlite:///{folder / STORE}"
    engine = open_engine(url)
    schema.upgrade(engine)
    fill(folder, engine)
    engine.dispose()
    return Stock(folder=folder, server=server, template=name)
