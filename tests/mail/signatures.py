"""Keys for the tests of signatures, and verifiers that know their public halves without DNS."""

import base64
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

import dkim as dkimpy
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from digest.mail.dkim import Signer, SigningKey
from digest.mail.keys import DnsRecord, dns_record, record_name

DOMAIN = "papers.example"
AT = datetime(2026, 3, 12, 8, tzinfo=UTC)


@cache
def rsa_key(bits: int = 2048, which: int = 0) -> rsa.RSAPrivateKey:
    """The same key throughout a test session; making one takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ed25519_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def rsa_signing(selector: str = "digest") -> SigningKey:
    return SigningKey(selector=selector, private=rsa_key())


def ed25519_signing(selector: str = "digest-ed") -> SigningKey:
    return SigningKey(selector=selector, private=ed25519_key())


def a_signer(domain: str = DOMAIN) -> Signer:
    """Signs with both kinds of keys."""
    return Signer(domain, [rsa_signing(), ed25519_signing()])


def signed(mail: bytes, signer: Signer | None = None) -> bytes:
    """The mail with its signatures before it."""
    head, body = parted(mail)
    return (signer or a_signer()).sign(head, body, AT) + mail


def parted(mail: bytes) -> tuple[bytes, bytes]:
    """The header fields and the body, as the signer takes them."""
    head, _, body = mail.partition(b"\r\n\r\n")
    return head + b"\r\n", body


def records(signer: Signer) -> list[DnsRecord]:
    """What is to be published for a signer."""
    return [dns_record(record_name(signer.domain, k.selector), k.private) for k in signer.keys]


def verdicts(mail: bytes, *published: DnsRecord) -> list[bool]:
    """What dkimpy says of each signature of the mail, from the first to the last."""
    known = {f"{one.name}.".encode(): one.value.encode() for one in published}
    reader = dkimpy.DKIM(mail)
    count = sum(name.lower() == b"dkim-signature" for name, _ in reader.headers)
    return [_verdict(mail, place, known) for place in range(count)]


def _verdict(mail: bytes, place: int, known: dict[bytes, bytes]) -> bool:
    def ask(name: bytes, timeout: int = 5) -> bytes:
        return known.get(name, b"")

    try:
        return bool(dkimpy.DKIM(mail).verify(place, dnsfunc=ask))
    except dkimpy.DKIMException:
        return False


class _VerifyKey:
    """PyNaCl's Ed25519 by `cryptography`: dkimpy knows no other way to check a signature."""

    def __init__(self, key: bytes, encoder: Any = None) -> None:
        self._key = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(key))

    def verify(self, data: bytes, signature: bytes) -> bytes:
        self._key.verify(signature, data)
        return data


if not hasattr(dkimpy, "nacl"):  # PyNaCl is not installed
    dkimpy.nacl = SimpleNamespace(
        signing=SimpleNamespace(VerifyKey=_VerifyKey),
        encoding=SimpleNamespace(Base64Encoder=None),
        exceptions=SimpleNamespace(BadSignatureError=InvalidSignature, ValueError=ValueError),
    )
