"""What the relay says: replies out of bytes, and what each means for a message."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from digest.domain.bounces import Stage
from digest.errors import PermanentMailError, RecipientError, RelayError, TransientMailError
from digest.mail.excerpts import plain, shortened

REPLY_MOST = 500  # characters of a reply that are kept
REPLY_BYTES_MOST = 64 * 1024
CLOSING = 421  # the relay ends the connection, at whatever place (RFC 5321 §3.8)
# A refused MAIL blames the message only where it is about its size or parameters (RFC 5321 §4.3.2,
# RFC 1870); else it is about the sender or the login, and every mail would be refused alike.
_MESSAGE_FAULTS = (501, 504, 552, 555)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?!\S)")


class Garbled(ConnectionError):
    """What came from the relay is no reply of SMTP, or more than can be one."""


class Reply(NamedTuple):
    """One reply: its code, and its text with a line feed between lines."""

    code: int
    text: str

    @property
    def taken(self) -> bool:
        """Whether it says yes: 251 and 252 take the message too."""
        return 200 <= self.code < 300

    @property
    def status(self) -> str:
        """The enhanced code such as 5.1.1 (RFC 3463), empty where there is none.

        One of another class than the reply's is none (RFC 2034 §4).
        """
        found = _ENHANCED.match(self.text)
        return found[1] if found and found[1][0] == str(self.code)[0] else ""


class ReplyReader:
    """Replies out of bytes as they arrive, in whatever pieces.

    A reply of more than 64 KB is Garbled, and so is a line without a code.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def within(self) -> bool:
        """Whether a reply has begun and not ended."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> Iterator[Reply]:
        """The replies that these bytes complete. Raises Garbled, after those before the noise."""
        if b"\n" not in data:
            self._rest += data
            self._bound(len(self._rest))
            return
        if self._rest:
            data = bytes(self._rest) + data
        *lines, rest = data.split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            if reply := self._line(line):
                yield reply
        self._bound(len(rest))

    def _line(self, line: bytes) -> Reply | None:
        code = line[:3]
        if not code.isdigit() or len(code) < 3:
            raise Garbled(f"no reply of SMTP: {said(line[:80].decode(errors='replace'))}")
        text = line[4:].strip()
        self._size += len(line) + 1
        self._bound(0)
        if line[3:4] == b"-":
            self._lines.append(text)
            return None
        if self._lines:
            text = b"\n".join([*self._lines, text])
            self._lines = []
        self._size = 0
        return Reply(int(code), text.decode(errors="replace"))

    def _bound(self, more: int) -> None:
        if self._size + more > REPLY_BYTES_MOST:
            raise Garbled(f"a reply of more than {REPLY_BYTES_MOST // 1024} KB")


def refused(reply: Reply, stage: Stage) -> RecipientError | None:
    """What a reply to RCPT or to the message means for the recipient; None where it says yes.

    Raises RelayError for one that says neither yes nor no.
    """
    if reply.taken:
        return None
    return refusal(reply, stage)


def refusal(reply: Reply, stage: Stage) -> RecipientError:
    """The error that a reply is which did not say what was wanted."""
    kinds = {4: TransientMailError, 5: PermanentMailError}
    if kind := kinds.get(reply.code // 100):
        return kind(reply.code, said(reply.text), status=reply.status, stage=stage.value)
    raise RelayError(f"the relay answered nonsense: {reply.code} {said(reply.text)}")


def refused_sender(reply: Reply, sender: str) -> RecipientError | None:
    """What the reply to MAIL means for the message; None where it says yes.

    Raises RelayError where it is about the sender, the login or the connection.
    """
    blames_all = reply.code >= 500 and reply.code not in _MESSAGE_FAULTS
    if reply.code == CLOSING or blames_all:
        raise RelayError(
            f"the relay takes no mail from {sender}: {reply.code} {said(reply.text)}; "
            "check sender.address and the smtp login"
        )
    return refused(reply, Stage.MAIL)


def said(text: str) -> str:
    """A relay's words, fit for a log, a terminal and the ledger."""
    return shortened(plain(text), REPLY_MOST)
