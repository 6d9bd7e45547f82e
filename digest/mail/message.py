"""A mail as bytes: MIME body and headers, assembled by hand because `email` takes 10 × as long.

The same letter always gives the same bytes. What the header fields may hold: RFC 5322 and 2047;
lists: RFC 2369, 2919 and 8058; automatic mail: RFC 3834.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import Protocol

from digest.domain.subscribers import ascii_domain
from digest.errors import InvalidInput
from digest.mail.headers import followed, phrase, unstructured
from digest.mail.quoted import Quoted, quoted

_ATOM = r"[^\s,;:<>()\[\]\"\\@\x00-\x1f\x7f-\x9f\ud800-\udfff]+"
_ADDRESS = re.compile(f"{_ATOM}@{_ATOM}")
_URL = re.compile(r"[!-;=?-~]+")  # printable ASCII without < and >
_TOKEN = re.compile(r"[A-Za-z0-9._:/+=@-]+")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9._=+-]+@[A-Za-z0-9.-]+>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """A name, which may be empty, and one address."""

    address: str
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListInfo:
    """What the List-* headers say; each is left out where it is None.

    `id` is a dotted name such as `digest.example.org`; the others are https or mailto addresses.
    """

    id: str
    name: str = ""
    help: str | None = None
    owner: str | None = None
    archive: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """All that goes into one mail. `html` None makes it plain text alone; both parts may come
    encoded already.

    `message_id` comes with its angle brackets and is the same at every try; `date` is aware.
    """

    sender: Mailbox
    recipient: str
    subject: str
    text: str | Quoted
    html: str | Quoted | None
    message_id: str
    date: datetime
    reply_to: str | None = None
    mailing_list: ListInfo | None = None
    unsubscribe_url: str | None = None
    unsubscribe_mailto: str | None = None
    feedback_id: str | None = None


class Signer(Protocol):
    """What signs mails, such as by DKIM."""

    def sign(self, head: bytes, body: bytes, at: datetime, *, even: bool = False) -> bytes:
        """The header fields, each ended by CRLF, that are to stand before `head`.

        `head` holds all other fields, ended and folded as they are sent; `body` ends with exactly
        one CRLF, and every line of it does where it is `even`.
        """
        ...


def compose(letter: Letter, signer: Signer | None = None) -> bytes:
    """The mail's bytes, lines ended by CRLF, signed where there is a signer.

    Text fields are cleaned of control characters; an address, id or URL that holds any raises
    InvalidInput, so that no value can begin a header of its own.
    """
    fields = [f"{name}: {value}\r\n" for name, value in _headers(letter)]
    kind, body = _body(letter)
    # UTF-8 occurs only in an address whose local part needs it (RFC 6532)
    head = "".join([*fields, kind]).encode()
    signature = signer.sign(head, body, letter.date, even=True) if signer else b""
    return b"".join((signature, head, b"\r\n", body))


def _body(letter: Letter) -> tuple[str, bytes]:
    """The header fields that tell how to read the body, and the body."""
    if letter.html is None:
        return _PLAIN, _ended(_quoted(letter.text))
    boundary = _boundary(letter.message_id)
    mark = f"--{boundary}".encode()
    parts = (
        *(mark, _PLAIN_PART, _quoted(letter.text), b"\r\n"),
        *(mark, _HTML_PART, _quoted(letter.html), b"\r\n"),
        *(mark, b"--\r\n"),
    )
    kind = f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'
    return kind, b"".join(parts)


def wire_address(address: str) -> str:
    """The address as it stands in envelope and headers: its domain in ASCII (IDNA).

    Only a local part outside ASCII stays; such an address needs SMTPUTF8 (RFC 6531). Raises
    InvalidInput for anything but one plain addr-spec.
    """
    if len(address) > 320 or not _ADDRESS.fullmatch(address):
        raise InvalidInput(f"{address[:60]!r} is not one mail address")
    local, _, domain = address.rpartition("@")
    return f"{local}@{ascii_domain(domain)}"


def _headers(letter: Letter) -> Iterator[tuple[str, str]]:
    yield "From", _mailbox(letter.sender)
    yield "To", wire_address(letter.recipient)
    yield "Subject", unstructured(letter.subject, "Subject")
    yield "Date", _date(letter.date, letter.date.utcoffset())
    yield "Message-ID", _message_id(letter.message_id)
    if letter.reply_to:
        yield "Reply-To", wire_address(letter.reply_to)
    yield from _list_headers(letter)
    yield "Auto-Submitted", "auto-generated"
    if letter.feedback_id:
        yield "Feedback-ID", _checked(letter.feedback_id, _TOKEN, "Feedback-ID")
    yield "MIME-Version", "1.0"


def _list_headers(letter: Letter) -> Iterator[tuple[str, str]]:
    info = letter.mailing_list
    if info:
        identifier = f"<{_checked(info.id, _TOKEN, 'List-Id')}>"
        yield "List-Id", followed(phrase(info.name, "List-Id"), identifier, "List-Id")
    ways = [url for url in (letter.unsubscribe_url, letter.unsubscribe_mailto) if url]
    if ways:
        bracketed = (f"<{_checked(way, _URL, 'List-Unsubscribe')}>" for way in ways)
        yield "List-Unsubscribe", ",\r\n ".join(bracketed)
    if letter.unsubscribe_url and letter.unsubscribe_url.startswith("https://"):
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"  # RFC 8058 wants https
    if info:
        for name, url in (("Help", info.help), ("Owner", info.owner), ("Archive", info.archive)):
            if url:
                yield f"List-{name}", f"<{_checked(url, _URL, f'List-{name}')}>"
        yield "List-Post", "NO"


def _part_headers(subtype: str) -> str:
    kind = f"Content-Type: text/{subtype}; charset=utf-8\r\n"
    return kind + "Content-Transfer-Encoding: quoted-printable\r\n"


_PLAIN = _part_headers("plain")
_PLAIN_PART = f"\r\n{_PLAIN}\r\n".encode()
_HTML_PART = f"\r\n{_part_headers('html')}\r\n".encode()


def _quoted(text: str | Quoted) -> bytes:
    return quoted(text) if isinstance(text, str) else text


def _ended(body: bytes) -> bytes:
    """The body with one line break at its end and no empty line before that, which relays may take
    away: where there would be one stands a soft line break, which reads as nothing.
    """
    plainly = body.endswith(b"\r\n") and not (body == b"\r\n" or body.endswith(b"\r\n\r\n"))
    return body if plainly else body + b"=\r\n"


def _boundary(message_id: str) -> str:
    """`=_` cannot occur in quoted-printable text (RFC 2045 §6.7), so neither can this."""
    return f"=_{hashlib.sha256(message_id.encode('utf-8', 'replace')).hexdigest()[:32]}"


@lru_cache(maxsize=64)
def _mailbox(box: Mailbox) -> str:
    return followed(phrase(box.name, "From"), f"<{wire_address(box.address)}>", "From")


@lru_cache(maxsize=256)
def _date(date: datetime, _offset: timedelta | None) -> str:
    """The date, by its offset too: instants that are equal are not written equally."""
    return format_datetime(date)


def _message_id(value: str) -> str:
    if not _MESSAGE_ID.fullmatch(value):
        raise InvalidInput(f"Message-ID {value[:80]!r} must have the form <unique@domain>")
    return value


def _checked(value: str, allowed: re.Pattern[str], header: str) -> str:
    if len(value) > 900 or not allowed.fullmatch(value):
        raise InvalidInput(f"{header}: {value[:80]!r} cannot stand in a mail header")
    return value
