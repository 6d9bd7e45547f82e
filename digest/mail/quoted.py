"""Quoted-printable (RFC 2045 §6.7), as whole texts and as pieces that can be joined in any order.

Lines have at most 76 octets. None begins with a dot, so that SMTP has nothing to stuff, nor with
`From `, before which some relays put a `>` that would break a signature (RFC 2049 §3).
"""

import binascii
import re
from typing import NewType

Quoted = NewType("Quoted", bytes)

LINE = 76
_HARD, _SOFT = b"\r\n", b"=\r\n"
_TOUCHY = re.compile(rb"\.|From ")
_TOUCHY_LATER = re.compile(rb"\n(?:\.|From )")
_ESCAPE = re.compile(rb"=[0-9A-F]?\Z")
_PLAINLY = b"\t" + bytes(octet for octet in range(32, 127) if octet != ord("="))
_OCTETS = [(bytes([octet]), b"=%02X" % octet) for octet in range(256)]
# As much as fits before a soft break, no escape cut in two.
_FILLED = re.compile(rb".{1,75}(?<!=)(?<!=.)")


def quoted(text: str) -> Quoted:
    """The text encoded; its line breaks, of whatever kind, become CRLF."""
    return Quoted(_HARD.join(map(_line, unified(text).split("\n"))))


def piece(text: str) -> Quoted:
    """The text encoded so that whatever follows begins at the first column: it ends with a line
    break, a soft one where the text has none there.
    """
    done = quoted(text)
    return done if not done or done.endswith(b"\n") else Quoted(done + _SOFT)


def words(done: bytes) -> str:
    """The text again, its line breaks as LF."""
    return binascii.a2b_qp(done).decode().replace("\r\n", "\n")


def unified(text: str) -> str:
    """The text with LF alone as its line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _line(line: str) -> bytes:
    """One line encoded: as `_encoded` does it, in a third of the time."""
    octets = line.encode("utf-8", "replace")
    if odd := octets.translate(None, _PLAINLY):
        octets = octets.replace(b"=", b"=3D")  # first, since all others become one
        for octet in set(odd) - {61}:
            octets = octets.replace(*_OCTETS[octet])
    if octets.endswith((b" ", b"\t")) or _TOUCHY.match(octets):
        return _encoded(line)
    if len(octets) < LINE:
        return octets
    done = _SOFT.join(_FILLED.findall(octets))
    return _encoded(line) if _TOUCHY_LATER.search(done) else done


def _encoded(line: str) -> bytes:
    # binascii takes the first line break for all, those of its own too, so there must be one
    done = binascii.b2a_qp(line.encode("utf-8", "replace") + _HARD, istext=True)[:-2]
    return _HARD.join(map(_mended, done.split(_HARD)))


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
