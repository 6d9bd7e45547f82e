"""A mail taken apart, however broken it is, in bounded time and memory.

The standard library's parser recurses and keeps every attachment; what comes back is written by
anybody, so this one reads a bounded head of it, and a bounded number of parts and levels.
"""

import binascii
import html
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header

READ_MOST = 2 << 20
TEXT_MOST = 1 << 20
PARTS_MOST = 100
DEPTH_MOST = 8
_FIELDS_MOST = 1_000
_LINES_MOST = 10_000
_FIELD_MOST = 10_000
_FIELD = re.compile(rb"([!-9;-~]{1,80})[ \t]*:[ \t]*(.*)", re.DOTALL)
_CHARSET = re.compile(
    r"utf-?(?:8|16|32)(?:le|be|-sig)?|us-?ascii|ascii|(?:iso-?)?8859-?\d+|latin-?\d|windows-?\d+|cp-?\d+"
    r"|koi8-?[ru]|iso-?2022-?(?:jp|kr)[\w-]*|(?:x-)?s(?:hift)?[-_]?jis|euc-?(?:jp|kr)|gb\w+|big5\w*"
)
_PARAM = re.compile(r";\s*([\w*-]{1,40})\s*=\s*(?:\"((?:[^\"\\]|\\.){0,500})\"|([^\s;\"]{1,500}))")
_CONTROLS = dict.fromkeys((*range(32), 127), " ")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_UNSEEN = re.compile(r"<(/?)(?:style|script)\b[^<>]{0,2000}>", re.IGNORECASE)
_BREAK = re.compile(r"</?(?:br|p|div|tr|td|li|h\d|table|pre)\b[^<>]{0,2000}>", re.IGNORECASE)
_RETURNED = frozenset({"message/rfc822", "message/global", "message/partial"})
_RETURNED_HEAD = frozenset(
    {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}
)


class Fields:
    """Header fields, unfolded and decoded, names in lower case, in their order."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __bool__(self) -> bool:
        return bool(self._pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def all(self, *names: str) -> list[str]:
        """Values of these fields, in the order of the names."""
        return [value for name in names for found, value in self._pairs if found == name]

    def get(self, name: str) -> str:
        """The first value of a field, or nothing."""
        return next((value for found, value in self._pairs if found == name), "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One leaf or message within a mail.

    `level` counts how many returned messages it lies in. `text` is decoded, lines ended by LF; it
    is empty for what is no text. A message's own Part has its header and no text.
    """

    kind: str
    fields: Fields
    text: str = ""
    level: int = 0
    attached: bool = False


@dataclass(slots=True)
class _Budget:
    parts: int = PARTS_MOST
    text: int = TEXT_MOST
    found: list[Part] = field(default_factory=list)


def take_apart(raw: bytes) -> tuple[Fields, list[Part]]:
    """The head of a mail, and its parts in their order."""
    data = (
        raw[:READ_MOST].replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n \t\0\xef\xbb\xbf")
    )
    if data.startswith(b"From ") or data.startswith(b">From "):  # mbox
        data = data.partition(b"\n")[2]
    budget = _Budget()
    fields, body = _split(data)
    _walk(fields, body, level=0, depth=0, budget=budget)
    return fields, budget.found


def header_block(text: str) -> tuple[Fields, str]:
    """The fields at the start of a text, and what follows them."""
    fields, rest = _split(text.encode("utf-8", "replace"))
    return fields, rest.decode("utf-8", "replace")


def plain_of(page: str) -> str:
    """The words of an HTML text, a line for each block."""
    pieces, at, unseen = [], 0, False
    for tag in _UNSEEN.finditer(page):
        if not unseen:
            pieces.append(page[at : tag.start()])
        at, unseen = tag.end(), not tag[1]
    if not unseen:
        pieces.append(page[at:])
    text = _BREAK.sub("\n", " ".join(pieces).replace("\n", " "))
    return html.unescape(_TAG.sub("", text)).replace("\xa0", " ")


def params(value: str) -> dict[str, str]:
    """Parameters of a Content-Type or Content-Disposition, names in lower case."""
    found = _PARAM.finditer(value[:4_000])
    return {match[1].lower().rstrip("*"): match[2] or match[3] or "" for match in found}


