"""Hostile words of what answers us: returned mail and relays; and of the settings."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.mail.verp import Verp
from digest.mail.views import Identity
from digest.services.deliver import deliver
from digest.settings import Settings, load
from tests.builders import NOON
from tests.commands import SECRETS
from tests.corpora import harm
from tests.corpora.house import House
from tests.corpora.strings import OWN, sendable, strings
from tests.moody import Moody, options, post_to, queued
from tests.reliability import record

VERP = Verp("digest@papers.example", [SECRETS["DIGEST_SECRET_KEYS"]])
LATER = ("--now", "2026-03-12T18:00Z")


def told(house: House, door: str, said: Sequence[str]) -> None:
    looks = sum(house.seen.looks.values())
    record("hostile strings", door, strings=len(said), looks=looks, escaped="all")


def through_lists(house: House) -> None:
    """Where what came back is told."""
    house.through_terminal(
        ("bounces", "list", "--limit", "0"),
        ("deliveries", "list", "--limit", "0"),
        ("suppressions", "list", "--limit", "0"),
        ("subscribers", "list", "--limit", "0"),
        *(("deliveries", "show", str(number)) for number in (1, 2, 4)),
    )


def returned(number: int, one: str) -> bytes:
    """A report on a mail of ours with the string in each of its fields, and in its words."""
    sender = VERP.sender(1 + number % 10)
    line = " ".join(one.split())
    text = (
        f"From: {line} <mailer@x.example>\r\nTo: {sender}\r\nSubject: {line}\r\n"
        f"Message-Id: <{number}.{line}@x.example>\r\nDate: Thu, 12 Mar 2026 14:00:00 +0000\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\r\n\r\n'
        f"--B\r\n\r\n<{line}@x.example>: {one}\r\n\r\n"
        f"--B\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; {line}\r\n\r\nFinal-Recipient: rfc822; {line}\r\n"
        f"Original-Recipient: rfc822; ada{number}@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"Diagnostic-Code: smtp; 550 {line}\r\n\r\n--B--\r\n"
    )
    return text.encode("utf-8", "replace")


def by_returned_mail(house: House, said: Sequence[str]) -> None:
    queued(house.engine, *(f"r{number}@lab.example" for number in range(10)))
    deliver(post_to(house.engine, house.sink, NOON), options())
    for number, one in enumerate(said):
        house.cli.write(f"returned{number}.eml", returned(number, one))
    files = sorted(house.cli.folder.glob("returned*.eml"))
    ended = house.cli.run("bounces", "read", *files, *LATER)
    assert ended.code in (0, 3), ended.err[-300:]
    assert "Traceback" not in ended.err
    house.seen.look("terminal", harm.in_text(ended.out + ended.err), "bounces read")
    through_lists(house)
    assert house.cli.ok("bounces", "list", "--json").json


def test_hostile_words_in_returned_mail_stay_words(house: House) -> None:
    by_returned_mail(house, OWN[::3])


@pytest.mark.slow
def test_all_hostile_words_in_returned_mail_stay_words(house: House, shared: Path) -> None:
    said = strings(shared)
    by_returned_mail(house, said)
    told(house, "returned mail", said)


def by_a_relay(house: House, said: Sequence[str]) -> None:
    """The words of a relay that refuses; most mails it takes, or we would let it rest."""
    answers = {
        f"no{number}@lab.example": f"{550 if number % 2 else 451} {' '.join(one.split())[:400]}"
        for number, one in enumerate(said)
    }
    emails = [
        email
        for n, no in enumerate(answers)
        for email in (no, f"a{n}@lab.example", f"b{n}@lab.example")
    ]
    with Moody({email: sendable(answer) for email, answer in answers.items()}) as relay:
        queued(house.engine, *emails)
        deliver(post_to(house.engine, relay, NOON), options())
        assert len(relay.received) >= len(said)
    through_lists(house)


def test_hostile_words_of_a_relay_stay_words(house: House) -> None:
    by_a_relay(house, OWN[::9])


@pytest.mark.slow
def test_more_hostile_words_of_a_relay_stay_words(house: House, shared: Path) -> None:
    said = strings(shared, every=6)
    by_a_relay(house, said)
    told(house, "replies of a relay", said)


# Settings


KEYS = (
    "sender.name", "sender.tagline", "sender.imprint", "sender.address", "sender.contact",
    "site.url", "smtp.host", "smtp.username", "web.host", "store.url", "defaults.timezone",
    "dkim.domain", "http.contact", "secrets_file", "pepper",
)  # fmt: skip


def by_settings(house: House, said: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each string as the value of each key, and as a key: an error of one line, or just words."""
    for one in said:
        for key in KEYS:
            section, _, name = key.rpartition(".")
            head = f"[{section}]\n" if section else ""
            _one_config(house, f"{head}{name} = {_toml(one)}\n")
        _one_config(house, f"{_toml(one)} = 1\n")
        _one_config(house, f'[[sources]]\nname = {_toml(one)}\nkind = "feed"\nurl = {_toml(one)}\n')
        _one_config(house, one)
        if "\0" not in one:
            monkeypatch.setenv("DIGEST_SENDER__NAME", sendable(one))
            ended = house.cli.run("subscribers", "list")
            house.seen.look("terminal", harm.in_text(ended.out + ended.err), "environment")
            monkeypatch.delenv("DIGEST_SENDER__NAME")


