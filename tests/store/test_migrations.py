"""Migrations on both engines: from empty, up, down, up again, and equal to `tables.py`."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from digest import resources
from digest.store import schema
from digest.store.database import open_engine, transaction
from digest.store.sources import list_sources
from digest.store.tables import metadata
from tests.builders import NOON


def test_an_empty_database_comes_up_to_head_and_equals_the_tables(bare_engine, capfd):
    assert schema.current(bare_engine) is None
    assert schema.upgrade(bare_engine) == (None, schema.head())
    assert schema.current(bare_engine) == schema.head()
    assert schema.check(bare_engine) == []
    assert schema.upgrade(bare_engine) == (schema.head(), schema.head())
    assert capfd.readouterr() == ("", "")


def test_down_leaves_nothing_and_up_again_equals_the_tables(bare_engine):
    schema.upgrade(bare_engine)
    schema.downgrade(bare_engine, "base")
    assert schema.current(bare_engine) is None
    assert set(inspect(bare_engine).get_table_names()) <= {"alembic_version"}
    schema.upgrade(bare_engine)
    assert schema.check(bare_engine) == []


def test_ids_are_never_reused_in_the_migrated_tables_as_in_the_models(sqlite_url):
    with transaction(open_engine(sqlite_url)) as session:
        rows = session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        migrated = {name for name, sql in rows if "AUTOINCREMENT" in (sql or "")}
    models = {
        t.name for t in metadata.tables.values() if t.dialect_options["sqlite"]["autoincrement"]
    }
    assert migrated == models != set()


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DROP TABLE feedback", "feedback"),
        ("ALTER TABLE papers ADD COLUMN colour TEXT", "colour"),
        ("DROP INDEX ix_papers_first_seen_at", "ix_papers_first_seen_at"),
    ],
)
def test_check_names_what_differs(engine, damage, named):
    with transaction(engine) as session:
        session.execute(text(damage))
    lines = schema.check(engine)
    assert any(named in line for line in lines), lines
    assert all("\n" not in line for line in lines)


@pytest.mark.postgres
def test_check_sees_a_condition_that_lacks_a_value(postgres_url):
    engine = open_engine(postgres_url)
    with transaction(engine) as session:
        session.execute(text("ALTER TABLE subscribers DROP CONSTRAINT ck_subscribers_status"))
        narrower = "ADD CONSTRAINT ck_subscribers_status CHECK (status IN ('active', 'paused'))"
        session.execute(text(f"ALTER TABLE subscribers {narrower}"))
    assert schema.check(engine) == ["check ck_subscribers_status on subscribers"]
    engine.dispose()


def test_migrations_are_numbered_one_after_the_other():
    names = sorted(p.name for p in (resources.folder("migrations") / "versions").glob("*.py"))
    numbers = [int(re.match(r"(\d{4})_[a-z0-9_]+\.py$", name)[1]) for name in names]
    assert numbers == list(range(1, len(names) + 1))


def test_each_migration_says_whether_the_program_before_goes_on():
    folder = resources.folder("migrations") / "versions"
    later = [path for path in sorted(folder.glob("*.py")) if path.name >= "0007"]
    assert later
    for path in later:
        assert re.search(r"^contracts = (True|False)\b", path.read_text(), re.MULTILINE), path.name


SOURCE = "INSERT INTO sources (id, name, kind, last_note) VALUES (1, 's', '{kind}', '')"
PAPER = (
    "INSERT INTO papers (id, title, abstract, authors, categories, links, first_seen_at,"
    " updated_at) VALUES (1, '{title}', '', '[]', '[]', '{{}}', :now, :now)"
)
SIGNAL = (
    "INSERT INTO signals (paper_id, source_id, listed_on, read_at, held_until, upvotes)"
    " VALUES (1, 1, '2026-03-12', :now, :now, {upvotes})"
)
SUBSCRIBER = (
    "INSERT INTO subscribers (id, email, email_key, status, timezone, hour, frequency, weekday,"
    " max_papers, empty_day, min_matches, text_only, created_at, updated_at)"
    " VALUES (1, 'a@b.example', 'a@b.example', '{status}', 'UTC', {hour}, '{frequency}', {weekday},"
    " {most}, 'skip', 1, false, :now, :now)"
)
FINE = {"status": "active", "hour": 8, "frequency": "daily", "weekday": 0, "most": 10}


def insert(session, statement, **values):
    session.execute(text(statement.format(**values)), {"now": str(NOON)})


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (SOURCE, {"kind": "gopher"}),
        (PAPER, {"title": ""}),
        (SUBSCRIBER, FINE | {"status": "asleep"}),
        (SUBSCRIBER, FINE | {"hour": 24}),
        (SUBSCRIBER, FINE | {"weekday": 7}),
        (SUBSCRIBER, FINE | {"frequency": "hourly"}),
        (SUBSCRIBER, FINE | {"most": 0}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_migrated_store_refuses_values_outside_their_range(engine, statement, values):
    with pytest.raises(IntegrityError, match=r"(?i)check"), transaction(engine) as session:
        insert(session, statement, **values)


def test_a_migrated_store_refuses_negative_counts_and_children_without_parent(engine):
    with transaction(engine) as session:
        insert(session, SOURCE, kind="feed")
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), transaction(engine) as session:
        insert(session, SIGNAL, upvotes=1)
    with pytest.raises(IntegrityError, match=r"(?i)check"), transaction(engine) as session:
        insert(session, PAPER, title="A")
        insert(session, SIGNAL, upvotes=-1)


def test_a_pruned_paper_takes_its_signals_along_and_leaves_its_names(engine):
    with transaction(engine) as session:
        insert(session, SOURCE, kind="feed")
        insert(session, PAPER, title="A")
        insert(session, SIGNAL, upvotes=1)
        alias = (
            "INSERT INTO aliases (paper_id, scheme, value, surname) VALUES (1, 'arxiv', 'x', '')"
        )
        session.execute(text(alias))
    with transaction(engine) as session:
        session.execute(text("DELETE FROM papers"))
    with transaction(engine) as session:
        assert session.execute(text("SELECT count(*) FROM signals")).scalar_one() == 0
        assert session.execute(text("SELECT paper_id, value FROM aliases")).all() == [(None, "x")]


def test_an_erased_subscriber_leaves_the_ledger_but_no_interests_nor_consent(engine):
    with transaction(engine) as session:
        insert(session, SUBSCRIBER, **FINE)
        for statement in (
            "INSERT INTO interests (id, kind, key) VALUES (1, 'phrase', 'x')",
            "INSERT INTO subscriber_interests VALUES (1, 0, 1, 'x', 1.0, false)",
            "INSERT INTO consent_events (subscriber_id, event, channel, detail, happened_at)"
            " VALUES (1, 'confirmed', 'web', '', :now)",
            "INSERT INTO deliveries (kind, subscriber_id, token, state, reason, message_id, picks,"
            " attempts, doubtful, queued_at, due_at, smtp_reply)"
            " VALUES ('digest', 1, '', 'sent', '', '', '[]', 1, 0, :now, :now, '')",
        ):
            insert(session, statement)
        session.execute(text("DELETE FROM subscribers"))
    with transaction(engine) as session:
        counts = {
            name: session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
            for name in ("subscriber_interests", "consent_events", "deliveries")
        }
        assert counts == {"subscriber_interests": 0, "consent_events": 0, "deliveries": 1}


def test_going_back_before_the_interest_language_loses_only_its_own_interests(engine):
    with transaction(engine) as session:
        insert(session, SUBSCRIBER, **FINE)
        kinds = ("phrase", "exact", "author", "category", "venue", "all")
        for number, kind in enumerate(kinds, start=1):
            insert(
                session, f"INSERT INTO interests (id, kind, key) VALUES ({number}, '{kind}', 'x')"
            )
            row = f"VALUES (1, {number}, {number}, 'x', 1.0, false)"
            insert(session, f"INSERT INTO subscriber_interests {row}")
    schema.downgrade(engine, "0001")
    with transaction(engine) as session:
        left = session.execute(text("SELECT kind FROM interests ORDER BY id")).scalars().all()
        held = session.execute(text("SELECT count(*) FROM subscriber_interests")).scalar_one()
        assert (left, held) == (["phrase", "author", "category"], 3)
    with pytest.raises(IntegrityError, match=r"(?i)check"), transaction(engine) as session:
        insert(session, "INSERT INTO interests (id, kind, key) VALUES (9, 'venue', 'x')")
    schema.upgrade(engine)
    with transaction(engine) as session:
        insert(session, "INSERT INTO interests (id, kind, key) VALUES (9, 'venue', 'x')")
    with pytest.raises(IntegrityError, match=r"(?i)check"), transaction(engine) as session:
        insert(session, "INSERT INTO interests (id, kind, key) VALUES (10, 'mood', 'x')")


def test_downgrading_one_engine_keeps_foreign_keys_on_afterwards(tmp_path: Path):
    engine = open_engine(f"sqlite:///{tmp_path / 'digest.sqlite'}")
    schema.upgrade(engine)
    with transaction(engine) as session:
        assert session.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    engine.dispose()


def test_going_back_before_the_returns_keeps_what_followed_from_them(engine):
    with transaction(engine) as session:
        insert(session, SUBSCRIBER, **FINE)
        insert(
            session,
            "INSERT INTO suppressions (address_hash, reason, created_at)"
            " VALUES ('h', 'bounce', :now)",
        )
        bounce = "INSERT INTO bounces VALUES (1, 'k', 1, NULL, 'h', '{kind}', '', '', '', :now)"
        insert(session, bounce, kind="hard")
    with pytest.raises(IntegrityError, match=r"(?i)check"), transaction(engine) as session:
        insert(session, bounce.replace("1, 'k'", "2, 'l'"), kind="loud")
    with pytest.raises(IntegrityError, match=r"(?i)unique"), transaction(engine) as session:
        insert(session, bounce.replace("1, 'k'", "2, 'k'"), kind="soft")
    schema.downgrade(engine, "0003")
    with transaction(engine) as session:
        assert session.execute(text("SELECT reason FROM suppressions")).all() == [("bounce",)]
    schema.upgrade(engine)
    assert schema.check(engine) == []


def test_an_erased_subscriber_leaves_no_name_on_what_came_back(engine):
    with transaction(engine) as session:
        insert(session, SUBSCRIBER, **FINE)
        insert(
            session, "INSERT INTO bounces VALUES (1, 'k', 1, NULL, 'h', 'hard', '', '', '', :now)"
        )
        session.execute(text("DELETE FROM subscribers"))
        assert session.execute(text("SELECT subscriber_id, key FROM bounces")).all() == [
            (None, "k")
        ]


def test_going_back_before_the_alarms_keeps_the_sources_and_forward_knows_their_last_success(
    engine,
):
    batch = (
        "INSERT INTO batches (source_id, outcome, note, fetched_at, merged_at, listed, new, known,"
        " rejected, changed_signals) VALUES (1, '{outcome}', '', '{at}', :now, 0, 0, 0, 0, 0)"
    )
    with transaction(engine) as session:
        insert(session, SOURCE, kind="feed")
        insert(session, batch, outcome="quiet", at="2026-03-10 08:00:00+00:00")
        insert(session, batch, outcome="fault", at="2026-03-11 08:00:00+00:00")
    schema.downgrade(engine, "0005")
    assert not {"alerts", "tries"} & set(inspect(engine).get_table_names())
    schema.upgrade(engine)
    assert schema.check(engine) == []
    with transaction(engine) as session:
        (known,) = list_sources(session)
    assert known.last_success_at == datetime(2026, 3, 10, 8, tzinfo=UTC)


def test_a_try_goes_with_its_delivery_and_has_an_outcome_that_is_known(engine):
    with transaction(engine) as session:
        insert(session, SUBSCRIBER, **FINE)
        mail = (
            "INSERT INTO deliveries (id, kind, subscriber_id, token, state, reason, message_id,"
            " picks, attempts, doubtful, queued_at, due_at, smtp_reply)"
            " VALUES (1, 'digest', 1, '', 'failed', '', '', '[]', 1, 0, :now, :now, '')"
        )
        insert(session, mail)
        tried = "INSERT INTO tries (delivery_id, tried_at, outcome, reply)"
        insert(session, tried + " VALUES (1, :now, 'in doubt', 'gone')")
    with pytest.raises(IntegrityError, match=r"(?i)check"), transaction(engine) as session:
        insert(session, tried + " VALUES (1, :now, 'odd', '')")
    with transaction(engine) as session:
        session.execute(text("DELETE FROM deliveries"))
        assert session.execute(text("SELECT count(*) FROM tries")).scalar_one() == 0
