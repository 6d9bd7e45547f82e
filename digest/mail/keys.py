"""The keys that sign: made, kept, read, and told to the world as DNS records (RFC 6376 §3.6.1)."""

import base64
import errno
import os
import re
import shlex
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from digest.errors import ConfigError, DigestError, UsageError
from digest.mail.dkim import PrivateKey, Signer, SigningKey
from digest.mail.message import wire_address

BITS = 2048
# Verifiers need not take longer keys (RFC 8301 §3.2); shorter ones are advised against there.
BITS_MOST = 4096
FILE_MOST = 65_536
TXT_STRING = 255  # octets of one string of a TXT record (RFC 1035 §3.3)
NAME_MOST = 253
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class KeyType(StrEnum):
    """The kinds of keys, by their names in `k=` (RFC 8463 §4)."""

    RSA = "rsa"
    ED25519 = "ed25519"

    @classmethod
    def of(cls, private: PrivateKey) -> "KeyType":
        """The kind of a key."""
        return cls.RSA if isinstance(private, RSAPrivateKey) else cls.ED25519


@dataclass(frozen=True, kw_only=True, slots=True)
class DnsRecord:
    """The TXT record of a public key: its full name without a dot at the end, and its value."""

    name: str
    value: str

    @property
    def strings(self) -> list[str]:
        """The value in pieces of at most 255 octets, as the record holds it."""
        value = self.value
        return [value[at : at + TXT_STRING] for at in range(0, len(value), TXT_STRING)]

    @property
    def zone(self) -> str:
        """The record as lines of a zone file."""
        pieces = "\n    ".join(f'"{piece}"' for piece in self.strings)
        return f"{self.name}. IN TXT (\n    {pieces}\n)"


def signing_domain(chosen: str, sender: str) -> str:
    """The domain that signs (`d=`), in ASCII: `chosen`, or where that is empty the sender's.

    Raises ConfigError where it is not aligned with the sender's address, because DMARC would fail
    each mail: it must be the same, one above it or one below it (RFC 7489 §3.1.1, relaxed).
    """
    own = wire_address(sender).rpartition("@")[2] if sender else ""
    if not chosen:
        if not own:
            raise ConfigError("dkim.domain and sender.address are not set: write the address first")
        return own
    try:
        domain = wire_address(f"a@{chosen}").rpartition("@")[2]
    except DigestError as exc:
        raise ConfigError(f"dkim.domain {chosen[:80]!r} is no domain name") from exc
    _require_name("dkim.domain", domain)
    if own and not _aligned(domain, own):
        raise ConfigError(
            f"dkim.domain {domain} does not belong to sender.address {sender}, DMARC would fail: "
            f"set it to {own} or to a domain above that, or leave it empty"
        )
    return domain


def load_signer(
    domain: str,
    selector: str,
    key_file: Path | None,
    ed25519_selector: str = "",
    ed25519_key_file: Path | None = None,
) -> Signer | None:
    """The signer of these keys, None where no key file is named.

    Raises ConfigError for a key that is missing, unreadable, of the wrong kind, too short, or that
    others can read, and for a name that cannot stand in DNS.
    """
    keys = load_keys(domain, selector, key_file, ed25519_selector, ed25519_key_file)
    return Signer(domain, keys) if keys else None


def load_keys(
    domain: str,
    selector: str,
    key_file: Path | None,
    ed25519_selector: str = "",
    ed25519_key_file: Path | None = None,
) -> list[SigningKey]:
    """The keys of `load_signer`, RSA first; none where no key file is named."""
    if key_file is None:
        if ed25519_key_file is not None:
            raise ConfigError(
                "dkim.ed25519_key_file goes beside dkim.key_file: large receivers know RSA alone; "
                "run 'digest dkim keygen' to make an RSA key"
            )
        return []
    record_name(domain, selector)
    keys = [SigningKey(selector=selector, private=read_key(key_file, KeyType.RSA))]
    if ed25519_key_file is not None:
        if not ed25519_selector or ed25519_selector.lower() == selector.lower():
            raise ConfigError(
                "dkim.ed25519_selector must be set, and to another name than dkim.selector"
            )
        record_name(domain, ed25519_selector, "dkim.ed25519_selector")
        private = read_key(ed25519_key_file, KeyType.ED25519)
        keys.append(SigningKey(selector=ed25519_selector, private=private))
    return keys


