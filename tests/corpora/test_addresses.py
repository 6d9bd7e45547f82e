"""Addresses of other projects' tests: which are taken is documented, and each that is taken reaches
a relay as itself.
"""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from digest.domain.subscribers import Preferences, address
from digest.errors import InvalidInput, PermanentMailError
from digest.mail.envelope import Envelope, Offers
from digest.mail.message import Letter, Mailbox, compose
from digest.mail.transport import Relay
from digest.services.rowfiles import Format
from digest.services.transfer import import_subscribers
from digest.store.database import open_engine
from tests.builders import NOON
from tests.corpora import harm
from tests.corpora.strings import OWN, strings
from tests.mail.relays import Inbox, settings
from tests.moody import KEYS
from tests.reliability import record

ROOT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"\| ([^|]+?) \| (\d+) \| (\d+) \|")
_CATEGORIES = {
    "ISEMAIL_VALID_CATEGORY": "isEmail, valid",
    "ISEMAIL_DNSWARN": "isEmail, valid, no DNS record",
    "ISEMAIL_RFC5321": "isEmail, valid for SMTP but unusual",
    "ISEMAIL_CFWS": "isEmail, comments and folded white space",
    "ISEMAIL_DEPREC": "isEmail, deprecated forms",
    "ISEMAIL_RFC5322": "isEmail, valid for RFC 5322 alone",
    "ISEMAIL_ERR": "isEmail, errors",
    "ValidAddresses": "EmailValidation, valid",
    "ValidInternationalAddresses": "EmailValidation, valid international",
    "InvalidAddresses": "EmailValidation, invalid",
    "InvalidInternationalAddresses": "EmailValidation, invalid international",
}
# ASCII, a domain of another script, and local parts of another script; and what is none
OWN_TAKEN = {
    "Ada.Lovelace+x@Example.COM": b"Ada.Lovelace+x@example.com",
    " ada@example.com ": b"ada@example.com",
    "a'b!#$%&*/=?^_`{|}~-@example.com": b"a'b!#$%&*/=?^_`{|}~-@example.com",
    "ada@bücher.example": b"ada@xn--bcher-kva.example",
    "ada@XN--BCHER-KVA.example": b"ada@xn--bcher-kva.example",
    "ada@bu\u0308cher.example": b"ada@xn--bcher-kva.example",
    "юзер@екзампл.ком": "юзер@xn--80ajglhfv.xn--j1aef".encode(),
    "e\u0301@example.com": "é@example.com".encode(),
}
OWN_REFUSED = (
    "ada@example.com\r\nRCPT TO:<victim@example.com>",
    "ada@example.com\nBcc: x@example.com",
    "ada@example.com>\r\nDATA",
    "ada@example.com> SIZE=1 X=<",
    "<ada@example.com>",
    "ada@example.com,b@c.example",
    "ada@example.com b@c.example",
    "ada@[127.0.0.1]",
    '"a b"@example.com',
    '"a\\\r\nb"@example.com',
    "ada@127.0.0.1",
    "ada@127.0.0.1.26",
    "ada@example.123",
    "ada@localhost",
    "ada@",
    "@example.com",
    "",
    "ada@exa\u200bmple.com",
    "ada\u202e@example.com",
    "ada@example.com\0",
    "ada@@example.com",
    "a" * 65 + "@example.com",
    "ada@" + "a" * 64 + ".com",
    "ada@" + ".".join(["a" * 60] * 5),
    "ada@example\u3002com\r\n",
    "ada@exam\uff0cple.com",
    "ada;b@example.com",
    "ada@example.com;b",
    "\ud800@example.com",
)


def cases(shared: Path) -> dict[str, list[str]]:
    """The addresses by the rows of docs/addresses.md."""
    found: dict[str, list[str]] = {name: [] for name in _CATEGORIES.values()}
    folder = shared / "hostile"
    for one in json.loads((folder / "isemail" / "cases.json").read_text("utf-8")):
        found[_CATEGORIES[one["category"]]].append(one["address"])
    others = json.loads((folder / "emailvalidation" / "cases.json").read_text("utf-8"))
    for name, given in others.items():
        found[_CATEGORIES[name]] += [
            one["address"] if isinstance(one, dict) else one for one in given
        ]
    return found


def taken(text: str) -> str | None:
    try:
        return address(text)
    except InvalidInput as exc:
        assert "\n" not in str(exc)
        return None


def test_which_addresses_are_taken_is_as_documented(shared: Path) -> None:
    page = (ROOT / "docs" / "addresses.md").read_text("utf-8")
    documented = {row[1]: (int(row[2]), int(row[3])) for row in _ROW.finditer(page)}
    found = cases(shared)
    counted = {
        name: (len(a), sum(taken(one) is not None for one in a)) for name, a in found.items()
    }
    assert documented == counted
    for name, (tried, accepted) in counted.items():
        record("addresses", name, tried=tried, taken=accepted, changed_on_the_wire=0)


@pytest.mark.parametrize("text", OWN_REFUSED)
def test_what_is_not_one_plain_address_is_refused(text: str) -> None:
    assert taken(text) is None


