"""Import: an archive into an empty store, all of it or nothing.

The archive is read twice: first it is compared with its manifest, byte by byte, before the store is
touched; then its rows go in, in one transaction. Before the commit the store's rows are read and
hashed as an export would.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from sqlalchemy import Connection, Engine
from sqlalchemy import Table as SqlTable

from digest.errors import InvalidInput, SchemaMismatch, StoreError
from digest.services.move.archive import Manifest, Part, Reader, marked
from digest.services.move.exports import tallied
from digest.services.move.values import Form
from digest.store import schema, whole
from digest.store.database import open_engine
from digest.store.version import NEWEST

Each = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What an archive brought, or would: the store's tables as they are now, parents first."""

    manifest: Manifest
    parts: Mapping[str, Part]

    @property
    def upgraded(self) -> bool:
        """Whether the rows had to be brought to this program's schema."""
        return self.manifest.schema != NEWEST

    def lacks(self, secrets: Sequence[str]) -> bool:
        """Whether a secret that belonged to the store is not among these."""
        return not set(self.manifest.marks) <= {marked(secret) for secret in secrets}


def import_store(
    engine: Engine,
    source: BinaryIO,
    *,
    dry_run: bool = False,
    each: Each = lambda _rows: None,
) -> Imported:
    """Fill an empty store of this program's schema from an archive; `each` is called with the
    number of rows that went in since. A dry run does the same and takes it all back.

    Raises InvalidInput for a damaged archive and one of a newer program, Refused for a store that
    is not empty, StoreError where the store afterwards is not what the archive says.
    """
    reader = Reader(source)
    manifest = reader.manifest
    _require_known(manifest)
    tables = _our_tables(engine)
    if manifest.schema == NEWEST:
        _verify(reader, tables)
        with whole.filling(engine, keep=not dry_run) as connection:
            parts = _from_archive(connection, reader, each)
            _finish(connection, manifest)
        return Imported(manifest=manifest, parts=parts)
    with _upgraded(reader) as older, whole.filling(engine, keep=not dry_run) as connection:
        parts = _from_store(connection, older, each)
        _finish(connection, manifest)
    return Imported(manifest=manifest, parts=parts)


def _require_known(manifest: Manifest) -> None:
    if manifest.schema > schema.head():
        raise InvalidInput(
            f"the archive was written by a newer version of the program ({manifest.program}, schema"
            f" {manifest.schema}, known up to {schema.head()}): install that version"
        )


def _our_tables(engine: Engine) -> list[SqlTable]:
    with whole.snapshot(engine) as connection:
        if (found := whole.revision(connection)) != NEWEST:
            raise SchemaMismatch(
                f"the store has schema {found}, and this program fills only its own, {NEWEST}: "
                "import with the program that made the store"
            )
        return whole.tables(connection)


def _verify(reader: Reader, tables: Sequence[SqlTable]) -> None:
    """Compare the archive's tables with the schema's and its bytes with the manifest."""
    known, told = {table.name for table in tables}, set(reader.manifest.parts)
    if unknown := told - known:
        raise InvalidInput(f"the archive holds a table that is unknown: {min(unknown)!r}")
    if missing := known - told:
        raise InvalidInput(f"the archive lacks the table {min(missing)!r}")
    for table in tables:
        reader.verify(table.name)


def _from_archive(connection: Connection, reader: Reader, each: Each) -> dict[str, Part]:
    """Fill all tables; they then hold what the manifest says."""
    tables = whole.tables(connection)
    for table in tables:
        for chunk in reader.rows(Form(table), whole.CHUNK):
            whole.fill(connection, table, chunk)
            each(len(chunk))
    return _checked(connection, tables, reader.manifest.parts)


def _from_store(connection: Connection, older: Engine, each: Each) -> dict[str, Part]:
    """Fill all tables from another store of the same schema."""
    tables = whole.tables(connection)
    with whole.snapshot(older) as source:
        for table in tables:
            for chunk in whole.rows(source, table):
                whole.fill(connection, table, chunk)
                each(len(chunk))
        parts = {table.name: tallied(source, table) for table in tables}
    return _checked(connection, tables, parts)


def _checked(
    connection: Connection, tables: Sequence[SqlTable], told: Mapping[str, Part]
) -> dict[str, Part]:
    found = {table.name: tallied(connection, table) for table in tables}
    for name, part in found.items():
        if (part.rows, part.sha256) != (told[name].rows, told[name].sha256):
            raise StoreError(
                f"table {name} holds other rows than the archive ({part.rows} of "
                f"{told[name].rows}): nothing was kept"
            )
    return found


def _finish(connection: Connection, manifest: Manifest) -> None:
    last = {name: part.last_id for name, part in manifest.parts.items()}
    whole.set_last_ids(connection, last)
    whole.analyze(connection)


@contextmanager
def _upgraded(reader: Reader) -> Iterator[Engine]:
    """A passing SQLite store, filled at the archive's schema and then brought to ours."""
    with TemporaryDirectory(prefix="digest-import-") as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'store.sqlite3'}")
        try:
            schema.upgrade(engine)
            schema.downgrade(engine, reader.manifest.schema)
            with whole.filling(engine) as connection:
                _verify(reader, whole.tables(connection))
                _from_archive(connection, reader, lambda _rows: None)
            schema.upgrade(engine)
            yield engine
        finally:
            engine.dispose()
