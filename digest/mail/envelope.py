"""The envelope as SMTP commands, and the message as DATA takes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from digest.errors import InvalidInput, PermanentMailError
from digest.mail.message import wire_address

ENVID_MOST = 100  # characters (RFC 3461 §4.4)
_CR, _LF, _DOT = b"\r\n."
_NUMBER = re.compile(r"[0-9]{1,20}")  # RFC 1870 §4
_BARE_ENDS = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Offers:
    """What the relay's EHLO offers, of what we use.

    `size` is the most octets of a message, 0 where no limit is named, None where it is not offered.
    """

    pipelining: bool = False
    size: int | None = None
    eight_bit: bool = False
    international: bool = False
    dsn: bool = False

    @classmethod
    def read(cls, extensions: Mapping[str, str]) -> Self:
        """From EHLO keywords in lower case, and their parameters."""
        size = extensions.get("size")
        return cls(
            pipelining="pipelining" in extensions,
            size=None if size is None else int(size) if _NUMBER.fullmatch(size) else 0,
            eight_bit="8bitmime" in extensions,
            international="smtputf8" in extensions,
            dsn="dsn" in extensions,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """Sender and recipient as they go over the wire; `id` comes back in a bounce (RFC 3461)."""

    sender: str
    recipient: str
    id: str = ""

    @classmethod
    def of(cls, sender: str, recipient: str, envelope_id: str = "") -> Self:
        """The addresses with their domains in ASCII.

        Raises PermanentMailError for what is not one plain address.
        """
        try:
            return cls(
                sender=wire_address(sender), recipient=wire_address(recipient), id=envelope_id
            )
        except InvalidInput as exc:
            raise PermanentMailError(0, str(exc), status="5.1.3") from exc

    def commands(self, offers: Offers, message: bytes) -> tuple[bytes, bytes]:
        """MAIL and RCPT for this message and relay, each with its CRLF.

        Raises PermanentMailError, before anything is said, for what the relay does not offer.
        """
        mail = [f"MAIL FROM:<{self.sender}>"]
        if offers.size is not None:
            mail.append(_size(len(message), offers.size))
        mail += self._characters(offers, message)
        rcpt = f"RCPT TO:<{self.recipient}>"
        if offers.dsn:
            mail += ["RET=HDRS", *self._envid()]
            rcpt += " NOTIFY=FAILURE"
        return f"{' '.join(mail)}\r\n".encode(), f"{rcpt}\r\n".encode()

    def _characters(self, offers: Offers, message: bytes) -> list[str]:
        """The parameters for what is not ASCII (RFC 6152, RFC 6531)."""
        addresses = self.sender + self.recipient
        if addresses.isascii() and message.isascii():
            return []
        international = not (addresses + _head(message)).isascii()
        if international and not offers.international:
            address = self.sender if self.recipient.isascii() else self.recipient
            raise PermanentMailError(
                0, f"the relay takes no international address such as {address}", status="5.6.7"
            )
        if not message.isascii() and not offers.eight_bit:
            raise PermanentMailError(0, "the relay takes no 8-bit message", status="5.6.3")
        body = ["BODY=8BITMIME"] if offers.eight_bit else []
        return body + (["SMTPUTF8"] if international else [])

    def _envid(self) -> list[str]:
        encoded = xtext(self.id) if self.id.isascii() and self.id.isprintable() else ""
        return [f"ENVID={encoded}"] if 0 < len(encoded) <= ENVID_MOST else []


def _size(size: int, most: int) -> str:
    if 0 < most < size:
        said = f"the message has {size} bytes, and the relay takes at most {most}"
        raise PermanentMailError(0, said, status="5.3.4")
    return f"SIZE={size}"


def _head(message: bytes) -> str:
    return message[: message.find(b"\r\n\r\n")].decode(errors="replace")


def xtext(text: str) -> str:
    """Printable ASCII as the value of an SMTP parameter (RFC 3461 §4)."""
    return "".join(c if c not in " +=" else f"+{ord(c):02X}" for c in text)


def stuffed(message: bytes) -> bytes:
    """The message as DATA takes it: every line ended by CRLF, leading dots doubled.

    The final dot is not in it. A message that needs nothing comes back as it is.
    """
    if not message.endswith(b"\r\n"):
        return stuffed(_mended(message))
    import numpy as np  # noqa: PLC0415  # ten megabytes that a daemon without mail need not hold

    octets = np.frombuffer(message, dtype=np.uint8)  # a quarter of the time of bytes.count
    feeds = octets == _LF
    if (octets == _CR).tobytes()[:-1] != feeds.tobytes()[1:] or feeds[0]:
        return stuffed(_mended(message))
    dotted = (feeds[:-1] & (octets[1:] == _DOT)).tobytes()
    if b"\1" in dotted or message.startswith(b"."):
        return (b"." if message.startswith(b".") else b"") + message.replace(b"\r\n.", b"\r\n..")
    return message


def _mended(message: bytes) -> bytes:
    # a bare CR or LF could be taken for a line's end by the next relay (SMTP smuggling)
    mended = _BARE_ENDS.sub(b"\r\n", message)
    return mended if mended.endswith(b"\r\n") else mended + b"\r\n"