def test_every_door_takes_the_same_addresses(shared: Path, sqlite_url: str) -> None:
    """A file is the door with the most between it and the rule."""
    given = [one for some in cases(shared).values() for one in some if "\n" not in one]
    lines = "".join(json.dumps({"email": one}) + "\n" for one in given)
    engine = open_engine(sqlite_url)
    done = import_subscribers(
        engine, _stream(lines), Format.JSONL, defaults=Preferences(), now=NOON, keys=KEYS
    )
    engine.dispose()
    # an address may stand there twice, which is another reason
    refused = {given[line - 1] for line, why in done.rejected if "is not one mail" in why}
    assert done.added > 50
    assert refused == {one for one in given if taken(one) is None}


def _stream(text: str) -> Any:
    import io

    return io.BytesIO(text.encode())


# On the wire


class Listening(SMTP):
    """aiosmtpd, which keeps MAIL and RCPT as they came."""

    heard: list[str]

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        self.heard.append(f"MAIL {arg}")
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        self.heard.append(f"RCPT {arg}")
        await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802
        self.heard.append("DATA")
        await super().smtp_DATA(arg)


def sent(addresses: Sequence[str], *, utf8: bool = True) -> tuple[list[str], dict[str, str], Inbox]:
    """Send a mail to each; what the server heard, and why some were not sent."""
    inbox, heard, failed = Inbox(), [], {}

    async def scenario() -> None:
        loop = asyncio.get_running_loop()

        def protocol() -> SMTP:
            made = Listening(_Taking(inbox), loop=loop, enable_SMTPUTF8=utf8)
            made.heard = heard
            return made

        server = await loop.create_server(protocol, "127.0.0.1", 0)
        async with Relay(settings(server.sockets[0].getsockname()[1])) as relay:
            for one in addresses:
                async with relay.connection() as connection:
                    try:
                        await connection.send("papers@example.org", one, a_mail(one))
                    except (PermanentMailError, InvalidInput) as exc:
                        failed[one] = str(exc)
        server.close()

    asyncio.run(asyncio.wait_for(scenario(), 60))
    return heard, failed, inbox


class _Taking:
    """Takes every mail."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        return await self._inbox.handle_DATA(server, session, envelope)


def a_mail(recipient: str) -> bytes:
    return compose(
        Letter(
            sender=Mailbox(address="papers@example.org"),
            recipient=recipient,
            subject="hi",
            text="hi",
            html=None,
            message_id="<x@example.org>",
            date=NOON,
        )
    )


def through(given: Sequence[str], on_wire: Callable[[str], bytes]) -> None:
    """Each address makes one MAIL, one RCPT with itself, one DATA, and one To with itself."""
    heard, failed, inbox = sent(given)
    assert not failed
    assert len(inbox.mails) == len(given)
    for number, one in enumerate(given):
        mail, rcpt, data = heard[3 * number : 3 * number + 3]
        wanted = on_wire(one)
        assert mail.startswith("MAIL FROM:<papers@example.org>"), mail
        assert ("SMTPUTF8" in mail) == (not wanted.isascii()), mail
        assert rcpt.encode("utf-8", "surrogateescape") == b"RCPT TO:<" + wanted + b">", rcpt
        assert data == "DATA"
        content = inbox.mails[number][1]
        assert b"\r\nTo: " + wanted + b"\r\n" in content
        assert not harm.in_headers(content)


def test_each_kind_of_address_reaches_the_relay_as_itself() -> None:
    given = [str(taken(one)) for one in OWN_TAKEN]
    wanted = dict(zip(given, OWN_TAKEN.values(), strict=True))
    through(given, lambda one: wanted[one])


@pytest.mark.slow
def test_every_taken_address_reaches_the_relay_as_itself(shared: Path) -> None:
    import idna

    def on_wire(one: str) -> bytes:
        local, _, domain = one.rpartition("@")
        return f"{local}@".encode() + idna.encode(domain.lower(), uts46=True)

    all_given = [one for some in cases(shared).values() for one in some]
    through([found for one in all_given if (found := taken(one))], on_wire)


def test_a_relay_without_smtputf8_is_never_given_what_it_cannot_read() -> None:
    heard, failed, _ = sent(["юзер@екзампл.ком", "ada@bücher.example"], utf8=False)
    assert list(failed) == ["юзер@екзампл.ком"]
    assert "international" in failed["юзер@екзампл.ком"]
    assert [one for one in heard if "RCPT" in one] == ["RCPT TO:<ada@xn--bcher-kva.example>"]


_COMMAND = re.compile(
    rb"RCPT TO:<[^\s<>\x00-\x1f\x7f]+@[^\s<>@\x00-\x1f\x7f]+>( NOTIFY=FAILURE)?\r\n"
)


def test_no_text_in_the_place_of_an_address_becomes_a_command_or_a_field(shared: Path) -> None:
    """The last wall: whatever stands in the store."""
    given = [*OWN_REFUSED, *OWN, *strings(shared)]
    given += [one for some in cases(shared).values() for one in some]
    given += [f"{one}@example.com" for one in given] + [f"a@{one}" for one in given]
    offers = Offers(pipelining=True, international=True, eight_bit=True, dsn=True)
    written = 0
    for one in given:
        try:
            mail, rcpt = Envelope.of(one, one, "id").commands(offers, b"x")
            content = a_mail(one)
        except (PermanentMailError, InvalidInput):
            continue
        written += 1
        assert _COMMAND.fullmatch(rcpt), rcpt
        assert mail.startswith(b"MAIL FROM:" + rcpt[8:].partition(b" NOTIFY")[0].rstrip()), mail
        assert mail.count(b"\r\n") == 1
        assert not harm.in_headers(content)
    assert written > 100
    record("addresses", "any text as an address", tried=len(given), taken=written, injected=0)
