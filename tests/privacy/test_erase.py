"""Who is erased is gone from every byte: the store's files, and all that is made or said later."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from digest.daemon import steps
from digest.logs import configure
from digest.mail.verp import Verp
from digest.services import subscribe
from digest.services.roster import changed
from digest.store import schema
from digest.store.database import open_engine
from tests import postgres
from tests.commands import SECRETS, Desk
from tests.mail.returned import a_complaint, a_dsn
from tests.privacy.life import EVERY, HOUR, NEW, OLD, THIRD, WISH, Echo, Life, begun, life, live
from tests.privacy.traces import below, forms, found, found_in
from tests.reliability import record

__all__ = ["life"]

FORMS = sum(len(forms(one)) for one in (*EVERY, WISH))
ROOT = Path(__file__).resolve().parents[2]
DOORS = 16  # the lines of `live` by which an address or its quotation comes in

# Where an address stands while somebody is subscribed; docs/privacy.md tells it table by table.
HOLD_IT = {
    "subscribers",
    "sign_ups",
    "address_changes",
    "deliveries",
    "tries",
    "bounces",
    "suppressions",
}


def tables_that_hold(database: Path, words: tuple[str, ...]) -> set[str]:
    """The tables of which a row holds one of the words in any case."""
    with sqlite3.connect(database) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in names}
    return {name for name, all_of in rows.items() if said(repr(all_of), words)}


def said(text: str, words: tuple[str, ...] = EVERY) -> list[str]:
    """What of these addresses a text says, in any form."""
    return [what for word in words for what in found_in(text.encode(), forms(word))]


def erase(life: Life) -> None:
    life.run("subscribers", "erase", NEW, *life.now())
    life.said.clear()  # which repeats the address that it was given


def test_person_who_came_by_every_door_is_in_no_byte_of_the_store(life: Life) -> None:
    live(life)
    store = life.desk.folder / "store"
    held = tables_that_hold(store / "digest.sqlite3", EVERY)
    assert held == HOLD_IT
    assert tables_that_hold(store / "digest.sqlite3", (WISH,)) >= {"subscriber_interests"}
    before = found(below(store), EVERY)
    erase(life)
    files = below(store)
    assert found(files, (*EVERY, WISH)) == []
    say_what_is_left(life)
    look_at_everything(life)
    assert said("\n".join(life.said)) == []
    made = below(life.desk.folder)
    assert {"backup.sqlite3", "archive.zip", "people.csv"} <= {path.name for path in made}
    assert found(made, (*EVERY, WISH)) == []
    record(
        "privacy",
        "erased, SQLite",
        doors=DOORS,
        forms=FORMS,
        traces_before=len(before),
        files=len(made),
        traces=0,
    )


@pytest.mark.slow
@pytest.mark.postgres
def test_nothing_of_the_person_is_in_a_dump_of_postgresql(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    with Echo() as relay:
        life = begun(desk, relay, monkeypatch, postgres_url)
        live(life)
        asked(postgres_url, "ANALYZE")
        before = what_postgresql_holds(postgres_url)
        assert all(said(before, (one,)) for one in EVERY)
        erase(life)
        life.run("prune", "--vacuum", *life.now())
        assert said(what_postgresql_holds(postgres_url)) == []
        look_at_everything(life)
        assert said("\n".join(life.said)) == []
        assert found(below(life.desk.folder), (*EVERY, WISH)) == []
    record("privacy", "erased, PostgreSQL", doors=DOORS, forms=FORMS, traces=0)


def what_postgresql_holds(url: str) -> str:
    """All rows as pg_dump writes them, and what the planner remembers of them. That may hold an
    interest, of nobody in particular.
    """
    program = postgres._binaries() / "pg_dump"
    dump = subprocess.run([program, url], check=True, capture_output=True, text=True).stdout
    return dump + repr(asked(url, "SELECT * FROM pg_stats WHERE schemaname = 'public'"))


def asked(url: str, statement: str) -> list[tuple[object, ...]]:
    """One statement, and what it gives."""
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


@pytest.mark.slow
@pytest.mark.postgres
def test_planner_forgets_the_addresses_that_an_older_version_let_it_remember(
    postgres_server: str,
) -> None:
    url = postgres.create_database(postgres_server, "remembering")
    engine = open_engine(url)
    schema.upgrade(engine)
    schema.downgrade(engine, "0008")
    asked(url, f"INSERT INTO sign_ups (email, choices, consent, received_at) SELECT '{NEW}', "
               "'null', '', now() FROM generate_series(1, 9)")  # fmt: skip
    asked(url, "ANALYZE")
    remembered = "SELECT * FROM pg_stats WHERE tablename = 'sign_ups'"
    assert said(repr(asked(url, remembered)), (NEW,))
    asked(url, "DELETE FROM sign_ups")
    asked(url, "VACUUM (ANALYZE)")  # of an empty table it counts nothing
    assert said(repr(asked(url, remembered)), (NEW,))
    schema.upgrade(engine)
    assert said(repr(asked(url, remembered)), (NEW,)) == []
    engine.dispose()
    postgres.drop_database(postgres_server, "remembering")


def say_what_is_left(life: Life) -> None:
    """A keyed hash, by which no import brings the address back, and no form."""
    path = life.desk.write("again.csv", f"email,status\n{NEW},active\n")
    ended = life.desk.run("subscribers", "import", path, *life.now())
    path.unlink()
    assert "is suppressed (complaint)" in ended.err  # she was mailed nothing more after that


def look_at_everything(life: Life) -> None:
    """All that may be asked for or made afterwards, and what comes back late."""
    for words in (
        ("subscribers", "list", "--json"),
        ("suppressions", "list", "--json"),
        ("deliveries", "list", "--json"),
        ("deliveries", "stats", "--json"),
        ("bounces", "list", "--json"),
        ("stats", "--json"),
        ("subscribers", "export", "people.csv"),
        ("suppressions", "export", "suppressions.csv"),
        ("export", "archive.zip"),
        ("db", "check"),
    ):
        life.run(*words)
    if life.app.engine.dialect.name == "sqlite":
        life.run("db", "backup", "backup.sqlite3")
    for mail in life.ledger():
        life.run("deliveries", "show", mail["id"], "--json")


@pytest.mark.slow
def test_what_comes_back_late_leaves_no_trace_either(life: Life) -> None:
    live(life)
    mail = next(row for row in life.ledger() if row["kind"] == "digest" and row["state"] == "sent")
    home = life.home()
    erase(life)
    sender = Verp("digest@papers.example", [SECRETS["DIGEST_SECRET_KEYS"]]).sender(int(mail["id"]))
    for kind in ("hard", "soft", "policy"):
        life.returned(a_dsn(sender, OLD, kind, message_id=mail["message_id"]))
    life.returned(a_complaint(mail["message_id"]))
    for path in (home, home + "/export", home + "/erase"):
        assert life.browser.get(path).status_code == 410
    life.later(30 * HOUR)
    life.run("send", *life.now())
    assert said("\n".join(life.said)) == []
    assert found(below(life.desk.folder), (*EVERY, WISH)) == []
    record("privacy", "erased, then late bounces, reports, clicks", forms=FORMS, traces=0)


@pytest.mark.parametrize("says", ["250 2.0.0", "451 4.7.1", "550 5.1.1"])
def test_message_in_the_air_at_that_moment_leaves_no_trace(
    life: Life, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    life.run("subscribers", "add", NEW, "-i", WISH, *life.now())
    life.relay.says = says
    life.relay.during = lambda: erased(life)
    configure("debug", "json")
    steps.delivering(life.app, lambda: False)
    told = capsys.readouterr()
    assert said(told.out + told.err, (NEW,)) == []
    assert "delivered" in told.err
    assert found(below(life.desk.folder), (NEW, WISH)) == []
    record("privacy", "erased while a message is in the air", forms=FORMS, traces=0)


def erased(life: Life) -> None:
    """Erase her, as a page does at any moment."""
    changed(
        life.app.engine,
        NEW,
        lambda session, one: subscribe.erase(session, one.id, now=life.clock(), keys=life.app.keys),
        dry_run=False,
    )


@pytest.mark.slow
def test_page_erases_as_thoroughly_as_the_command(life: Life) -> None:
    live(life)
    life.click(life.home() + "/erase")
    assert found(below(life.desk.folder / "store"), (*EVERY, WISH)) == []
    record("privacy", "erased by the page", forms=FORMS, traces=0)


def test_whoever_never_confirmed_is_pruned_without_a_trace(life: Life) -> None:
    life.run("subscribers", "add", NEW, "-i", WISH, *life.now())
    life.deliver()
    assert found(below(life.desk.folder / "store"), (NEW,))
    life.later(40 * 24 * HOUR)
    life.run("prune", *life.now())
    assert life.desk.ok("subscribers", "list", "--json").json == []
    assert found(below(life.desk.folder / "store"), (NEW, WISH)) == []
    record("privacy", "never confirmed, pruned", forms=FORMS, traces=0)


def test_address_of_no_subscriber_is_erased_wherever_it_stands(life: Life) -> None:
    store = life.desk.folder / "store"
    life.run("suppressions", "add", OLD, "--reason", "complaint", *life.now())
    life.click("/subscribe", {"email": NEW, "interests": WISH})
    life.run("subscribers", "add", "ada@example.com", "--confirmed", *life.now())
    life.click(life.home() + "/address", {"email": THIRD})
    for one in EVERY:
        assert found(below(store), (one,))
        life.run("subscribers", "erase", one, "--dry-run", *life.now())
        assert found(below(store), (one,))
        life.run("subscribers", "erase", one.upper(), *life.now())
        assert found(below(store), (one,)) == []
        life.run("subscribers", "erase", one, *life.now(), code=1)
    kept = life.desk.ok("suppressions", "list", "--json").json
    assert sorted(row["reason"] for row in kept) == ["complaint", "erased", "erased"]
    assert [row["email"] for row in kept] == [None] * 3
    (left,) = life.desk.ok("subscribers", "list", "--json").json
    assert left["email"] == "ada@example.com"
    record("privacy", "erased, no subscriber", forms=FORMS, traces=0)


@pytest.mark.slow
def test_erase_that_is_killed_before_it_cleans_up_is_finished_by_the_next(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = life.desk.folder / "store"
    life.run("subscribers", "add", NEW, "-i", WISH, "--confirmed", *life.now())
    life.app.engine.dispose()  # so that no connection of ours cleans up as it is closed
    words = [sys.executable, "-m", "digest", "subscribers", "erase", NEW]
    killed = subprocess.run(
        words,
        cwd=life.desk.folder,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "DIGEST_FAULT": "services.roster.erased.committed"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert life.desk.ok("subscribers", "list", "--json").json == []
    life.run("prune", *life.now())
    assert found(below(store), (NEW, WISH)) == []
    record("privacy", "erased, killed before the cleaning", forms=FORMS, traces=0)
