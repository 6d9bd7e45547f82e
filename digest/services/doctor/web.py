"""One look at a web address: what it answers, and the clock and the certificate of who answers."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from digest import __version__
from digest.errors import DigestError
from digest.services.doctor.certificates import ends_at

BODY_MOST = 65_536


class NoAnswer(DigestError):
    """Nothing came back; `bad_certificate` tells that somebody was there."""

    def __init__(self, text: str, *, bad_certificate: bool = False) -> None:
        super().__init__(text)
        self.bad_certificate = bad_certificate


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A reply: its status, the first 64 KB, what the server's clock said, where a redirect leads,
    and when its certificate ends.
    """

    status: int
    body: bytes
    date: datetime | None
    location: str
    certificate_ends: datetime | None


class Web:
    """Asks web addresses once, without following redirects; safe from many threads."""

    def __init__(self, timeout_s: float, trust: Callable[[], ssl.SSLContext] | None = None) -> None:
        """`trust` makes the TLS context; without it the system's authorities are trusted."""
        self._timeout_s = timeout_s
        self._trust = trust or ssl.create_default_context

    def ask(self, url: str, method: str = "GET") -> Answer:
        """The reply to one request. Raises NoAnswer, which says why."""
        agent = {"User-Agent": f"trending-papers-digest/{__version__} (doctor)"}
        try:
            with (
                httpx2.Client(
                    verify=self._trust(), timeout=self._timeout_s, follow_redirects=False
                ) as client,
                client.stream(method, url, headers=agent) as response,
            ):
                return _answer(response)
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, ValueError) as exc:
            why = str(exc) or type(exc).__name__
            late = isinstance(exc, httpx2.TimeoutException)
            raise NoAnswer(
                "no answer in time" if late else why, bad_certificate="CERTIFICATE" in why
            ) from exc


def _answer(response: httpx2.Response) -> Answer:
    ends = _ends(response)  # while the connection is still there
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) >= BODY_MOST:
            break
    return Answer(
        status=response.status_code,
        body=body[:BODY_MOST],
        date=_date(response.headers.get("date", "")),
        location=response.headers.get("location", ""),
        certificate_ends=ends,
    )


def _ends(response: httpx2.Response) -> datetime | None:
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream else None
    der = tls.getpeercert(True) if tls else None
    return ends_at(der) if der else None


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
