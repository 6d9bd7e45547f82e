"""Every kind of mail, signed, as it comes out of the command line and over the wire."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources

import pytest

from digest.cli.context import parse_instant
from digest.domain.deliveries import MailKind
from digest.mail.keys import DnsRecord
from digest.mail.sink import Sink
from digest.services import address_change
from digest.services.subscribe import Keys, queue_mail
from digest.store import subscribers
from digest.store.database import open_engine, transaction
from tests.commands import SECRETS, Desk
from tests.postfix import Postfix

EARLIER = ("--now", "2026-03-12T07:00Z")
NOW = ("--now", "2026-03-12T09:00Z")
KEYS = Keys(
    pepper=SECRETS["DIGEST_PEPPER"], secret=SECRETS["DIGEST_SECRET_KEYS"], domain="papers.example"
)
INTERESTS = ("-i", "continual learning", "-i", "robot manipulation")


def tool(name: str) -> str:
    """The path of a program, or skip the test where it is not installed."""
    path = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def sign_with_new_keys(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[DnsRecord]:
    """Make both keys, configure them as keygen says, and return their records."""
    for line in desk.ok("dkim", "keygen", "--type", "both").lines:
        key, sign, value = line.strip().partition(" = ")
        if sign:
            monkeypatch.setenv(f"DIGEST_DKIM__{key.upper()}", value.strip('"'))
    told = desk.ok("dkim", "record", "--json").json
    return [DnsRecord(name=one["name"], value=one["value"]) for one in told]


class Taken:
    """What an embedded server received."""

    people = ("ada@example.com", "bob@example.com")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def new(self) -> dict[str, bytes]:
        """The mail that came to each of the two since the last call."""
        got = {mail.recipient.lower(): mail.content for mail in self._sink.received}
        assert set(got) == set(self.people)
        assert len(self._sink.received) == len(self.people)
        self._sink.received.clear()
        return got


class Delivered:
    """What a real Postfix put into the maildirs of two of its users, whom nobody else may mail."""

    def __init__(self, postfix: Postfix, *users: str) -> None:
        self._postfix = postfix
        self._users = users
        self._count = 0
        self.people = tuple(f"{user}@{postfix.domain}" for user in users)

    def new(self) -> dict[str, bytes]:
        """The mail that came to each of the two since the last call, with CRLF as on the wire."""
        self._count += 1
        got = {}
        for user, person in zip(self._users, self.people, strict=True):
            mails = self._postfix.mails(user, self._count)
            assert len(mails) == self._count
            got[person] = mails[-1].replace(b"\n", b"\r\n")
        return got


def every_kind(desk: Desk, inbox: Taken | Delivered, now: Sequence[str] = NOW) -> dict[str, bytes]:
    """One mail of each kind, each once with HTML and once as text alone, and test copies.

    `now` is what replaces the clock; without it mails bear the date on which a real server gets
    them.
    """
    html, text = inbox.people
    sample = resources.files("digest").joinpath("sample", "daily.json").read_bytes()
    desk.ok("fetch", "--file", desk.write("daily.json", sample), "--format", "hf-json", *now)
    desk.ok("subscribers", "add", html, *INTERESTS, *now)
    desk.ok("subscribers", "add", text, *INTERESTS, "--text-only", *now)
    found: dict[str, bytes] = {}

    def collect(kind: str) -> None:
        got = inbox.new()
        found[kind], found[f"{kind} (text)"] = got[html], got[text]

    desk.ok("deliver", *now)
    collect("confirm")
    for person in (html, text):
        desk.ok("subscribers", "confirm", person, *now)
    desk.ok("deliver", *now)
    collect("welcome")
    both = ("--only", html, "--only", text)
    desk.ok("send", *both, *now)
    collect("digest")
    desk.ok("send", *both, "--test", *now)
    collect("test")
    for kind in (MailKind.ACCESS, MailKind.CHANGE_ADDRESS):
        queue_asked_for(desk, kind, inbox.people, now)
        desk.ok("deliver", *now)
        collect(kind.value)
    return found


def queue_asked_for(desk: Desk, kind: MailKind, people: Sequence[str], now: Sequence[str]) -> None:
    """Queue what the pages are asked for; a new address is the old one in another spelling, which
    comes to the same mailbox.
    """
    at = parse_instant(now[1]) if now else datetime.now(UTC)  # a real server dates mails by itself
    engine = open_engine(f"sqlite:///{desk.folder / 'digest.sqlite3'}")
    with transaction(engine) as session:
        for email in people:
            person = subscribers.by_email(session, email)
            if kind is MailKind.ACCESS:
                queue_mail(session, kind, person.id, at, KEYS)
            else:
                address_change.ask(session, person.id, email.capitalize(), now=at, keys=KEYS)
    engine.dispose()


def through(postfix: Postfix, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the Postfix as the relay in the environment."""
    monkeypatch.setenv("DIGEST_SMTP__HOST", postfix.host)
    monkeypatch.setenv("DIGEST_SMTP__PORT", str(postfix.port))
    monkeypatch.setenv("DIGEST_SMTP__SECURITY", "none")
