"""`digest export`, `import`, `db backup` and `db settle`: a service that moves goes on."""

import email
import email.policy
import gc
import json
import re
import stat
import sys
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from freezegun import freeze_time
from starlette.testclient import TestClient

from digest.app import App
from digest.daemon import Daemon
from digest.mail.sink import Sink
from digest.settings import load
from digest.web.desk import desk_over
from digest.web.routes import ALL
from digest.web.server import guarded
from tests.commands import Desk

NINE = datetime(2026, 3, 12, 9, tzinfo=UTC)
PAPERS = "".join(
    json.dumps({"id": f"p{n}", "title": f"On graphs, part {n}", "arxiv": f"2603.{n:05d}"}) + "\n"
    for n in range(1, 9)
)


def reader_and_papers(desk: Desk) -> None:
    """Eight papers in a source, and a reader at eight who takes three at a time."""
    desk.write("papers.jsonl", PAPERS)
    source = '[[sources]]\nname = "papers"\nkind = "jsonl"\npath = "papers.jsonl"\n'
    desk.write("config.toml", source)
    desk.ok(
        "subscribers", "add", "ada@example.com", "-i", "graphs", "--max-papers", "3", "--hour", "8",
        "--confirmed", "--now", "2026-03-12T07:00Z",
    )  # fmt: skip


