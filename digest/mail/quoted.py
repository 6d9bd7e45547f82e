"""Quoted-printable (RFC 2045 §6.7), as whole texts and as pieces that can be joined in any order.

Lines have at most 76 octets. None begins with a dot, so that SMTP has nothing to stuff, nor with
`From `, before which some relays put a `>` that would break a signature (RFC 2049 §3).
"""

import binascii
import re
from functools import lru_cache
from typing import NewType

Quoted = NewType("Quoted", bytes)

LINE = 76
_HARD, _SOFT = b"\r\n", b"=\r\n"
_LINES_KEPT = 2_048
_TOUCHY = re.compile(rb"\.|From ")
_ESCAPE = re.compile(rb"=[0-9A-F]?\Z")


def quoted(text: str) -> Quoted:
    """The text encoded; its line breaks, of whatever kind, become CRLF."""
    return _encoded(unified(text).replace("\n", "\r\n"))


def piece(text: str) -> Quoted:
    """The text encoded so that whatever follows begins at the first column: it ends with a line
    break, a soft one where the text has none there.
    """
    done = quoted(text)
    return done if not done or done.endswith(b"\n") else Quoted(done + _SOFT)


def piece_by_lines(text: str) -> Quoted:
    """The same bytes as `piece`, for texts of which most lines were encoded before."""
    lines = unified(text).split("\n")
    rest = lines.pop()
    done = list(map(_line, lines))
    if rest:
        done.append(_line(rest)[:-2] + _SOFT)
    return Quoted(b"".join(done))


def words(done: bytes) -> str:
    """The text again, its line breaks as LF."""
    return binascii.a2b_qp(done).decode().replace("\r\n", "\n")


def unified(text: str) -> str:
    """The text with LF alone as its line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


@lru_cache(maxsize=_LINES_KEPT)  # the skeleton of a mail is nearly the same for all readers
def _line(line: str) -> bytes:
    return _encoded(line) + _HARD


def _encoded(text: str) -> Quoted:
    # binascii takes the first line break for all, those of its own too, so there must be one
    ended = text.encode("utf-8", "replace") + _HARD
    done = binascii.b2a_qp(ended, istext=True)[:-2]
    if _is_loose(done):
        done = _HARD.join(map(_mended, done.split(_HARD)))
    return Quoted(done)


def _is_loose(done: bytes) -> bool:
    """Whether a line begins as it must not, or ends with a blank, which binascii encodes after it
    has measured the line.
    """
    return (
        done.startswith((b".", b"From "))
        or done.endswith((b"=20", b"=09"))
        or b"\r\n." in done
        or b"=20\r\n" in done
        or b"=09\r\n" in done
        or b"\r\nFrom " in done
    )


def _mended(line: bytes) -> bytes:
    """The line without a beginning that relays change, in lines that have room for a soft break."""
    soft = b"=" if line.endswith(b"=") else b""
    line, done = line[: len(line) - len(soft)], b""
    while _TOUCHY.match(line) or len(line) >= LINE:
        if _TOUCHY.match(line):
            line = b"=%02X" % line[0] + line[1:]
        if len(line) >= LINE:
            cut = LINE - 1
            if escape := _ESCAPE.search(line[:cut]):
                cut = escape.start()
            done, line = done + line[:cut] + _SOFT, line[cut:]
    return done + line + soft
