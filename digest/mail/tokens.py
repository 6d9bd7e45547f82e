"""Signed tokens for links: bound to one purpose, dated, and readable with any key not yet retired.

Built on itsdangerous (HMAC). A token says who it is for to everyone who decodes it: it is signed,
not encrypted.
"""

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from itsdangerous import BadSignature, TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode, int_to_bytes
from itsdangerous.exc import BadData

from digest.errors import BadToken, ConfigError, ExpiredToken


class Purpose(StrEnum):
    """What a token is good for; it is worthless for anything else."""

    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    FEEDBACK = "feedback"
    UNDO = "undo"  # take an opt-out back
    CHANGE_ADDRESS = "change-address"
    READING = "reading"  # one's own digests in the browser
    FEED = "feed"  # one's own digests in a feed reader
    INVITATION = "invitation"


class Tokens:
    """Signs with the first of `keys`, and reads what any of them signed."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not any(keys):
            raise ConfigError("secret_keys is empty: run 'digest init', or set DIGEST_SECRET_KEYS")
        self._keys = [key for key in keys if key][::-1]  # itsdangerous signs with the *last* one
        self._derived_keys: dict[Purpose, bytes] = {}

    def sign(self, purpose: Purpose, payload: str, now: datetime) -> str:
        """A token for `payload`, safe in a URL; the same arguments give the same token."""
        dated = _dated(payload, _seconds(now))
        mark = hmac.digest(self._derived(purpose), dated, "sha1")
        return (dated + b"." + base64_encode(mark)).decode("ascii")

    def read(
        self, purpose: Purpose, token: str, now: datetime, max_age: timedelta | None = None
    ) -> str:
        """The payload of a token.

        Raises BadToken for one that was not signed here for this purpose, ExpiredToken for one
        older than `max_age`.
        """
        return self.read_dated(purpose, token, now, max_age)[0]

    def read_dated(
        self, purpose: Purpose, token: str, now: datetime, max_age: timedelta | None = None
    ) -> tuple[str, datetime]:
        """The payload of a token, and to the second when it was signed. Raises as `read`."""
        try:
            encoded, signed_at = self._signer(purpose, now).unsign(token, return_timestamp=True)
            payload = base64_decode(encoded).decode()
            _require_our_spelling(token.rpartition(".")[2])
        except (BadSignature, BadData, UnicodeError, ValueError) as exc:
            raise BadToken("this link is not valid: open the newest mail and try again") from exc
        if max_age is not None and now - signed_at > max_age:
            raise ExpiredToken("this link is too old: ask for a new one")
        return payload, signed_at

    def _derived(self, purpose: Purpose) -> bytes:
        """The key that itsdangerous derives for each token anew, which takes longer than signing:
        three tokens are in every mail.
        """
        if purpose not in self._derived_keys:
            signer = TimestampSigner(list(self._keys), salt=_salt(purpose))
            self._derived_keys[purpose] = signer.derive_key()
        return self._derived_keys[purpose]

    def _signer(self, purpose: Purpose, now: datetime) -> TimestampSigner:
        return _DatedSigner(self._keys, purpose, now)


class _DatedSigner(TimestampSigner):
    """A signer whose clock is given."""

    def __init__(self, keys: Sequence[str], purpose: Purpose, now: datetime) -> None:
        super().__init__(list(keys), salt=_salt(purpose), sep=".")
        self._now = now

    def get_timestamp(self) -> int:
        return _seconds(self._now)


@lru_cache(maxsize=64)  # a mail has several tokens for one reader
def _dated(payload: str, seconds: int) -> bytes:
    return base64_encode(payload.encode()) + b"." + base64_encode(int_to_bytes(seconds))


def _require_our_spelling(mark: str) -> None:
    """Raise BadSignature for base64 that says the same octets in another way than ours: one token
    is one text, whatever is added to it or changed in the bits that its last letter leaves over.
    """
    if base64_encode(base64_decode(mark)) != mark.encode():
        raise BadSignature("the signature is not written as it was signed")


def _salt(purpose: Purpose) -> str:
    return f"digest.{purpose}"


def _seconds(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp())
