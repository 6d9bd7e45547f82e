"""Amazon SNS: the certificates that its messages are signed with, and answers to its invitations.

Nothing is fetched but from SNS's own hosts, over TLS, from the region that the topic is in: a
message names where its certificate lies, and would else be believed by whoever wrote it.
"""

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from digest.errors import InvalidInput, SourceUnreachable, SourceUnreadable
from digest.sources.http import HttpClient

DEADLINE_S = 5.0
MOST_BYTES = 64 * 1024
MOST_KEPT = 8
MOST_A_MINUTE = 10  # strangers who know a topic's name could else have us ask Amazon all day
LEAST_BITS = 2048

# Whole addresses, so that no other reading of user, port or path can find another host in them.
_HOST = (
    r"https://sns\.(?P<region>[a-z]{2}(?:-[a-z]{1,12}){1,3}-\d{1,2})\.amazonaws\.com(?P<cn>\.cn)?"
)
_CERTIFICATE = re.compile(_HOST + r"/SimpleNotificationService-[0-9A-Za-z]{1,64}\.pem", re.ASCII)
_SUBSCRIBE = re.compile(_HOST + r"/\?[!-~]{1,3000}", re.ASCII)
_TOPIC = re.compile(
    r"arn:aws[a-z-]{0,12}:sns:(?P<region>[a-z0-9-]{1,32}):\d{12}:[\w.-]{1,256}", re.ASCII
)

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class _Kept:
    key: rsa.RSAPublicKey
    since: datetime
    until: datetime


def politely(url: str) -> bytes:
    """What stands at the very address: one try, no redirect. Raises SourceUnreachable."""
    with HttpClient(
        deadline_s=DEADLINE_S, most_bytes=MOST_BYTES, most_redirects=0, most_tries=1
    ) as client:
        return client.get(url).body


class Sns:
    """Speaks with SNS; safe from many threads. `fetch` asks for an address that was checked."""

    def __init__(self, fetch: Fetch = politely) -> None:
        self._fetch = fetch
        self._kept: dict[str, _Kept] = {}
        self._asked: deque[datetime] = deque(maxlen=MOST_A_MINUTE)
        self._asking = threading.Lock()

    def key(self, url: str, topic: str, now: datetime) -> rsa.RSAPublicKey:
        """The public key of the certificate at `url`, kept from the first time on.

        Raises InvalidInput where the address is none of SNS's in the topic's region,
        SourceUnreachable where nothing comes of it now, SourceUnreadable for no valid certificate.
        """
        _pinned(_CERTIFICATE, url, topic)
        kept = self._kept.get(url)
        if kept is None:
            kept = _certificate(self._get(url, now))
            self._keep(url, kept)
        if not kept.since <= now <= kept.until:
            raise SourceUnreadable("the certificate of SNS is not valid today")
        return kept.key

    def subscribe(self, url: str, topic: str, token: str, now: datetime) -> None:
        """Accept an invitation to a topic, which a signed message brought.

        Raises InvalidInput where the address is none of SNS's for this topic and token,
        SourceUnreachable where it does not answer now.
        """
        _pinned(_SUBSCRIBE, url, topic)
        asked = parse_qs(urlsplit(url).query)
        wanted = {"Action": ["ConfirmSubscription"], "TopicArn": [topic], "Token": [token]}
        if asked != wanted:
            raise InvalidInput("the SubscribeURL asks for something else than to confirm the topic")
        self._get(url, now)

    def _get(self, url: str, now: datetime) -> bytes:
        """One request at a time, and a few a minute. Raises SourceUnreachable."""
        if not self._asking.acquire(blocking=False):
            raise SourceUnreachable("another request to SNS is under way")
        try:
            often = len(self._asked) == MOST_A_MINUTE
            if often and abs(now - self._asked[0]) < timedelta(minutes=1):
                raise SourceUnreachable(f"SNS was asked {MOST_A_MINUTE} times within a minute")
            self._asked.append(now)
            return self._fetch(url)
        finally:
            self._asking.release()

    def _keep(self, url: str, found: _Kept) -> None:
        with self._asking:
            while len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[url] = found


def _pinned(shape: re.Pattern[str], url: str, topic: str) -> None:
    """Raises InvalidInput unless the address is SNS's, in the region and partition of the topic."""
    found, named = shape.fullmatch(url), _TOPIC.fullmatch(topic)
    if not found or not named or found["region"] != named["region"]:
        raise InvalidInput("the address is none of SNS's in the topic's region")
    if found["region"].startswith("cn-") != bool(found["cn"]):
        raise InvalidInput("the address is none of SNS's in that region")


def _certificate(pem: bytes) -> _Kept:
    try:
        found = x509.load_pem_x509_certificate(pem)
        key = found.public_key()
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise SourceUnreadable("SNS gave no certificate that can be read") from exc
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < LEAST_BITS:
        raise SourceUnreadable(f"the certificate of SNS has no RSA key of {LEAST_BITS} bits")
    return _Kept(key, found.not_valid_before_utc, found.not_valid_after_utc)
