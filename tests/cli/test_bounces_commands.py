"""`digest bounces` and `digest suppressions`: from mails and files to what they change."""

import io
import mailbox
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from digest.mail.tokens import Purpose, Tokens
from digest.mail.verp import Verp
from digest.store.contents import EMPTY
from digest.store.database import open_engine, transaction
from digest.store.subscribers import by_email
from digest.store.tables import DeliveryRow, table
from tests.builders import NOON
from tests.commands import SECRETS, Desk, Ended
from tests.mail.imapserver import ImapServer, a_certificate
from tests.mail.returned import a_complaint, a_dsn, a_vacation_note, an_opt_out

KEY = SECRETS["DIGEST_SECRET_KEYS"]
VERP = Verp("digest@papers.example", [KEY])
NAMES = ("ada", "bob", "cyd", "dee", "eve")
LATER = ("--now", "2026-03-12T18:00Z")


@dataclass(frozen=True)
class Mailed:
    """A digest that went out to somebody."""

    id: int
    email: str
    message_id: str
    person: int

    @property
    def sender(self) -> str:
        return VERP.sender(self.id)

    @property
    def token(self) -> str:
        return Tokens([KEY]).sign(Purpose.UNSUBSCRIBE, str(self.person), NOON)


@pytest.fixture
def mailed(desk: Desk) -> dict[str, Mailed]:
    """Five subscribers who got a digest, by their names."""
    rows = "".join(f"{name}@example.com,active\n" for name in NAMES)
    people = desk.write("people.csv", "email,status\n" + rows)
    desk.ok("subscribers", "import", people, "--now", "2026-03-01T12:00Z")
    engine = open_engine(f"sqlite:///{desk.folder / 'digest.sqlite3'}")
    with transaction(engine) as session:
        persons = [by_email(session, f"{name}@example.com") for name in NAMES]
        rows_sent = [
            {
                "kind": "digest",
                "subscriber_id": person.id,
                "digest_on": NOON.date(),
                "state": "sent",
                "picks": EMPTY,
                "message_id": f"<digest.{person.id}@papers.example>",
                "queued_at": NOON,
                "due_at": NOON,
                "begun_at": NOON,
                "sent_at": NOON,
            }
            for person in persons
        ]
        session.execute(insert(table(DeliveryRow)), rows_sent)
    engine.dispose()
    return {
        row["email"].partition("@")[0]: Mailed(
            row["id"], row["email"], row["message_id"], row["subscriber_id"]
        )
        for row in desk.ok("deliveries", "list", "--json").json
    }


@pytest.fixture
def mails(mailed: dict[str, Mailed]) -> dict[str, bytes]:
    """One mail of each kind that may come back."""
    ada, bob, cyd, dee, eve = (mailed[name] for name in NAMES)
    return {
        "hard": a_dsn(ada.sender, "elsewhere@forward.example"),
        "soft": a_dsn("x@papers.example", bob.email, "soft", message_id=bob.message_id),
        "policy": a_dsn(bob.sender, bob.email, "policy"),
        "complaint": a_complaint(cyd.message_id),
        "leave": an_opt_out(dee.token),
        "vacation": a_vacation_note(eve.sender),
        "forged": a_dsn("digest+b1-aaaaaaaaaaaaaaaa@papers.example", eve.email),
        "bad token": an_opt_out(eve.token[:-1] + ("A" if eve.token[-1] != "A" else "B")),
        "letter": b"Subject: hello\r\n\r\nI like your digest.\r\n",
        "garbage": bytes(range(256)) * 100,
    }


SUMMARY = (
    "10 read · 1 hard · 1 soft · 1 policy · 1 complaint · 1 unsubscribed · 1 auto-reply"
    " · 2 not ours · 2 other"
)


def statuses(desk: Desk) -> dict[str, str]:
    found = desk.ok("subscribers", "list", "--json").json
    return {row["email"].partition("@")[0]: row["status"] for row in found}


AFTER = {"ada": "suppressed", "bob": "active", "cyd": "suppressed", "dee": "unsubscribed"} | {
    "eve": "active"
}


def an_mbox(path: Path, mails: dict[str, bytes]) -> Path:
    made = mailbox.mbox(path)
    for raw in mails.values():
        made.add(mailbox.mboxMessage(raw))
    made.close()
    return path