def _toml(text: str) -> str:
    return json.dumps(sendable(text))


def _one_config(house: House, text: str) -> None:
    path = house.cli.write("hostile.toml", text.encode("utf-8", "replace"))
    try:
        load(path)
    except ConfigError as exc:
        assert "\n" not in str(exc), str(exc)
        # the one place where errors are written: each is one line, cleaned
        from digest.cli.output import printable

        house.seen.look("terminal", harm.in_text(printable(f"error: {exc}")), text[:60])


def of_ours(house: House, said: Sequence[str]) -> None:
    """The service's own words, as far as settings take them: they stand in each mail and page."""
    from digest.mail.links import Site
    from digest.mail.render import Renderer
    from digest.mail.tokens import Tokens
    from digest.services.mailroom import Mailroom
    from digest.web.pages import Pages

    renderer = Renderer()
    pages = 0
    for one in said:
        if not one.isprintable():
            continue  # directions are the operator's own choice, and mails do without them
        try:
            sender = Settings(sender={"name": one, "tagline": one, "imprint": one}).sender
        except ValueError:
            continue
        pages += 1
        words = {"name": sender.name, "tagline": sender.tagline, "imprint": sender.imprint}
        room = Mailroom(
            renderer, Tokens(["k" * 32]), Site(url="https://papers.example"),
            Identity(address="digest@papers.example", **words),
        )  # fmt: skip
        room.check()
        page = Pages({**words, "contact": "", "registration": "open"}).message("Title", one)
        house.look_at_reply(_Reply(page), one[:40])
        house.seen.look("mail: headers", harm.in_headers(_mail_of(room, house)))
    assert pages > len(said) // 3


class _Reply:
    """A page as if a request had got it."""

    def __init__(self, page) -> None:
        self.text = bytes(page.body).decode("utf-8", "replace")
        self.status_code = page.status_code
        self.headers = page.headers


def _mail_of(room, house: House) -> bytes:
    from digest.domain.deliveries import MailKind
    from digest.services.mailroom import Order
    from tests.builders import a_subscriber

    order = Order(
        kind=MailKind.WELCOME, subscriber=a_subscriber(next_digest_at=NOON),
        message_id="<x@papers.example>", queued_at=NOON,
    )  # fmt: skip
    mail = room.mail(order, {})
    page = harm.Html(mail.rendered.html or "")
    odd = [str(one) for one in page.elements - house.known_in_mails]
    house.seen.look("mail: HTML", [*page.harm(), *odd, *harm.in_text(page.text)])
    house.seen.look("mail: text", harm.in_text(mail.rendered.text))
    return mail.content


def test_hostile_words_in_settings_stay_words(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_settings(house, OWN[::12], monkeypatch)
    of_ours(house, OWN[::5])


@pytest.mark.slow
def test_more_hostile_words_in_settings_stay_words(
    house: House, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = strings(shared, every=20)
    by_settings(house, said, monkeypatch)
    of_ours(house, said)
    told(house, "settings: TOML and environment", said)
