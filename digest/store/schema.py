"""The store's schema: which version it has, bringing it up, and refusing one we do not know."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Engine, delete, insert, inspect, text

from digest import resources
from digest.errors import SchemaMismatch, StoreError
from digest.faultpoints import reach
from digest.store import tables
from digest.store.database import patient, store_errors
from digest.store.tables import SchemaSupportRow, metadata
from digest.store.version import is_usable

_LITERAL = re.compile(r"'[^']*'|-?\b\d+\b")
_NO_STORE = "there is no store yet: run digest init"
_UPGRADE_LOCK = 4_919_202_601  # any number that nothing else on the server uses


def head() -> str:
    """The schema version that this program knows."""
    newest = _scripts().get_current_head()
    if newest is None:
        raise StoreError("no migrations are installed: install the package again")
    return newest


def current(engine: Engine) -> str | None:
    """The store's schema version, None where there is no store yet.

    A SQLite file that does not exist is not made. Raises StoreError for a file that is no database.
    """
    if _is_missing(engine):
        return None
    with store_errors(), engine.connect().execution_options(read_only=True) as connection:
        return _revision(connection)


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring the store to `head`, and give the versions before and after.

    All of it happens in one transaction, under a lock: of two processes that upgrade at once, the
    second waits and finds nothing to do. Raises SchemaMismatch for a store of a newer program.
    """
    with _migrating(engine) as connection:
        before = _revision(connection)
        _require_ours(before)
        if before is None:
            _require_empty(connection)
        command.upgrade(_config(connection), "head")
        _say_who_can_use_it(connection)
        return before, head()


def downgrade(engine: Engine, revision: str) -> None:
    """Take the store back to an older revision, `base` for none: what came later is lost."""
    with _migrating(engine) as connection:
        command.downgrade(_config(connection), revision)
        _say_who_can_use_it(connection)


def require_known(engine: Engine) -> None:
    """Raise SchemaMismatch, saying what to run, unless this program can use the store: its schema
    is ours, or a newer one that only adds to it.
    """
    found = current(engine)
    if found is None:
        raise SchemaMismatch(_NO_STORE)
    if not _is_known(found) and is_usable(engine):
        return
    _require_ours(found)
    if found == head():
        return
    raise SchemaMismatch(
        f"the store has schema {found}, this program needs {head()}: run digest db upgrade"
    )


def check(engine: Engine) -> list[str]:
    """How the store differs from `tables.py`, one line per difference; empty where it does not."""
    if current(engine) is None:
        raise SchemaMismatch(_NO_STORE)
    with store_errors(), engine.connect().execution_options(read_only=True) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [_line(item) for item in compare_metadata(context, metadata)]
        return differences + _check_constraints(connection)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_folder()))


def _folder() -> Path:
    folder = resources.folder("migrations")
    if not folder.is_dir():
        raise StoreError(f"the migrations are missing at {folder}: install the package again")
    return folder


def _config(connection: Connection) -> Config:
    config = Config(stdout=io.StringIO())  # what Alembic prints is for its own command line
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_known(revision: str) -> bool:
    return revision in {script.revision for script in _scripts().walk_revisions()}


def _require_ours(revision: str | None) -> None:
    if revision is None or _is_known(revision):
        return
    raise SchemaMismatch(
        f"this store was written by a newer version of the program (schema {revision}, "
        f"known up to {head()}): install that version"
    )


def _say_who_can_use_it(connection: Connection) -> None:
    """Write the last schema that the program before it could not use, `contracts` in its migration:
    programs that know it, or a later one, can use the store.
    """
    support = tables.table(SchemaSupportRow)
    revision = _revision(connection)
    if revision is None or not inspect(connection).has_table(support.name):
        return
    way = _scripts().iterate_revisions(revision, "base")
    oldest = next(script.revision for script in way if getattr(script.module, "contracts", False))
    connection.execute(delete(support))
    connection.execute(insert(support).values(oldest=oldest))


def _require_empty(connection: Connection) -> None:
    if found := sorted(set(inspect(connection).get_table_names()) & set(metadata.tables)):
        raise SchemaMismatch(
            f"store.url names a database of another program (it has a table {found[0]!r} but no "
            "schema version): give an empty one"
        )


def _is_missing(engine: Engine) -> bool:
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        return False
    return not Path(path).exists()


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    """One locked transaction to change the schema in."""
    with store_errors(), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            with connection.begin():
                patient(connection)
                lock = text("SELECT pg_advisory_xact_lock(:key)")
                connection.execute(lock, {"key": _UPGRADE_LOCK})
                yield connection
                reach("store.schema.migrating.commit")
        else:
            with _foreign_keys_off(connection), connection.begin():
                yield connection
                _require_sound(connection)
                reach("store.schema.migrating.commit")
        reach("store.schema.migrating.committed")


@contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    """SQLite's foreign keys off: the pragma works outside a transaction only, hence the raw call.

    Batch operations drop and rename tables; with the keys on, that deletes child rows by cascade.
    """
    raw = connection.connection.cursor()
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")
        raw.close()


def _require_sound(connection: Connection) -> None:
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise StoreError(f"a migration left rows of {broken[0]!r} without their parent: undone")


def _line(difference: object) -> str:
    """One difference of Alembic's, a tuple or a list of them, in one line."""
    parts = difference[0] if isinstance(difference, list) else difference
    return " ".join(str(part) for part in parts) if isinstance(parts, tuple) else str(parts)


def _check_constraints(connection: Connection) -> list[str]:
    """CHECK constraints that are missing, too many or have other values: Alembic compares none."""
    inspector = inspect(connection)
    have, want = {}, {}
    for table in metadata.sorted_tables:
        if not inspector.has_table(table.name):
            continue
        for found in inspector.get_check_constraints(table.name):
            have[table.name, str(found["name"])] = _literals(found["sqltext"])
        for item in table.constraints:
            if isinstance(item, CheckConstraint):
                name = connection.dialect.identifier_preparer.format_constraint(item)
                want[table.name, str(name)] = _literals(str(item.sqltext))
    names = sorted(key for key in have.keys() | want.keys() if have.get(key) != want.get(key))
    return [f"check {name} on {table}" for table, name in names]


def _literals(condition: str) -> frozenset[str]:
    """The values in a condition, which every engine spells out in a way of its own."""
    return frozenset(word.strip("'") for word in _LITERAL.findall(condition))
