"""Engines and sessions: what commits, what does not, and errors that say what to do."""

from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError

from digest.errors import ConfigError, StoreError
from digest.store.database import clock_ahead, open_engine, patient, reading, transaction
from digest.store.tables import EditionRow

TOKYO = ZoneInfo("Asia/Tokyo")


def an_edition(cutoff_at):
    return EditionRow(cutoff_at=cutoff_at, lookback_days=7)


def count(engine):
    with reading(engine) as session:
        return session.execute(text("SELECT count(*) FROM editions")).scalar_one()


def test_a_transaction_commits_at_its_end_and_rolls_back_on_an_error(engine):
    with transaction(engine) as session:
        session.add(an_edition(datetime(2026, 3, 12, tzinfo=UTC)))
    with pytest.raises(ZeroDivisionError), transaction(engine) as session:
        session.add(an_edition(datetime(2026, 3, 13, tzinfo=UTC)))
        session.flush()
        raise ZeroDivisionError
    assert count(engine) == 1


def test_nothing_written_while_reading_stays(engine):
    with reading(engine) as session:
        session.add(an_edition(datetime(2026, 3, 12, tzinfo=UTC)))
        session.flush()
    assert count(engine) == 0


def test_instants_come_back_in_utc_whatever_zone_they_were_written_in(engine):
    moment = datetime(2026, 3, 12, 8, 30, 0, 123456, tzinfo=TOKYO)
    with transaction(engine) as session:
        session.add(an_edition(moment))
    with reading(engine) as session:
        found = session.get(EditionRow, 1).cutoff_at
    assert found == moment
    assert found.tzinfo is UTC
    assert found.isoformat() == "2026-03-11T23:30:00.123456+00:00"


def test_an_instant_without_a_zone_is_refused(engine):
    with pytest.raises((ValueError, StatementError)), transaction(engine) as session:
        session.add(an_edition(datetime(2026, 3, 12)))  # noqa: DTZ001


def test_a_broken_constraint_stays_the_callers_mistake(engine):
    with pytest.raises(IntegrityError), transaction(engine) as session:
        session.execute(text("INSERT INTO editions (id) VALUES (1)"))


def test_a_reader_does_not_wait_for_a_writer(sqlite_url):
    engine = open_engine(sqlite_url)
    with transaction(engine) as session:
        session.add(an_edition(datetime(2026, 3, 12, tzinfo=UTC)))
        session.flush()
        assert count(engine) == 0
    assert count(engine) == 1
    engine.dispose()


def test_a_second_writer_waits_its_turn(engine):
    inside, go_on = Event(), Event()

    def first():
        with transaction(engine) as session:
            session.add(an_edition(datetime(2026, 3, 12, tzinfo=UTC)))
            session.flush()
            inside.set()
            go_on.wait(10)

    thread = Thread(target=first)
    thread.start()
    inside.wait(10)
    go_on.set()
    with transaction(engine) as session:
        session.add(an_edition(datetime(2026, 3, 13, tzinfo=UTC)))
    thread.join()
    assert count(engine) == 2


def test_a_writer_that_waits_too_long_is_told_so(sqlite_url, monkeypatch):
    monkeypatch.setattr("digest.store.database.BUSY_TIMEOUT_MS", 20)
    holder, other = open_engine(sqlite_url), open_engine(sqlite_url)
    with transaction(holder) as holding:
        holding.execute(text("DELETE FROM editions"))
        with pytest.raises(StoreError, match="locked"), transaction(other) as session:
            session.execute(text("DELETE FROM editions"))
    holder.dispose()
    other.dispose()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("digest.sqlite", "no database URL"),
        ("", "no database URL"),
        ("mysql://localhost/digest", "not supported"),
        ("sqlite:////proc/nowhere/digest.sqlite", "cannot be made"),
    ],
)
def test_a_url_of_no_use_names_the_key_and_the_mend(url, said):
    with pytest.raises(ConfigError, match=said) as caught:
        open_engine(url)
    assert "store.url" in str(caught.value)