def _split(data: bytes) -> tuple[Fields, bytes]:
    """Head and body; a line that is no field ends the head too."""
    pairs: list[tuple[str, bytes]] = []
    at, size, lines = 0, len(data), 0
    while at < size and len(pairs) < _FIELDS_MOST and lines < _LINES_MOST:
        lines += 1
        end = data.find(b"\n", at)
        end = size if end < 0 else end
        line = data[at:end]
        if not line.strip():
            at = end + 1
            break
        if line[:1] in b" \t" and pairs:
            name, value = pairs[-1]
            if len(value) < _FIELD_MOST:
                pairs[-1] = (name, value + b" " + line.strip())
        else:
            match = _FIELD.fullmatch(line[:_FIELD_MOST])
            if not match:
                break
            pairs.append((match[1].decode("ascii").lower(), match[2].strip()))
        at = end + 1
    return Fields([(name, _field_text(value)) for name, value in pairs]), data[at:]


def _field_text(value: bytes) -> str:
    text = _decoded(value, "")
    if "=?" in text:
        text = "".join(
            piece if isinstance(piece, str) else _decoded(piece, charset or "")
            for piece, charset in _words(text)
        )
    return text.translate(_CONTROLS)  # an address in it is one line, and no C string's end


def _words(text: str) -> list[tuple[str | bytes, str | None]]:
    try:
        return decode_header(text)
    except (HeaderParseError, ValueError, binascii.Error):
        return [(text, None)]


def _walk(fields: Fields, body: bytes, *, level: int, depth: int, budget: _Budget) -> None:
    if budget.parts <= 0:
        return
    budget.parts -= 1
    declared = fields.get("content-type")
    kind = declared.partition(";")[0].strip().lower() or "text/plain"
    if kind.startswith("multipart/") and depth < DEPTH_MOST:
        pieces = _pieces(body, params(declared).get("boundary", ""), budget.parts)
        if pieces:
            for piece in pieces:
                inner, rest = _split(piece.lstrip(b"\n") if piece[:1] != b"\n" else piece[1:])
                _walk(inner, rest, level=level, depth=depth + 1, budget=budget)
            return
        kind = "text/plain"
    if kind in _RETURNED or kind in _RETURNED_HEAD:
        _walk_returned(kind, fields, body, level=level, depth=depth, budget=budget)
        return
    is_text = kind.startswith(("text/", "message/")) or "/" not in kind
    attached = fields.get("content-disposition").lower().startswith("attachment")
    text = _body_text(fields, body, budget) if is_text else ""
    budget.found.append(Part(kind=kind, fields=fields, text=text, level=level, attached=attached))


def _walk_returned(
    kind: str, fields: Fields, body: bytes, *, level: int, depth: int, budget: _Budget
) -> None:
    inner, rest = _split(_unpacked(fields, body).lstrip(b"\n"))
    budget.found.append(Part(kind=kind, fields=inner, level=level + 1))
    if kind in _RETURNED and depth < DEPTH_MOST:
        _walk(inner, rest, level=level + 1, depth=depth + 1, budget=budget)


def _pieces(body: bytes, boundary: str, most: int) -> list[bytes]:
    """The bodies between the boundary's lines; without a boundary, the first line of two dashes."""
    mark = boundary.encode("utf-8", "replace")
    if not mark:
        guess = re.search(rb"(?m)^--(\S{4,200}?)(?:--)?[ \t]*$", body[:100_000])
        if not guess:
            return []
        mark = guess[1]
    line = re.compile(rb"(?m)^--" + re.escape(mark) + rb"(--)?[ \t]*$")
    pieces: list[bytes] = []
    start = -1
    for match in line.finditer(body):
        if start >= 0:
            pieces.append(body[start : match.start()])
        start = match.end() + 1
        if match[1] or len(pieces) >= most:
            return pieces
    return [*pieces, body[start:]] if start >= 0 else pieces


def _body_text(fields: Fields, body: bytes, budget: _Budget) -> str:
    data = _unpacked(fields, body[: budget.text * 2])[: budget.text]
    text = _decoded(data, params(fields.get("content-type")).get("charset", ""))
    budget.text -= min(len(data), budget.text)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _unpacked(fields: Fields, body: bytes) -> bytes:
    match fields.get("content-transfer-encoding").strip().lower():
        case "base64":
            clean = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
            return binascii.a2b_base64(clean[: len(clean) // 4 * 4])
        case "quoted-printable":
            return quopri.decodestring(body)
        case _:
            return body


def _decoded(data: bytes, charset: str) -> str:
    """Text of bytes in a named charset; a name of nonsense counts as none."""
    name = charset.strip().lower()
    if _CHARSET.fullmatch(name) and name not in ("us-ascii", "ascii"):
        try:
            return data.decode(name, "replace")
        except (LookupError, ValueError):
            name = ""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
