"""Export: the whole store, as it was at one instant, into an archive."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import BinaryIO

from sqlalchemy import Connection, Engine
from sqlalchemy import Table as SqlTable

from digest import __version__
from digest.errors import InvalidInput, SchemaMismatch
from digest.services.move.archive import Manifest, Part, Tally, Writer, marked
from digest.services.move.values import Form
from digest.store import schema, whole


def export_store(
    engine: Engine,
    sink: BinaryIO,
    now: datetime,
    each: Callable[[int], None] = lambda _rows: None,
    *,
    secrets: Sequence[str] = (),
) -> Manifest:
    """Write every table into the stream, as the store was at one instant, whoever writes meanwhile;
    `each` is called with the number of rows written since. Of the `secrets` that belong to the
    store only marks are written, by which an import tells whether they came along.

    Raises SchemaMismatch where there is no store.
    """
    if schema.current(engine) is None:  # asked first, as SQLite would make a file of it
        raise SchemaMismatch("there is no store yet: run digest init")
    with Writer(sink) as writer, whole.snapshot(engine) as connection:
        revision = whole.revision(connection)
        tables = whole.tables(connection)
        parts = {one.name: _written(connection, one, writer, each) for one in tables}
        last_ids = whole.last_ids(connection, tables)
        leased, begun = whole.in_the_air(connection)
        manifest = Manifest(
            schema=revision,
            program=__version__,
            created_at=now,
            parts={name: tally.part(last_ids.get(name, 0)) for name, tally in parts.items()},
            leased=leased,
            begun=begun,
            marks=tuple(marked(secret) for secret in secrets),
        )
        writer.finish(manifest)
        return manifest


def tallied(connection: Connection, table: SqlTable) -> Part:
    """What an export would say of a table as it stands now."""
    tally = Tally()
    for lines in _lines(connection, table):
        tally.add(lines)
    return tally.part()


def _written(
    connection: Connection, table: SqlTable, writer: Writer, each: Callable[[int], None]
) -> Tally:
    tally = Tally()
    with writer.part(table.name) as sink:
        for lines in _lines(connection, table):
            sink.write(tally.add(lines))
            each(len(lines))
    return tally


def _lines(connection: Connection, table: SqlTable) -> Iterator[list[bytes]]:
    """A table's lines in chunks. Raises InvalidInput for a value that its column cannot hold."""
    form = Form(table)
    for chunk in whole.rows(connection, table):
        try:
            yield [form.line(row) for row in chunk]
        except InvalidInput as exc:
            raise InvalidInput(f"table {table.name}: {exc}") from exc
