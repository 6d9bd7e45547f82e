"""DKIM signatures: RFC 6376, with the keys and hashes of RFC 8301 and RFC 8463.

Headers are canonicalised relaxed, because relays fold and space them anew; the body simple, which
costs nothing and holds, because quoted-printable leaves a relay nothing to mend.
"""

import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from digest.errors import InvalidInput

LINE = 76
_BASE64_LINE = 72
_CR, _LF = b"\r\n"
_PADDING = PKCS1v15()
_SHA256 = SHA256()
_OPENING = b"DKIM-Signature: "
_CANONICAL_OPENING = b"dkim-signature:"

# What is signed, in this order, as far as it is there. RFC 8058 §4 wants both List-Unsubscribe
# fields; the others are what RFC 6376 §5.4.1 asks for and what a mail program acts upon.
_SIGNED = (
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Help",
    "List-Owner",
    "List-Archive",
    "List-Post",
    "Auto-Submitted",
    "Feedback-ID",
)
# Named once more than they are there, so that none can be added later (RFC 6376 §8.15): a second
# one could change what is shown, where the answer goes or how the body is read.
_SEALED = frozenset({"From", "To", "Cc", "Subject", "Date", "Reply-To", "Content-Type"})
# The same, but only where there is one: a list that a confirmation passes may add its own.
_SEALED_IF_THERE = frozenset({"List-Unsubscribe", "List-Unsubscribe-Post"})
_PLACES = {name.lower().encode(): place for place, name in enumerate(_SIGNED)}
_FROM = _SIGNED.index("From")

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """A private key and the selector under which its public half stands in DNS."""

    selector: str
    private: PrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        """The `a=` tag (RFC 8301 §3.1, RFC 8463 §3)."""
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"

    def sign(self, data: bytes) -> bytes:
        """The raw signature of the canonical header fields; RSA takes nearly all the time."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, _PADDING, _SHA256)
        return self.private.sign(hashlib.sha256(data).digest())  # RFC 8463 §3: of the hash


class Signer:
    """Signs mails in the name of `domain`, once with each key, in the order of the keys.

    The domain and the selectors must be plain DNS names in ASCII.
    """

    def __init__(self, domain: str, keys: Sequence[SigningKey]) -> None:
        self.domain = domain
        self.keys = tuple(keys)

    def __repr__(self) -> str:
        selectors = ", ".join(key.selector for key in self.keys)
        return f"Signer({self.domain}: {selectors})"

    def sign(self, head: bytes, body: bytes, at: datetime, *, even: bool = False) -> bytes:
        """The DKIM-Signature fields that go before `head`, each ended by CRLF.

        `head` holds the header fields as they are sent, each ended by CRLF; `body` is the body as
        it is sent, before dot-stuffing, and `even` says that it is known to be made of lines that
        end with CRLF; `at` becomes `t=`. The same input gives the same bytes.
        Raises InvalidInput for anything that a relay would have to mend, which would break the
        signature: a bare CR or LF, a line that is no field, no From or more than one.
        """
        fields = _relaxed(head)
        counts = tuple(map(len, fields))
        if counts[_FROM] != 1:
            raise InvalidInput(f"a mail needs exactly one From to be signed, not {counts[_FROM]}")
        # several fields of one name are taken from the last to the first (RFC 6376 §5.4.2)
        covered = b"".join([line for lines in fields for line in reversed(lines)])
        body_hash = _base64(_body_hash(body, even=even))
        second = max(int(at.timestamp()), 0)
        return b"".join(
            [self._field(key, counts, covered, (second, body_hash)) for key in self.keys]
        )

    def _field(
        self, key: SigningKey, counts: tuple[int, ...], covered: bytes, told: tuple[int, bytes]
    ) -> bytes:
        unsigned = _template(key.algorithm, self.domain, key.selector, counts) % told
        # its own field is covered too, relaxed and with an empty b= (RFC 6376 §3.7)
        canonical = unsigned.replace(b"\r\n", b"").replace(_OPENING, _CANONICAL_OPENING, 1)
        text = _base64(key.sign(covered + canonical))
        lines = [text[at : at + _BASE64_LINE] for at in range(0, len(text), _BASE64_LINE)]
        return b"%b%b\r\n" % (unsigned, b"\r\n ".join(lines))


def _relaxed(head: bytes) -> list[list[bytes]]:
    """The fields to sign in canonical form (RFC 6376 §3.4.2), by their place in `_SIGNED`."""
    ends = head.count(b"\r\n")
    if not head.endswith(b"\r\n") or head.count(b"\n") != ends or head.count(b"\r") != ends:
        raise InvalidInput("a header field to be signed has a line that does not end with CRLF")
    text = head.replace(b"\t", b" ").replace(b"\r\n ", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    found: list[list[bytes]] = [[] for _ in _SIGNED]
    for line in text[:-2].split(b"\r\n"):
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" ").lower()
        if not name or not colon:
            raise InvalidInput(f"{line[:60]!r} is no header field and cannot be signed")
        place = _PLACES.get(name)
        if place is not None:
            found[place].append(b"%b:%b\r\n" % (name, value.strip(b" ")))
    return found


def _body_hash(body: bytes, *, even: bool) -> bytes:
    """SHA-256 of the body in simple form: exactly one CRLF at its end (RFC 6376 §3.4.3)."""
    if not even:
        _require_even(body)
    if body.endswith(b"\r\n\r\n") or not body.endswith(b"\r\n"):
        while body.endswith(b"\r\n"):
            body = body[:-2]
        body += b"\r\n"
    return hashlib.sha256(body).digest()


def _require_even(body: bytes) -> None:
    import numpy as np  # noqa: PLC0415  # ten megabytes that a daemon without mail need not hold

    octets = np.frombuffer(body, dtype=np.uint8)  # a quarter of the time of bytes.count
    feeds, returns = (octets == _LF).tobytes(), (octets == _CR).tobytes()
    if feeds[1:] != returns[:-1] or feeds.startswith(b"\1") or returns.endswith(b"\1"):
        raise InvalidInput("the body to be signed has a line that does not end with CRLF")


@lru_cache(maxsize=256)
def _template(algorithm: str, domain: str, selector: str, counts: tuple[int, ...]) -> bytes:
    """The field up to `b=`, with holes for `t=` and `bh=`.

    Folded so that it is canonical, but for its name, once its CRLFs are taken out.
    """
    names = ":".join(_named(counts)).replace(":", ": ").split(" ")
    second = "t=0000000000;"  # as wide as the seconds of this age
    tags = ("v=1;", f"a={algorithm};", "c=relaxed/simple;", f"d={domain};", f"s={selector};")
    pieces = [f" {tag}" for tag in (*tags, second, f"h={names[0]}")] + names[1:]
    folded = _folded(_OPENING.decode().rstrip(), [*pieces[:-1], f"{pieces[-1]};"])
    return f"{folded.replace(second, 't=%d;')}\r\n bh=%b;\r\n b=".encode()


def _named(counts: tuple[int, ...]) -> list[str]:
    """The names for `h=`: each as often as it is there, the sealed ones once more."""
    named: list[str] = []
    for name, count in zip(_SIGNED, counts, strict=True):
        sealed = name in _SEALED or (count and name in _SEALED_IF_THERE)
        named += [name] * (count + bool(sealed))
    return named


def _folded(line: str, pieces: Iterable[str]) -> str:
    """The pieces one after the other, on lines of at most 76 where no piece is longer."""
    lines: list[str] = []
    for piece in pieces:
        if len(line) + len(piece) > LINE:
            lines.append(line)
            line = f" {piece.lstrip()}"
        else:
            line += piece
    return "\r\n".join([*lines, line])


def _base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)
