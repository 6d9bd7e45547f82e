"""`digest send --test`: a real mail, marked, of which the store never hears."""

import email
import email.policy
import json
import sqlite3
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from digest.mail.sink import Sink
from tests.commands import Desk

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
    for n in range(1, 5)
)
DAY = ("--date", "2026-03-12", "--now", "2026-03-12T09:00Z")
EARLIER = ("--now", "2026-03-12T07:00Z")
ADA = ("--only", "ada@example.com")


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """Four papers, and Ada who wants them."""
    desk.ok("fetch", "--file", desk.write("p.jsonl", PAPERS), "--format", "jsonl", *EARLIER)
    desk.ok("subscribers", "add", "ada@example.com", "-i", "continual learning", "--confirmed")
    return desk


def _rows(desk: Desk) -> list[str]:
    with sqlite3.connect(desk.folder / "digest.sqlite3") as connection:
        return list(connection.iterdump())


def _content(mail: bytes) -> EmailMessage:
    message = email.message_from_bytes(mail, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _parts(message: EmailMessage) -> Iterator[str]:
    for part in message.walk():
        if not part.is_multipart():
            yield part.get_content()


def test_copy_is_the_mail_of_the_preview_but_marked(ready: Desk, sink: Sink) -> None:
    ready.ok("preview", "ada@example.com", *DAY, "--out", "out")
    ended = ready.ok("send", *ADA, *DAY, "--test")
    assert "ada@example.com" in ended.out
    assert "250" in ended.out
    (taken,) = sink.received
    (shown,) = (ready.folder / "out").glob("*.eml")
    copy, real = _content(taken.content), _content(shown.read_bytes())
    assert copy["Subject"] == f"[Test] {real['Subject']}"
    assert copy["Message-ID"] != real["Message-ID"]
    assert [name for name, _ in copy.items()] == [name for name, _ in real.items()]
    for name in ("From", "To", "List-Unsubscribe", "List-Id", "Feedback-ID"):
        assert copy[name] == real[name]
    assert list(_parts(copy)) == list(_parts(real))


def test_store_is_the_same_before_and_after(ready: Desk, sink: Sink) -> None:
    before = _rows(ready)
    for _ in range(2):
        ready.ok("send", *ADA, *DAY, "--test")
    assert len(sink.received) == 2
    assert _rows(ready) == before
    ready.ok("send", *ADA, *DAY)
    assert len(sink.received) == 3
    sent = _rows(ready)
    ready.ok("send", *ADA, *DAY, "--test")
    assert len(sink.received) == 4
    assert _rows(ready) == sent


def test_every_copy_has_a_message_id_of_its_own(ready: Desk, sink: Sink) -> None:
    for _ in range(2):
        ready.ok("send", *ADA, *DAY, "--test")
    first, second = (_content(mail.content)["Message-ID"] for mail in sink.received)
    assert first != second
    assert first.endswith("@papers.example>")


def test_bounce_of_a_copy_names_no_delivery(
    ready: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.ok("send", *ADA, *DAY, "--test")
    monkeypatch.setenv("DIGEST_BOUNCES__ADDRESS", "bounces@papers.example")
    ready.ok("send", *ADA, *DAY, "--test")
    senders = [mail.sender for mail in sink.received]
    assert senders == ["digest@papers.example", "bounces@papers.example"]


def test_copy_of_a_digest_that_was_sent_holds_the_same_papers(ready: Desk, sink: Sink) -> None:
    ready.ok("send", *ADA, *DAY)
    ready.ok("send", *ADA, *DAY, "--test")
    real, copy = (_content(mail.content) for mail in sink.received)
    assert copy["Subject"] == f"[Test] {real['Subject']}"
    text, other = (m.get_body(("plain",)).get_content() for m in (real, copy))  # type: ignore[union-attr]
    titles = [f"Continual learning, part {n}" for n in range(1, 5)]
    assert [t in text for t in titles] == [t in other for t in titles] == [True] * 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["--test"],
        ["--test", *DAY],
        ["--test", *ADA, "--limit", "1"],
        ["--test", *ADA, "--processes", "2"],
    ],
)
def test_wrong_usage_is_refused(ready: Desk, sink: Sink, arguments: list[str]) -> None:
    assert ready.run("send", *arguments).code == 2
    assert sink.received == []


