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
_TOUCHY, _BLANKS = (b".", b"From "), (b" ", b"\t")
_TOUCHY_LATER = re.compile(rb"\n(?:\.|From )")
_ESCAPE = re.compile(rb"=[0-9A-F]?\Z")
_PLAINLY = b"\t\n" + bytes(octet for octet in range(32, 127) if octet != ord("="))
_ESCAPES = [(bytes([octet]), b"=%02X" % octet) for octet in range(256)]
# As much as fits before a soft break, no escape cut in two.
_FILLED = re.compile(rb".{1,75}(?<!=)(?<!=.)")


def quoted(text: str) -> Quoted:
    """The text encoded; its line breaks, of whatever kind, become CRLF.

    Ordinary lines are those of `binascii.b2a_qp`, which takes three times as long.
    """
    octets = unified(text).encode("utf-8", "replace")
    if odd := octets.translate(None, _PLAINLY):
        octets = octets.replace(b"=", b"=3D")  # first, since all others become one
        for octet in set(odd) - {61}:
            octets = octets.replace(*_ESCAPES[octet])
    return Quoted(_HARD.join(map(_line, octets.split(b"\n"))))


def piece(text: str) -> Quoted:
    """The text encoded so that whatever follows begins at the first column: it ends with a line
    break, a soft one where the text has none there.
    """
    done = quoted(text)
    return done if not done or done.endswith(b"\n") else Quoted(done + _SOFT)


# for short texts that mails share, and those of one reader that stand in both parts
piece_again = lru_cache(maxsize=4_096)(piece)


def words(done: bytes) -> str:
    """The text again, its line breaks as LF."""
    return binascii.a2b_qp(done).decode().replace("\r\n", "\n")


def unified(text: str) -> str:
    """The text with LF alone as its line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _line(line: bytes) -> bytes:
    """An escaped line with its soft breaks."""
    parts = [line] if len(line) < LINE else _FILLED.findall(line)
    done = line if len(line) < LINE else _SOFT.join(parts)
    if done.endswith(_BLANKS):
        parts[-1] = parts[-1][:-1] + b"=%02X" % done[-1]
    elif not done.startswith(_TOUCHY) and (done is line or not _TOUCHY_LATER.search(done)):
        return done
    return _SOFT.join(map(_mended, parts))


def _mended(part: bytes) -> bytes:
    """Part of a line without a beginning that relays change, and with room for a soft break."""
    done = b""
    while part.startswith(_TOUCHY) or len(part) >= LINE:
        if part.startswith(_TOUCHY):
            part = b"=%02X" % part[0] + part[1:]
        if len(part) >= LINE:
            cut = LINE - 1
            if escape := _ESCAPE.search(part[:cut]):
                cut = escape.start()
            done, part = done + part[:cut] + _SOFT, part[cut:]
    return done + part
