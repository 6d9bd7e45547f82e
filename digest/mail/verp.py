"""Variable envelope return path: a sender address that says which delivery a bounce belongs to.

The address a mail returns to bears the delivery's number and a keyed mark, so that a bounce needs
no reading to be assigned, and nobody can forge one for a delivery whose mail they never saw.
"""

import base64
import hmac
import re
from collections.abc import Sequence

from digest.domain.deliveries import DeliveryId
from digest.errors import ConfigError

LONGEST_LOCAL = 64  # octets before the @-sign (RFC 5321 §4.5.3.1.1)
_PURPOSE = b"digest.verp"  # the same secret signs links and Message-IDs: no mark is good for two
_MARK_OCTETS = 10  # 80 bits, which base32 writes in 16 characters without padding
_NUMBER_DIGITS = 10  # the store's ids are 32-bit integers
_ROOM = LONGEST_LOCAL - len("+b-") - _NUMBER_DIGITS - _MARK_OCTETS * 8 // 5
# ASCII alone: without the flag, case-blind matching takes the Kelvin sign for a k
_TOKEN = re.compile(
    rf"<?[^@<>]+\+b([1-9][0-9]{{0,{_NUMBER_DIGITS - 1}}})-([a-z2-7]{{16}})@[^@<>]+>?",
    re.ASCII | re.IGNORECASE,
)


class Verp:
    """Writes envelope senders for `address`, signed by the first of `keys`; any of them verifies.

    Raises ConfigError where `address` leaves no room for the token, or no key is given.
    """

    def __init__(self, address: str, keys: Sequence[str], enabled: bool = True) -> None:
        self._address = address
        self._local, _, self._domain = address.rpartition("@")
        self._keys = [_derived(key) for key in keys if key]
        self._enabled = enabled
        if enabled and not self._keys:
            raise ConfigError("secret_keys is empty: run 'digest init', or set DIGEST_SECRET_KEYS")
        if enabled and len(self._local.encode()) > _ROOM:
            raise ConfigError(
                f"bounces.address (or sender.address) has more than {_ROOM} octets before the "
                "@-sign, which leaves no room for bounce tokens: give a shorter one, or set "
                "bounces.verp = false"
            )

    def sender(self, delivery_id: int) -> str:
        """The envelope sender of a delivery; the plain address where VERP is off.

        An address with a `+` of its own gets the token behind it: the mailbox stays the same.
        """
        if not self._enabled:
            return self._address
        mark = _mark(self._keys[0], delivery_id)
        return f"{self._local}+b{delivery_id}-{mark}@{self._domain}"

    def read(self, address: str) -> DeliveryId | None:
        """The delivery that an address names, None where its token is not of our making.

        Case does not matter, because relays may fold it; neither does what stands around the token,
        which an alias or a move to another address changes.
        """
        found = _TOKEN.fullmatch(address.strip()) if self._enabled else None
        if found is None:
            return None
        number, given = int(found[1]), found[2].lower()
        genuine = [hmac.compare_digest(_mark(key, number), given) for key in self._keys]
        return DeliveryId(number) if any(genuine) else None

    def is_ours(self, address: str) -> bool:
        """Whether the address is our own mailbox for bounces, with a token or without."""
        local, _, domain = address.strip(" <>").lower().rpartition("@")
        ours = self._local.lower()
        same = local == ours or local.startswith(f"{ours}+b")
        return bool(domain) and same and domain == self._domain.lower()


def _derived(key: str) -> bytes:
    return hmac.digest(key.encode(), _PURPOSE, "sha256")


def _mark(key: bytes, delivery_id: int) -> str:
    """HMAC-SHA256 of the delivery's number, cut to 80 bits, in lower-case base32."""
    whole = hmac.digest(key, str(int(delivery_id)).encode(), "sha256")
    return base64.b32encode(whole[:_MARK_OCTETS]).decode("ascii").lower()
