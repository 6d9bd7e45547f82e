"""Words in header fields: bare or quoted where that says all, else encoded (RFC 2047), and folded.

`email.header` does the same in a hundred times the time.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

from digest.mail.excerpts import plain

LINE = 76  # of a line that holds an encoded word (RFC 2047 §2)
_FOLD = "\r\n "
_Unit = TypeVar("_Unit", str, bytes)
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_AROUND = len("=?utf-8?q??=")
# What may stand in an encoded word as it is, in a phrase too (RFC 2047 §5).
_AS_IT_IS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")


@lru_cache(maxsize=1_024)  # the same papers stand in many subjects
def unstructured(text: str, header: str) -> str:
    """Text as the value of a field such as Subject, without control characters."""
    text = plain(text)
    if text.isascii() and "=?" not in text:
        folded = _folded(text, LINE - len(header) - 2)
        if folded is not None:
            return folded
    return _encoded(text, header)


@lru_cache(maxsize=256)
def phrase(text: str, header: str) -> str:
    """A display name, without control characters: bare, quoted or encoded (RFC 5322 §3.2.5)."""
    text = plain(text)
    short = len(header) + len(text) < LINE - 10 and text.isascii() and "=?" not in text
    if not text or (short and _ATOMS.fullmatch(text)):
        return text
    if short:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _encoded(text, header)


def followed(value: str, by: str, header: str) -> str:
    """A value and what comes after it, on the same line where there is room."""
    last = value.rpartition("\r\n")[2]
    room = LINE - len(last) - (len(header) + 2 if last == value else 0)
    between = "" if not value else " " if len(by) < room else _FOLD
    return f"{value}{between}{by}"


def _folded(text: str, first: int) -> str | None:
    """ASCII text in lines broken at its spaces, or None where a word is too long for that."""
    lines: list[str] = []
    room, line = first, ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if len(longer) > room:
            if not line or len(word) >= LINE:
                return None
            lines.append(line)
            longer, room = word, LINE - 1
        line = longer
    return _FOLD.join([*lines, line])


def _encoded(text: str, header: str) -> str:
    """Encoded words, each of whole characters, in the shorter of the two encodings."""
    chars = [char.encode("utf-8", "replace") for char in text]
    plainly = sum(octet in _AS_IT_IS or octet == 0x20 for char in chars for octet in char)
    octets = sum(map(len, chars))
    if plainly + 3 * (octets - plainly) <= octets * 4 / 3:
        return _FOLD.join(f"=?utf-8?q?{''.join(word)}?=" for word in _q_words(chars, len(header)))
    return _FOLD.join(f"=?utf-8?b?{_b(word)}?=" for word in _b_words(chars, len(header)))


def _q_words(chars: list[bytes], header: int) -> Iterator[list[str]]:
    return _packed([_q(char) for char in chars], LINE - header - 2 - _AROUND, LINE - 1 - _AROUND)


def _b_words(chars: list[bytes], header: int) -> Iterator[list[bytes]]:
    first, other = LINE - header - 2 - _AROUND, LINE - 1 - _AROUND
    return _packed(chars, first // 4 * 3, other // 4 * 3)


def _q(char: bytes) -> str:
    if char == b" ":
        return "_"
    return "".join(chr(octet) if octet in _AS_IT_IS else f"={octet:02X}" for octet in char)


def _b(chars: Sequence[bytes]) -> str:
    return binascii.b2a_base64(b"".join(chars), newline=False).decode()


def _packed(units: Sequence[_Unit], first: int, other: int) -> Iterator[list[_Unit]]:
    """The units in rows, the first at most `first` long, the others `other`."""
    row: list[_Unit] = []
    left = first
    for unit in units:
        if len(unit) > left:
            yield row
            row, left = [], other
        row.append(unit)
        left -= len(unit)
    yield row