def read_key(path: Path, kind: KeyType) -> PrivateKey:
    """The private key of a PEM file. Raises ConfigError, which never quotes from the file."""
    setting = "dkim.key_file" if kind is KeyType.RSA else "dkim.ed25519_key_file"
    named = f"{setting} {path}"
    pem = _read_private(path, named)
    try:
        private = load_pem_private_key(pem, password=None)
    except TypeError:
        raise ConfigError(
            f"{named} is encrypted: write it without a passphrase "
            f"(openssl pkey -in {shlex.quote(str(path))} -out NEW; chmod 600 NEW)"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            f"{named} is no private key in PEM: make one with 'digest dkim keygen'"
        ) from None
    if kind is KeyType.RSA and isinstance(private, RSAPrivateKey):
        return _of_good_length(private, named)
    if kind is KeyType.ED25519 and isinstance(private, Ed25519PrivateKey):
        return private
    raise ConfigError(
        f"{named} is no {kind.value} key: make one with 'digest dkim keygen --type {kind.value}'"
    )


def make_key(kind: KeyType, bits: int = BITS) -> PrivateKey:
    """A fresh private key; `bits` belongs to RSA."""
    if kind is KeyType.ED25519:
        return Ed25519PrivateKey.generate()
    return generate_private_key(public_exponent=65537, key_size=bits)


def write_key(path: Path, private: PrivateKey) -> None:
    """Write a key as PKCS#8 PEM that only its owner can read; nothing is ever overwritten.

    Raises UsageError where the file exists, DigestError where it cannot be written.
    """
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        # the mode is set as the file is made: there is no moment at which others could open it
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise file_exists(path) from None
    except OSError as exc:
        raise DigestError(f"{path} cannot be written: {exc.strerror}") from exc
    try:
        with os.fdopen(descriptor, "wb") as sink:
            os.fchmod(descriptor, 0o600)
            sink.write(pem)
            sink.flush()
            os.fsync(descriptor)
    except OSError as exc:
        path.unlink(missing_ok=True)
        raise DigestError(f"{path} cannot be written: {exc.strerror}") from exc


def file_exists(path: Path) -> UsageError:
    """What to say where a key would be overwritten."""
    return UsageError(
        f"{path} exists and is never overwritten: to rotate, make a key under another selector "
        "(digest dkim keygen --selector NEW), publish its record, then change the config"
    )


def record_name(domain: str, selector: str, setting: str = "dkim.selector") -> str:
    """Where in DNS the key of that selector stands. Raises ConfigError for what is no DNS name."""
    _require_name("dkim.domain", domain)
    _require_name(setting, selector)
    name = f"{selector}._domainkey.{domain}"
    if len(name) > NAME_MOST:
        raise ConfigError(f"{setting} and dkim.domain make a name of more than {NAME_MOST} letters")
    return name


def dns_record(name: str, private: PrivateKey) -> DnsRecord:
    """The record to publish under that name (RFC 6376 §3.6.1, RFC 8463 §4.2)."""
    public = private.public_key()
    if isinstance(private, RSAPrivateKey):
        octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        octets = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    text = base64.b64encode(octets).decode()
    return DnsRecord(name=name, value=f"v=DKIM1; k={KeyType.of(private).value}; p={text}")


def _read_private(path: Path, named: str) -> bytes:
    """The file's bytes, if it is one that its owner alone can open."""
    try:
        # a pipe must not hold us up
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        if exc.errno == errno.ENOENT:
            raise ConfigError(
                f"{named} does not exist: make it with 'digest dkim keygen', or unset the key"
            ) from None
        raise ConfigError(f"{named} cannot be read: {exc.strerror}") from exc
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"{named} is no file")
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                f"{named} can be read by others than its owner: "
                f"run 'chmod 600 {shlex.quote(str(path))}'"
            )
        return os.read(descriptor, FILE_MOST)
    except OSError as exc:
        raise ConfigError(f"{named} cannot be read: {exc.strerror}") from exc
    finally:
        os.close(descriptor)


def _of_good_length(private: RSAPrivateKey, named: str) -> RSAPrivateKey:
    if not BITS <= private.key_size <= BITS_MOST:
        raise ConfigError(
            f"{named} has {private.key_size} bits, receivers want {BITS} to {BITS_MOST}: "
            "make another with 'digest dkim keygen'"
        )
    return private


def _aligned(domain: str, own: str) -> bool:
    """Whether they are the same or one is above the other; a top-level domain is above nobody."""
    short, long = sorted((domain, own), key=len)
    return short == long or ("." in short and long.endswith(f".{short}"))


def _require_name(setting: str, name: str) -> None:
    if len(name) > NAME_MOST or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ConfigError(
            f"{setting} {name[:80]!r} is no DNS name: write letters, digits, hyphens and dots"
        )