def given(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    """Put these bytes on stdin."""
    text = io.TextIOWrapper(io.BufferedReader(io.BytesIO(raw)))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", text)


def test_files_are_read_acted_upon_and_summed_up(desk: Desk, mails: dict[str, bytes]) -> None:
    files = [desk.write(f"{n}.eml", raw) for n, raw in enumerate(mails.values())]
    dry = desk.ok("bounces", "read", *files, "--dry-run", *LATER)
    assert dry.lines[-1] == SUMMARY + " · dry run, nothing was written"
    assert set(statuses(desk).values()) == {"active"}
    assert desk.ok("bounces", "list", "--json").json == []
    ended = desk.ok("bounces", "read", *files, *LATER)
    assert ended.lines[-1] == SUMMARY
    assert any("0.eml: hard of ada@example.com (5.1.1): suppressed" in one for one in ended.lines)
    assert not any("5.eml" in line or "8.eml" in line for line in ended.lines)
    assert statuses(desk) == AFTER
    again = desk.ok("bounces", "read", *files, *LATER)
    assert again.lines[-1].startswith("10 read · 1 auto-reply · 2 not ours · 5 known already")
    assert statuses(desk) == AFTER


def test_an_mbox_on_stdin_tells_as_json(
    desk: Desk, mails: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, an_mbox(desk.folder / "mbox", mails).read_bytes())
    told = desk.ok("bounces", "read", "--json", *LATER).json
    assert [one["outcome"] for one in told] == [
        *("suppressed", "noted", "noted", "suppressed", "unsubscribed"),
        *("nothing to do", "not ours", "not ours", "nothing to do", "nothing to do"),
    ]
    assert (told[0]["file"], told[0]["kind"], told[0]["email"], told[0]["status"]) == (
        *("stdin:1", "hard", "ada@example.com", "5.1.1"),
    )
    assert statuses(desk) == AFTER


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(
    desk: Desk, mails: dict[str, bytes]
) -> None:
    big = mails["hard"] + b"x" * (10 << 20)
    ended = desk.run("bounces", "read", "gone.eml", desk.write("big", big), *LATER)
    assert ended.code == 3
    assert ended.lines[-1] == "2 read · 1 hard · 1 unreadable"
    assert ended.err == "gone.eml: there is no such file\n"


def test_control_characters_in_a_bounce_reach_no_terminal(
    desk: Desk, mailed: dict[str, Mailed]
) -> None:
    raw = a_dsn(mailed["ada"].sender).replace(b"no such user here", b"gone \x1b]0;evil\x07\x1b[2J")
    assert "\x1b" not in desk.ok("bounces", "read", desk.write("a\x1b[2J.eml", raw), *LATER).out
    assert "\x1b" not in desk.ok("bounces", "list").out


def test_the_list_says_what_came_back_and_so_does_the_delivery(
    desk: Desk, mails: dict[str, bytes], mailed: dict[str, Mailed]
) -> None:
    desk.ok("bounces", "read", desk.write("hard.eml", mails["hard"]), *LATER)
    desk.ok("bounces", "read", desk.write("soft.eml", mails["soft"]), *LATER)
    (kept,) = desk.ok("bounces", "list", "--email", "ADA@example.com", "--json").json
    assert kept | {"id": 0} == {
        "id": 0,
        "happened_at": "2026-03-12T14:00:00Z",
        "kind": "hard",
        "email": "ada@example.com",
        "delivery_id": mailed["ada"].id,
        "status": "5.1.1",
        "detail": kept["detail"],
        "acted": "suppressed",
    }
    assert len(desk.ok("bounces", "list", "--limit", "1", "--json").json) == 1
    told = desk.ok("bounces", "list").lines
    assert any(line.startswith("2026-03-12\thard\tada@example.com\t") for line in told)
    assert any("mailbox full" in line for line in told)
    (shown,) = desk.ok("deliveries", "show", str(mailed["ada"].id), "--json").json
    assert [one["kind"] for one in shown["came_back"]] == ["hard"]
    assert "came back" in desk.ok("deliveries", "show", str(mailed["ada"].id)).out


def test_a_watched_maildir_is_marked_as_seen_but_not_by_a_dry_run(
    desk: Desk, mails: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = mailbox.Maildir(desk.folder / "returned")
    for raw in mails.values():
        made.add(raw)
    monkeypatch.setenv("DIGEST_BOUNCES__MAILDIR", "returned")
    given(monkeypatch, b"")  # as run by cron
    desk.ok("bounces", "read", "--dry-run", *LATER)
    assert len(list((desk.folder / "returned" / "new").iterdir())) == 10
    ended = desk.ok("bounces", "read", *LATER)
    assert ended.lines[-1] == SUMMARY
    assert statuses(desk) == AFTER
    assert list((desk.folder / "returned" / "new").iterdir()) == []
    assert all(path.name.endswith(":2,S") for path in (desk.folder / "returned" / "cur").iterdir())
    assert desk.ok("bounces", "read", *LATER).lines == ["0 read"]


def test_a_watched_imap_folder_is_marked_as_seen(
    desk: Desk, mails: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = a_certificate(desk.folder)
    with ImapServer(certificate) as server:
        server.put(*mails.values())
        for name, value in {
            "IMAP_HOST": "127.0.0.1",
            "IMAP_PORT": str(server.port),
            "IMAP_USERNAME": "bounces",
            "IMAP_PASSWORD": "hunter2",
        }.items():
            monkeypatch.setenv(f"DIGEST_BOUNCES__{name}", value)
        given(monkeypatch, b"")
        ended = desk.run("bounces", "read", *LATER)
        assert (ended.code, "cannot be trusted" in ended.err) == (1, True)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        ended = desk.run("bounces", "read", *LATER)
        assert (ended.code, "refused the login" in ended.err) == (1, True)
        assert "hunter2" not in ended.err
        server.password = "hunter2"
        assert desk.ok("bounces", "read", *LATER).lines[-1] == SUMMARY
        assert len(server.seen()) == 10
    assert statuses(desk) == AFTER


def test_without_mails_and_mailbox_the_settings_are_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, b"")
    ended = desk.run("bounces", "read")
    assert (ended.code, "bounces.maildir" in ended.err) == (2, True)
    assert len(ended.err.splitlines()) == 1


def test_a_store_that_fails_leaves_the_mail_for_the_next_time(
    desk: Desk, mails: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = mailbox.Maildir(desk.folder / "returned")
    made.add(mails["hard"])
    monkeypatch.setenv("DIGEST_BOUNCES__MAILDIR", "returned")
    given(monkeypatch, b"")
    with sqlite3.connect(desk.folder / "digest.sqlite3") as store:
        body = "BEGIN SELECT RAISE(ROLLBACK, 'disk'); END"
        store.execute(f"CREATE TRIGGER full BEFORE INSERT ON bounces {body}")
    ended = desk.run("bounces", "read", *LATER)
    assert (ended.code, ended.lines[-1]) == (3, "1 read · 1 unreadable")
    assert statuses(desk)["ada"] == "active"
    assert len(list((desk.folder / "returned" / "new").iterdir())) == 1
    with sqlite3.connect(desk.folder / "digest.sqlite3") as store:
        store.execute("DROP TRIGGER full")
    assert desk.ok("bounces", "read", *LATER).lines[-1] == "1 read · 1 hard"


# Suppressions


def add(desk: Desk, *arguments: str) -> Ended:
    return desk.ok("suppressions", "add", *arguments)


def test_suppressions_are_added_listed_and_lifted(desk: Desk, mailed: dict[str, Any]) -> None:
    assert "would suppress" in add(desk, "ada@example.com", "--dry-run").out
    assert statuses(desk)["ada"] == "active"
    add(desk, "ada@example.com", "--reason", "bounce", "--now", "2026-03-12T13:00Z")
    assert "suppressed already" in add(desk, "ADA@example.com").out
    (row,) = desk.ok("suppressions", "list", "--json").json
    assert row.keys() == {"email", "address_hash", "reason", "created_at"}
    assert (row["email"], row["reason"], row["created_at"]) == (
        *("ada@example.com", "bounce", "2026-03-12T13:00:00Z"),
    )
    assert desk.ok("suppressions", "list", "--reason", "complaint", "--json").json == []
    assert statuses(desk)["ada"] == "suppressed"
    ended = desk.ok("suppressions", "remove", "ada@example.com")
    assert "lifted" in ended.out
    assert "only they themselves can sign up again" in ended.err
    assert statuses(desk)["ada"] == "unsubscribed"
    assert desk.run("suppressions", "remove", "ada@example.com").code == 1


def test_a_complaint_is_lifted_only_by_force(desk: Desk) -> None:
    add(desk, "x@example.com", "--reason", "complaint")
    ended = desk.run("suppressions", "remove", "x@example.com")
    assert (ended.code, "--force" in ended.err) == (1, True)
    desk.ok("suppressions", "remove", "x@example.com", "--force")
    assert desk.run("suppressions", "add", "x@example.com", "--reason", "erased").code == 2
    assert desk.run("suppressions", "add", "no address").code == 2


def test_suppressions_go_out_and_come_in_as_the_same_bytes(
    desk: Desk, mailed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ok("subscribers", "erase", "eve@example.com")
    add(desk, "ada@example.com")
    desk.ok("suppressions", "export", "one.csv")
    first = (desk.folder / "one.csv").read_bytes()
    assert b"eve" not in first
    assert "0 added · 0 changed · 2 unchanged" in desk.ok("suppressions", "import", "one.csv").out
    monkeypatch.setenv("DIGEST_STORE__URL", "sqlite:///other.sqlite3")
    desk.ok("db", "upgrade")
    dry = desk.ok("suppressions", "import", "one.csv", "--dry-run")
    assert "2 added" in dry.out and "dry run" in dry.out
    assert desk.ok("suppressions", "list", "--json").json == []
    given(monkeypatch, first)
    desk.ok("suppressions", "import", "-")
    assert desk.ok("suppressions", "export", "-").out.encode() == first


def test_bad_rows_of_an_import_are_named_by_their_lines(desk: Desk) -> None:
    file = desk.write("s.csv", "email,reason\na@example.com,bounce\nnobody,bounce\n")
    ended = desk.run("suppressions", "import", file)
    assert ended.code == 3
    assert ended.err.startswith("line 3: 'nobody' is not one mail address")
    assert "1 added · 0 changed · 0 unchanged · 1 rejected" in ended.out
    for name, said in (("gone.csv", "does not exist"), (desk.write("e.csv", ""), "empty")):
        refused = desk.run("suppressions", "import", name)
        assert (refused.code, said in refused.err) == (2, True)
    assert desk.run("suppressions", "export", "no/such/folder.csv").code == 2