@pytest.fixture
def running(desk: Desk, sink: Sink) -> Desk:
    """A service whose one reader got today's digest at eight."""
    reader_and_papers(desk)
    tick(NINE)
    assert len(sink.received) == 1
    return desk


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def elsewhere(request: pytest.FixtureRequest) -> str:
    """The URL of a second, empty store, on each engine in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def tick(now: datetime) -> None:
    """What the daemon does at that time."""
    with freeze_time(now, real_asyncio=True):
        Daemon(App(load(), lambda: datetime.now(UTC))).tick()


def pages(now: datetime) -> TestClient:
    app = App(load(), lambda: now)
    desk = desk_over(app)
    return TestClient(guarded(desk, ALL), base_url="https://papers.example", follow_redirects=False)


def message(sink: Sink, number: int) -> EmailMessage:
    parsed = email.message_from_bytes(sink.received[number].content, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def links(mail: EmailMessage) -> list[str]:
    """The paths of our own pages that a mail leads to."""
    body = mail.get_body(("html",))
    assert body is not None
    found = re.findall(r'href="https://papers\.example(/[^"#]*)', body.get_content())
    return list(dict.fromkeys(path for path in found if len(path) > 20))


def test_a_moved_service_sends_nothing_twice_and_goes_on_the_next_day(
    running: Desk, sink: Sink, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.ok("export", "store.zip")
    monkeypatch.setenv("DIGEST_STORE__URL", elsewhere)
    running.ok("import", "store.zip")
    tick(NINE + timedelta(hours=1))
    assert len(sink.received) == 1
    tick(NINE + timedelta(days=1))
    assert len(sink.received) == 2
    titles = [set(re.findall(r"part \d", str(message(sink, n)))) for n in (0, 1)]
    assert len(titles[0]) == len(titles[1]) == 3
    assert titles[0] & titles[1] == set()


def test_links_of_mails_sent_before_the_move_work_behind_it(
    running: Desk, sink: Sink, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.ok("export", "store.zip")
    monkeypatch.setenv("DIGEST_STORE__URL", elsewhere)
    running.ok("import", "store.zip")
    client = pages(NINE)
    mail = message(sink, 0)
    found = links(mail)
    assert len(found) >= 3
    assert {client.get(path).status_code for path in found} <= {200, 303}
    (one_click,) = re.findall(r"<https://papers\.example([^>]+)>", mail["List-Unsubscribe"])
    assert client.post(one_click, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    (person,) = running.ok("subscribers", "list", "--json").json
    assert person["status"] == "unsubscribed"
    tick(NINE + timedelta(days=1))
    assert len(sink.received) == 1


def test_an_archive_goes_through_a_pipe(
    running: Desk, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", TextIOWrapper(piped, write_through=True))
        assert running.run("export", "-").code == 0
        content = piped.getvalue()
    monkeypatch.setenv("DIGEST_STORE__URL", elsewhere)
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(content)))
    assert "equal to the archive · imported into" in running.ok("import", "-").out
    assert running.ok("subscribers", "list", "--json").json[0]["email"] == "ada@example.com"


def test_an_export_without_a_store_leaves_no_file_and_says_one_line(bare_desk: Desk) -> None:
    ended = bare_desk.run("export", "store.zip")
    gc.collect()
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "digest init" in ended.err
    names = [path.name for path in bare_desk.folder.iterdir()]
    assert [name for name in names if "zip" in name or "sqlite" in name] == []


def test_an_archive_is_for_its_owner_alone_and_named_with_its_rows(running: Desk) -> None:
    ended = running.ok("export", "store.zip")
    assert re.search(r"wrote store\.zip: \d+ tables, \d+ rows, schema \d{4}\n", ended.out)
    assert stat.S_IMODE((running.folder / "store.zip").stat().st_mode) == 0o600


def test_an_import_into_a_store_in_use_says_what_to_do(running: Desk) -> None:
    running.ok("export", "store.zip")
    for more in ((), ("--dry-run",)):
        ended = running.run("import", "store.zip", *more)
        assert ended.code == 1
        assert "store.url" in ended.err
        assert ended.err.count("\n") == 1


def test_an_import_without_a_store_or_a_file_says_what_to_do(
    running: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.ok("export", "store.zip")
    assert "does not exist" in running.run("import", "none.zip").err
    monkeypatch.setenv("DIGEST_STORE__URL", f"sqlite:///{tmp_path / 'none.sqlite3'}")
    ended = running.run("import", "store.zip")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "digest init" in ended.err
    running.write("bad.zip", b"PK nothing")
    running.ok("db", "upgrade")
    ended = running.run("import", "bad.zip")
    assert (ended.code, ended.err.count("\n")) == (2, 1)


def test_a_dry_run_of_an_import_leaves_the_store_empty(
    running: Desk, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.ok("export", "store.zip")
    monkeypatch.setenv("DIGEST_STORE__URL", elsewhere)
    assert "dry run, nothing was written" in running.ok("import", "store.zip", "--dry-run").out
    assert running.ok("subscribers", "list", "--json").json == []


def test_deliveries_with_senders_are_warned_of_at_both_ends(
    running: Desk, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(load(), lambda: NINE)
    with app.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE deliveries SET state = 'sending', owner = 'x', lease_until = due_at,"
            " begun_at = due_at WHERE kind = 'digest'"
        )
    assert "stop all senders" in running.ok("export", "store.zip").err
    monkeypatch.setenv("DIGEST_STORE__URL", elsewhere)
    assert "1 of them perhaps sent" in running.ok("import", "store.zip").err


def test_secrets_that_did_not_come_along_are_missed(
    running: Desk, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.ok("export", "store.zip")
    assert b"p" * 32 not in (running.folder / "store.zip").read_bytes()
    monkeypatch.setenv("DIGEST_STORE__URL", sqlite_url)
    monkeypatch.setenv("DIGEST_SECRET_KEYS", "new" * 12 + "," + "k" * 32)
    assert running.ok("import", "store.zip", "--dry-run").err == ""
    monkeypatch.setenv("DIGEST_PEPPER", "q" * 32)
    assert "carry them over" in running.ok("import", "store.zip").err


def test_a_restored_backup_that_is_settled_sends_no_digest_again(desk: Desk, sink: Sink) -> None:
    """The backup is from seven, the digest from eight, and the disk died at nine."""
    reader_and_papers(desk)
    desk.ok("db", "backup", "backup.sqlite3")
    tick(NINE)
    assert len(sink.received) == 1
    (desk.folder / "backup.sqlite3").replace(desk.folder / "digest.sqlite3")
    for name in ("digest.sqlite3-wal", "digest.sqlite3-shm"):
        (desk.folder / name).unlink(missing_ok=True)
    ended = desk.ok("db", "settle", "--until", "2026-03-12T09:00Z", "--dry-run")
    assert "would hold 0 mails · would skip the digest of 1 subscribers" in ended.out
    assert "skipped the digest of 1" in desk.ok("db", "settle", "--until", "2026-03-12T09:00Z").out
    tick(NINE + timedelta(hours=1))
    assert len(sink.received) == 1
    (row,) = desk.ok("deliveries", "list", "--kind", "digest", "--json").json
    assert (row["state"], row["reason"], row["digest_on"]) == ("skipped", "late", "2026-03-12")
    tick(NINE + timedelta(days=1))
    assert len(sink.received) == 2


def test_a_backup_says_what_it_did_and_replaces_nothing(running: Desk) -> None:
    ended = running.ok("db", "backup", "backup.sqlite3")
    assert "integrity checked" in ended.out
    again = running.run("db", "backup", "backup.sqlite3")
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "already" in again.err