def test_dry_run_sends_nothing(ready: Desk, sink: Sink) -> None:
    ended = ready.ok("send", *ADA, *DAY, "--test", "--dry-run")
    assert "would send" in ended.out
    assert sink.received == []


def test_who_has_nothing_to_read_gets_nothing_and_it_is_said(desk: Desk, sink: Sink) -> None:
    desk.ok("subscribers", "add", "ada@example.com", "-i", "continual learning", "--confirmed")
    ended = desk.ok("send", *ADA, *DAY, "--test")
    assert "no mail for ada@example.com on 2026-03-12" in ended.out
    assert sink.received == []


def _unsubscribe(desk: Desk) -> None:
    desk.ok("subscribers", "remove", "bob@example.com")


def _pause(desk: Desk) -> None:
    desk.ok("subscribers", "pause", "bob@example.com")


def _suppress(desk: Desk) -> None:
    """Suppress the address of somebody who is active still."""
    from datetime import UTC, datetime

    from digest.domain.subscribers import SuppressionReason, address_hash
    from digest.store import suppressions
    from digest.store.database import open_engine, transaction

    hashed = address_hash("p" * 32, "bob@example.com")
    engine = open_engine(f"sqlite:///{desk.folder / 'digest.sqlite3'}")
    with transaction(engine) as session:
        at = datetime(2026, 3, 1, tzinfo=UTC)
        reason = SuppressionReason.COMPLAINT
        suppressions.add(session, hashed, reason, at, email="bob@example.com")
    engine.dispose()


@pytest.mark.parametrize("leave", [_unsubscribe, _pause, _suppress])
def test_who_must_not_be_mailed_is_refused_and_the_others_get_theirs(
    ready: Desk, sink: Sink, leave: object
) -> None:
    ready.ok("subscribers", "add", "bob@example.com", "-i", "continual learning", "--confirmed")
    assert callable(leave)
    leave(ready)
    ended = ready.run("send", *ADA, "--only", "bob@example.com", *DAY, "--test")
    assert ended.code == 3
    assert "bob@example.com" in ended.err
    assert [mail.recipient for mail in sink.received] == ["ada@example.com"]
    assert ready.run("send", "--only", "bob@example.com", *DAY, "--test").code == 1
    assert len(sink.received) == 1


def test_who_has_not_confirmed_and_strangers_are_refused(ready: Desk, sink: Sink) -> None:
    ready.ok("subscribers", "add", "bob@example.com", "-i", "continual learning")
    for person in ("bob@example.com", "nobody@example.com"):
        ended = ready.run("send", "--only", person, *DAY, "--test")
        assert ended.code == 1
        assert person in ended.err
    assert sink.received == []


def test_address_named_twice_gets_one_copy(ready: Desk, sink: Sink) -> None:
    ready.ok("send", *ADA, "--only", "ADA@example.com", *DAY, "--test")
    assert len(sink.received) == 1


def test_relay_that_is_down_is_named_and_exit_code_1(
    ready: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SMTP__HOST", "127.0.0.1")
    monkeypatch.setenv("DIGEST_SMTP__PORT", "9")
    monkeypatch.setenv("DIGEST_SMTP__SECURITY", "none")
    ended = ready.run("send", *ADA, *DAY, "--test")
    assert ended.code == 1
    assert "127.0.0.1:9" in ended.err


def test_wrong_template_stops_before_the_first_copy(
    ready: Desk, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    override = tmp_path / "mine" / "mail" / "welcome"
    override.mkdir(parents=True)
    (override / "body.txt").write_text("{% if %}")
    monkeypatch.setenv("DIGEST_TEMPLATES__FOLDER", str(tmp_path / "mine"))
    ended = ready.run("send", *ADA, *DAY, "--test")
    assert ended.code == 1
    assert "body.txt" in ended.err
    assert sink.received == []
