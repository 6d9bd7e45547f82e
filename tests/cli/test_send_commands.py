"""`digest compose`, `deliver`, `send`, `preview`, `deliveries`, `stats` and `demo`."""

import email
import email.policy
import json
import sqlite3
from pathlib import Path

import pytest

from digest.mail.sink import Sink
from tests.commands import SECRETS, Desk

PAPERS = "".join(
    json.dumps(
        {
            "id": f"p{n}",
            "title": f"Continual learning, part {n}",
            "abstract": f"We study continual learning with {n} tasks.",
            "arxiv": f"2603.{n:05d}",
        }
    )
    + "\n"
    for n in range(1, 9)
)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """Eight papers, and Ada who wants three of them."""
    desk.ok("fetch", "--file", desk.write("p.jsonl", PAPERS), "--format", "jsonl")
    desk.ok(
        "subscribers", "add", "ada@example.com", "-i", "continual learning", "--max-papers", "3",
        "--confirmed",
    )  # fmt: skip
    return desk


def _dump(desk: Desk) -> list[str]:
    with sqlite3.connect(desk.folder / "digest.sqlite3") as connection:
        return list(connection.iterdump())


def test_send_mails_once_and_a_second_send_nothing(ready: Desk, sink: Sink) -> None:
    ready.ok("send", "--date", "2026-03-12")
    assert len(sink.received) == 1
    ended = ready.ok("send", "--date", "2026-03-12")
    assert "nothing to send" in ended.out
    assert len(sink.received) == 1
    (row,) = ready.ok("deliveries", "list", "--json").json
    wanted = {
        "id", "kind", "subscriber_id", "email", "digest_on", "edition_id", "state", "reason",
        "attempts", "doubtful", "message_id", "papers", "queued_at", "sent_at", "smtp_code",
    }  # fmt: skip
    assert wanted <= row.keys()
    assert (row["state"], row["smtp_code"], len(row["papers"])) == ("sent", 250, 3)


def test_next_day_brings_other_papers(ready: Desk, sink: Sink) -> None:
    ready.ok("send", "--date", "2026-03-12")
    ready.ok("send", "--date", "2026-03-13")
    first, second = ready.ok("deliveries", "list", "--json").json
    assert len(first["papers"]) == len(second["papers"]) == 3
    assert not set(first["papers"]) & set(second["papers"])
    assert len(sink.received) == 2


def test_dry_run_of_compose_and_send_changes_nothing_at_all(ready: Desk, sink: Sink) -> None:
    before = _dump(ready)
    ended = ready.ok("compose", "--date", "2026-03-12", "--dry-run")
    assert "ada@example.com" in ended.out
    ready.ok("send", "--only", "ada@example.com", "--dry-run")
    assert _dump(ready) == before
    assert sink.received == []


def test_only_composes_at_once_and_never_replaces_a_digest(ready: Desk, sink: Sink) -> None:
    ready.ok("send", "--only", "ada@example.com")
    before = ready.ok("deliveries", "list", "--json").json
    ready.ok("send", "--only", "ada@example.com")
    assert ready.ok("deliveries", "list", "--json").json == before
    assert ready.run("compose", "--only", "nobody@example.com").code == 1


def test_send_only_mails_nobody_else(ready: Desk, sink: Sink) -> None:
    ready.ok("subscribers", "add", "bob@example.com", "-i", "continual learning", "--confirmed")
    ready.ok("compose", "--date", "2026-03-12")
    ended = ready.run("send", "--only", "ada@example.com", "--only", "eve@example.com")
    assert ended.code == 3
    assert "eve@example.com" in ended.err
    assert {mail.recipient for mail in sink.received} == {"ada@example.com"}
    ready.ok("deliver")
    assert {mail.recipient for mail in sink.received} == {"ada@example.com", "bob@example.com"}


def test_who_is_not_due_gets_nothing(ready: Desk) -> None:
    ready.ok("compose", "--date", "2026-03-12", "--now", "2026-03-12T09:00Z")
    assert "0 due" in ready.ok("compose", "--now", "2026-03-12T09:05Z").out


def test_preview_is_exactly_the_mail_that_goes_out(ready: Desk, sink: Sink) -> None:
    ready.ok("compose", "--only", "ada@example.com", "--date", "2026-03-12")
    ready.ok("preview", "ada@example.com", "--date", "2026-03-12", "--out", "out")
    assert "would send 1 of 1 due" in ready.ok("deliver", "--dry-run").out
    assert sink.received == []
    ready.ok("deliver")
    assert "would send 0 of 0 due" in ready.ok("deliver", "--dry-run").out
    (eml,) = (ready.folder / "out").glob("*.eml")
    assert eml.read_bytes() == sink.received[0].content
    assert {path.suffix for path in (ready.folder / "out").iterdir()} == {".eml", ".html", ".txt"}


def test_preview_before_composing_has_the_same_words_and_writes_no_row(
    ready: Desk, sink: Sink
) -> None:
    before = _dump(ready)
    shown = ready.ok("preview", "ada@example.com", "--date", "2026-03-12").out
    assert _dump(ready) == before
    ready.ok("send", "--only", "ada@example.com", "--date", "2026-03-12")
    message = email.message_from_bytes(sink.received[0].content, policy=email.policy.default)
    assert str(message["Subject"]) in shown
    for line in ready.ok("papers", "list", "--json").json:
        body = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert (line["title"] in body) == (line["title"] in shown)


