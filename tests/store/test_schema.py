"""The program works on a store it knows, and says what to run about any other."""

import logging
import multiprocessing
import shutil

import pytest
from sqlalchemy import inspect, text

from digest import resources
from digest.errors import SchemaMismatch, StoreError
from digest.store import schema, version
from digest.store.database import open_engine, transaction
from digest.store.merge import merge_batch
from tests.builders import NOON, a_batch, a_listing
from tests.store.upgrading import upgrade_together

NEXT = f"{int(version.NEWEST) + 1:04}"


def set_revision(engine, revision):
    with transaction(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": revision})


def test_a_migrated_store_is_known(engine):
    schema.require_known(engine)
    assert schema.current(engine) == schema.head()


def test_no_store_yet_says_to_init_and_makes_no_file(bare_engine, tmp_path):
    with pytest.raises(SchemaMismatch, match="digest init"):
        schema.require_known(bare_engine)
    with pytest.raises(SchemaMismatch, match="digest init"):
        schema.check(bare_engine)
    assert not list(tmp_path.rglob("*.sqlite"))


def test_a_store_of_a_newer_program_is_refused_and_left_alone(engine):
    set_revision(engine, "9999")
    with transaction(engine) as session:
        session.execute(text("UPDATE schema_support SET oldest = '9999'"))
    for use in (schema.require_known, schema.upgrade):
        with pytest.raises(SchemaMismatch, match="newer version"):
            use(engine)
    assert schema.current(engine) == "9999"


def test_a_database_of_another_program_is_not_taken_over(bare_engine):
    with transaction(bare_engine) as session:
        session.execute(text("CREATE TABLE papers (colour TEXT)"))
    with pytest.raises(SchemaMismatch, match="another program"):
        schema.upgrade(bare_engine)
    with pytest.raises(SchemaMismatch):
        schema.require_known(bare_engine)


@pytest.mark.parametrize(
    "content", [b"hello, this is no database at all\n" * 50, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_says_what_to_do(tmp_path, content):
    path = tmp_path / "digest.sqlite"
    path.write_bytes(content)
    engine = open_engine(f"sqlite:///{path}")
    for use in (schema.require_known, schema.upgrade, schema.check):
        with pytest.raises(StoreError, match=r"damaged or no SQLite database.*backup"):
            use(engine)
    assert path.read_bytes() == content
    engine.dispose()


def test_a_folder_in_place_of_the_file_is_a_store_error(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreError, match="unable to open"):
        schema.require_known(engine)
    engine.dispose()


def test_a_server_that_is_not_there_is_a_store_error():
    engine = open_engine("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreError, match="the store failed"):
        schema.require_known(engine)
    engine.dispose()


@pytest.fixture
def next_migration(tmp_path, monkeypatch):
    """Gives a function that installs a migration with this body after the real ones."""
    folder = tmp_path / "migrations"
    shutil.copytree(resources.folder("migrations"), folder)

    def install(body, *, contracts=False):
        lines = ["import sqlalchemy as sa", "from alembic import op", f"contracts = {contracts}"]
        lines += [f"revision, down_revision = '{NEXT}', '{version.NEWEST}'", "def upgrade():"]
        (folder / "versions" / f"{NEXT}_next.py").write_text(
            "\n".join(lines + [f"    {line}" for line in body]) + "\n"
        )
        monkeypatch.setattr(resources, "folder", lambda _name: folder)

    return install


def test_a_store_of_an_older_program_says_to_upgrade(engine, next_migration):
    next_migration(["op.create_table('extra', sa.Column('id', sa.Integer()))"])
    with pytest.raises(SchemaMismatch, match="digest db upgrade"):
        schema.require_known(engine)
    assert schema.upgrade(engine) == (version.NEWEST, NEXT)
    schema.require_known(engine)


@pytest.fixture
def upgraded_by_the_next_program(engine, next_migration, monkeypatch):
    """Gives a function after which the store is the next program's, and this one runs on."""
    ours = resources.folder

    def upgrade(*, contracts):
        table = "op.create_table('extra', sa.Column('id', sa.Integer()))"
        next_migration([table], contracts=contracts)
        assert schema.upgrade(engine) == (version.NEWEST, NEXT)
        monkeypatch.setattr(resources, "folder", ours)
        return engine

    return upgrade


def test_an_old_program_goes_on_with_a_newer_schema_that_only_adds(upgraded_by_the_next_program):
    engine = upgraded_by_the_next_program(contracts=False)
    schema.require_known(engine)
    assert version.is_usable(engine)
    assert version.newer(engine) == NEXT
    with pytest.raises(SchemaMismatch, match="newer version"):
        schema.upgrade(engine)
    assert schema.current(engine) == NEXT


def test_an_old_program_refuses_a_newer_schema_that_takes_away(upgraded_by_the_next_program):
    engine = upgraded_by_the_next_program(contracts=True)
    assert not version.is_usable(engine)
    with pytest.raises(SchemaMismatch, match="newer version"):
        schema.require_known(engine)


def test_a_program_that_is_two_versions_behind_is_refused(
    upgraded_by_the_next_program, monkeypatch
):
    engine = upgraded_by_the_next_program(contracts=False)
    monkeypatch.setattr(version, "NEWEST", "0006")
    assert not version.is_usable(engine)


def test_a_migration_that_fails_half_way_leaves_nothing(engine, next_migration):
    next_migration(["op.create_table('extra', sa.Column('id', sa.Integer()))", "1 / 0"])
    with pytest.raises(ZeroDivisionError):
        schema.upgrade(engine)
    assert schema.current(engine) == version.NEWEST
    assert "extra" not in inspect(engine).get_table_names()


def test_rebuilding_a_table_keeps_the_rows_that_hang_on_it(engine, next_migration):
    with transaction(engine) as session:
        batch = a_batch(a_listing(arxiv="2603.00001"))
        merge_batch(session, batch, NOON)
    next_migration(
        [
            "with op.batch_alter_table('papers', recreate='auto') as papers:",
            "    papers.alter_column('venue', type_=sa.Text())",
        ]
    )
    schema.upgrade(engine)
    with transaction(engine) as session:
        for name in ("papers", "signals"):
            assert session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() == 1
        assert session.execute(text("SELECT paper_id FROM aliases")).first() == (1,)


def test_a_migration_that_orphans_rows_is_undone(sqlite_url, next_migration):
    engine = open_engine(sqlite_url)
    with transaction(engine) as session:
        merge_batch(session, a_batch(a_listing(arxiv="2603.00001")), NOON)
    next_migration(["op.execute('DELETE FROM papers')"])
    with pytest.raises(StoreError, match="without their parent"):
        schema.upgrade(engine)
    with transaction(engine) as session:
        assert session.execute(text("SELECT count(*) FROM papers")).scalar_one() == 1
    engine.dispose()


def test_upgrading_leaves_the_logging_of_the_program_alone(bare_engine):
    before = logging.root.handlers[:], logging.root.level, logging.getLogger("digest").disabled
    schema.upgrade(bare_engine)
    assert before == (
        logging.root.handlers,
        logging.root.level,
        logging.getLogger("digest").disabled,
    )


@pytest.mark.slow
def test_two_processes_that_upgrade_at_once_do_not_collide(bare_url):
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(3), spawn.Queue()
    processes = [
        spawn.Process(target=upgrade_together, args=(bare_url, start, results)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    done = sorted((results.get(timeout=60) for _ in processes), key=str)
    for process in processes:
        process.join(30)
    head = schema.head()
    assert done == [(head, head), (head, head), (None, head)]


def test_a_damaged_page_is_found_when_read(tmp_path):
    path = tmp_path / "digest.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    engine.dispose()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    engine = open_engine(f"sqlite:///{path}")
    with pytest.raises(StoreError, match="damaged"):
        schema.require_known(engine)
    engine.dispose()


def test_quick_question_for_the_version_agrees_with_the_migrations(engine, bare_engine):
    assert schema.head() == version.NEWEST
    assert version.is_usable(engine)
    assert not version.is_usable(bare_engine)
