"""A mail as bytes: MIME body and headers, assembled by hand because `email` takes 10 × as long.

The same letter always gives the same bytes. What the header fields may hold: RFC 5322 and 2047;
lists: RFC 2369, 2919 and 8058; automatic mail: RFC 3834.
"""

import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime

from email_validator import EmailNotValidError, validate_email

from digest.errors import InvalidInput
from digest.mail.excerpts import plain

LINE = 76
_ADDRESS = re.compile(r"[^\s,;:<>()\[\]\"\\@\x00-\x1f\x7f]+@[^\s,;:<>()\[\]\"\\@\x00-\x1f\x7f]+")
_URL = re.compile(r"[!-;=?-~]+")  # printable ASCII without < and >
_TOKEN = re.compile(r"[A-Za-z0-9._:/+=@-]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


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
    """All that goes into one mail. `html` None makes it plain text alone.

    `message_id` comes with its angle brackets and is the same at every try; `date` is aware.
    """

    sender: Mailbox
    recipient: str
    subject: str
    text: str
    html: str | None
    message_id: str
    date: datetime
    reply_to: str | None = None
    mailing_list: ListInfo | None = None
    unsubscribe_url: str | None = None
    unsubscribe_mailto: str | None = None
    feedback_id: str | None = None


def compose(letter: Letter) -> bytes:
    """The mail's bytes, lines ended by CRLF.

    Text fields are cleaned of control characters; an address, id or URL that holds any raises
    InvalidInput, so that no value can begin a header of its own.
    """
    head = [f"{name}: {value}" for name, value in _headers(letter)]
    if letter.html is None:
        head += _part_headers("plain")
        return _bytes(head) + b"\r\n" + _quoted(letter.text)
    boundary = _boundary(letter.message_id)
    head.append(f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"')
    mark = f"--{boundary}".encode()
    return b"".join(
        (
            _bytes(head) + b"\r\n" + mark + b"\r\n",
            _bytes(_part_headers("plain")) + b"\r\n" + _quoted(letter.text),
            b"\r\n" + mark + b"\r\n",
            _bytes(_part_headers("html")) + b"\r\n" + _quoted(letter.html),
            b"\r\n" + mark + b"--\r\n",
        )
    )


def wire_address(address: str) -> str:
    """The address as it stands in envelope and headers: its domain in ASCII (IDNA).

    Only a local part outside ASCII stays; such an address needs SMTPUTF8 (RFC 6531). Raises
    InvalidInput for anything but one plain addr-spec.
    """
    if len(address) > 320 or not _ADDRESS.fullmatch(address):
        raise InvalidInput(f"{address[:60]!r} is not one mail address")
    local, _, domain = address.rpartition("@")
    return f"{local}@{_ascii_domain(domain)}"


def _headers(letter: Letter) -> Iterator[tuple[str, str]]:
    yield "From", _mailbox(letter.sender)
    yield "To", wire_address(letter.recipient)
    yield "Subject", _words(letter.subject, "Subject")
    yield "Date", format_datetime(letter.date)
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
        yield "List-Id", f"{_phrase(info.name, 'List-Id')} {identifier}".strip()
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


def _part_headers(subtype: str) -> list[str]:
    return [
        f"Content-Type: text/{subtype}; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
    ]


def _quoted(text: str) -> bytes:
    """Quoted-printable, lines of at most 76 octets."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return binascii.b2a_qp(lines.encode("utf-8", "replace"), istext=True)


def _boundary(message_id: str) -> str:
    """`=_` cannot occur in quoted-printable text (RFC 2045 §6.7), so neither can this."""
    return f"=_{hashlib.sha256(message_id.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _mailbox(box: Mailbox) -> str:
    name = _phrase(box.name, "From")
    return f"{name} <{wire_address(box.address)}>".strip()


def _phrase(text: str, header: str) -> str:
    """A display name: bare, quoted or as encoded words (RFC 5322 §3.2.5, RFC 2047 §5)."""
    text = plain(text)
    short = len(header) + len(text) < LINE - 10
    if not text or (short and _ATOMS.fullmatch(text) and "=?" not in text):
        return text
    if short and text.isascii() and "=?" not in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _encoded(text, header)


def _words(text: str, header: str) -> str:
    """Unstructured text: bare where it is short ASCII, else encoded words."""
    text = plain(text)
    if text.isascii() and len(header) + 2 + len(text) <= LINE and "=?" not in text:
        return text
    return _encoded(text, header)


def _encoded(text: str, header: str) -> str:
    clean = text.encode("utf-8", "replace").decode()
    return Header(clean, "utf-8", maxlinelen=LINE, header_name=header).encode(linesep="\r\n")


def _message_id(value: str) -> str:
    if not re.fullmatch(r"<[A-Za-z0-9._=+-]+@[A-Za-z0-9.-]+>", value):
        raise InvalidInput(f"Message-ID {value[:80]!r} must have the form <unique@domain>")
    return value


def _checked(value: str, allowed: re.Pattern[str], header: str) -> str:
    if len(value) > 900 or not allowed.fullmatch(value):
        raise InvalidInput(f"{header}: {value[:80]!r} cannot stand in a mail header")
    return value


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    try:
        found = validate_email(f"a@{domain}", check_deliverability=False, test_environment=True)
    except (EmailNotValidError, UnicodeError) as exc:
        raise InvalidInput(f"{domain[:60]!r} is no mail domain: {exc}") from exc
    return found.ascii_domain


def _bytes(lines: list[str]) -> bytes:
    # UTF-8 occurs only in an address whose local part needs it (RFC 6532)
    return "".join(f"{line}\r\n" for line in lines).encode()