def test_the_password_of_the_store_is_in_no_message():
    places = ("mysql://", "postgres//", "postgresql://")
    for url in (f"{place}me:hunter2@127.0.0.1:1/x" for place in places):
        with pytest.raises((ConfigError, StoreError)) as caught, reading(open_engine(url)):
            pass
        assert "hunter2" not in str(caught.value)


def test_what_a_statement_was_about_is_in_no_message(engine):
    with pytest.raises(IntegrityError) as caught, transaction(engine) as session:
        session.execute(
            text("INSERT INTO suppressions (address_hash, email) VALUES ('x', :who)"),
            {"who": "ada@example.com"},
        )
    assert "parameters hidden" in str(caught.value)
    if engine.dialect.name == "sqlite":  # PostgreSQL names the row that it refused
        assert "ada@" not in str(caught.value)


def test_sqlite_runs_with_a_write_ahead_log_and_foreign_keys(sqlite_url):
    engine = open_engine(sqlite_url)
    with reading(engine) as session:
        found = [
            session.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 1, 10_000]
    engine.dispose()


def test_a_host_whose_clock_is_behind_the_servers_learns_by_how_much(engine):
    minute = timedelta(minutes=1)
    ahead = clock_ahead(engine, lambda: datetime.now(UTC) - minute)
    if engine.dialect.name == "sqlite":
        assert ahead == timedelta(0)
    else:
        assert abs(ahead - minute) < timedelta(seconds=5)


@pytest.mark.postgres
def test_a_connection_that_broke_while_it_rested_is_made_anew(postgres_url, monkeypatch):
    monkeypatch.setattr("digest.store.database.REST_S", 0.0)
    engine, other = open_engine(postgres_url), open_engine(postgres_url)
    with reading(engine) as session:
        ours = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with transaction(other) as session:
        ended = text("SELECT pg_terminate_backend(:ours, 5000)")
        assert session.execute(ended, {"ours": ours}).scalar_one()
    with reading(engine) as session:
        assert session.execute(text("SELECT pg_backend_pid()")).scalar_one() != ours
    engine.dispose()
    other.dispose()


@pytest.mark.postgres
def test_a_host_that_falls_silent_holds_its_rows_for_a_moment_only(postgres_url, monkeypatch):
    monkeypatch.setattr("digest.store.database.LEAST_S", 0.2)
    silent = open_engine(postgres_url, timedelta(seconds=0.9))
    other = open_engine(postgres_url)
    with transaction(other) as session:
        session.add(EditionRow(cutoff_at=datetime(2026, 3, 1, tzinfo=UTC), lookback_days=7))
    held = text("SELECT id FROM editions FOR UPDATE")
    with pytest.raises(StoreError, match="idle-in-transaction"), transaction(silent) as session:
        session.execute(held)
        with transaction(other) as waiting:  # until the server has ended the other
            waiting.execute(held)
        session.execute(held)
    with transaction(silent) as session:
        session.execute(held)
    silent.dispose()
    other.dispose()


@pytest.mark.postgres
def test_who_waits_for_a_row_gives_up_in_time_unless_it_may_take_its_time(
    postgres_url, monkeypatch
):
    monkeypatch.setattr("digest.store.database.LEAST_S", 0.2)
    holder, waiter = open_engine(postgres_url), open_engine(postgres_url, timedelta(seconds=0.6))
    row = EditionRow(cutoff_at=datetime(2026, 3, 1, tzinfo=UTC), lookback_days=7)
    with transaction(holder) as session:
        session.add(row)
    held = text("SELECT id FROM editions FOR UPDATE")
    with transaction(holder) as session:
        session.execute(held)
        with pytest.raises(StoreError, match="lock timeout"), transaction(waiter) as late:
            late.execute(held)
    with transaction(waiter) as session:
        patient(session.connection())
        assert session.execute(text("SHOW lock_timeout")).scalar_one() == "0"
    holder.dispose()
    waiter.dispose()


@pytest.mark.postgres
def test_what_the_url_says_in_its_own_options_counts_more(postgres_url):
    engine = open_engine(f"{postgres_url}?options=-c%20lock_timeout%3D1234")
    with reading(engine) as session:
        assert session.execute(text("SHOW lock_timeout")).scalar_one() == "1234ms"
        said = session.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()
    assert said == "10s"  # a third of a lease
    engine.dispose()