def test_relay_that_is_down_is_exit_code_1_and_keeps_the_queue(
    ready: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SMTP__HOST", "127.0.0.1")
    monkeypatch.setenv("DIGEST_SMTP__PORT", "9")
    monkeypatch.setenv("DIGEST_SMTP__SECURITY", "none")
    ended = ready.run("send", "--date", "2026-03-12")
    assert ended.code == 1
    assert "127.0.0.1:9" in ended.err
    (row,) = ready.ok("deliveries", "list", "--json").json
    assert (row["state"], row["attempts"]) == ("queued", 0)


def test_missing_sender_is_named_before_anything_is_sent(
    ready: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIGEST_SENDER__ADDRESS")
    ended = ready.run("deliver")
    assert ended.code == 2
    assert "sender.address" in ended.err


def test_wrong_template_of_the_operator_stops_before_the_first_mail(
    ready: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ready.folder / "mine" / "mail" / "digest"
    folder.mkdir(parents=True)
    (folder / "body.html").write_text("<p>{% if %}</p>")
    monkeypatch.setenv("DIGEST_TEMPLATES__FOLDER", "mine")
    before = _dump(ready)
    ended = ready.run("send", "--date", "2026-03-12")
    assert ended.code == 1
    assert "body.html, line 1" in ended.err
    assert sink.received == []
    assert _dump(ready) == before


@pytest.mark.slow
def test_several_processes_send_each_digest_once(desk: Desk, sink: Sink) -> None:
    desk.ok("fetch", "--file", desk.write("p.jsonl", PAPERS), "--format", "jsonl")
    rows = "".join(f"reader{n}@example.com,continual learning,active\n" for n in range(60))
    desk.ok("subscribers", "import", desk.write("p.csv", "email,interests,status\n" + rows))
    desk.ok("compose", "--date", "2026-03-12")
    assert "60 sent" in desk.ok("deliver", "--processes", "2").out
    assert len({mail.recipient for mail in sink.received}) == len(sink.received) == 60


@pytest.mark.slow
@pytest.mark.parametrize("connections", ["1", "2"])
def test_more_processes_than_connections_are_no_failure(
    ready: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch, connections: str
) -> None:
    monkeypatch.setenv("DIGEST_LIMITS__CONNECTIONS", connections)
    ready.ok("compose", "--date", "2026-03-12")
    ended = ready.ok("deliver", "--processes", "3")
    assert "1 sent" in ended.out
    assert ended.err == ""


def test_deliveries_show_and_stats_tell_the_story(ready: Desk, sink: Sink) -> None:
    ready.ok("send", "--date", "2026-03-12")
    (row,) = ready.ok("deliveries", "list", "--json").json
    (shown,) = ready.ok("deliveries", "show", str(row["id"]), "--json").json
    assert shown["picks"][0]["reason"].startswith("matches continual learning in the title")
    states = {s["state"]: s["deliveries"] for s in ready.ok("deliveries", "stats", "--json").json}
    assert states["sent"] == 1
    today = ready.ok("stats", "--days", "1", "--json").json[0]
    assert (today["papers"], today["joined"], today["deliveries"]["sent"]) == (8, 1, 1)
    assert ready.run("deliveries", "show", "999").code == 1


def test_demo_delivers_to_five_readers_and_writes_each_mail(
    bare_desk: Desk, tmp_path: Path
) -> None:
    ended = bare_desk.ok("demo", "--out", "mails")
    files = sorted(path.name for path in (tmp_path / "mails").iterdir())
    for ending in ("eml", "html", "txt"):
        assert len([name for name in files if name.endswith(ending)]) == 5
    assert "5 mails arrived" in ended.out
    assert "matches" in ended.out
    assert bare_desk.ok("demo", "--out", "mails").code == 0


def test_demo_leaves_the_operators_store_alone(desk: Desk) -> None:
    before = _dump(desk)
    desk.ok("demo", "--out", "mails")
    assert _dump(desk) == before


@pytest.mark.slow
@pytest.mark.postgres
def test_the_same_way_on_postgresql(
    bare_desk: Desk, sink: Sink, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DIGEST_STORE__URL", postgres_url)
    monkeypatch.setenv("DIGEST_SENDER__ADDRESS", "digest@papers.example")
    path = bare_desk.write("p.jsonl", PAPERS)
    bare_desk.ok("fetch", "--file", path, "--format", "jsonl")
    again = bare_desk.ok("fetch", "--file", path, "--format", "jsonl", "--json").json
    assert again[0]["new"] == 0
    rows = "".join(f"reader{n}@example.com,continual learning,active\n" for n in range(20))
    people = bare_desk.write("p.csv", "email,interests,status\n" + rows)
    bare_desk.ok("subscribers", "import", people)
    assert "20 sent" in bare_desk.ok("send", "--date", "2026-03-12", "--processes", "2").out
    assert len({mail.recipient for mail in sink.received}) == len(sink.received) == 20
    assert "as they should be" in bare_desk.ok("db", "check").out
