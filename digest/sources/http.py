"""One polite HTTP client: who we are, conditional requests, pauses, retries, deadline and caps."""

import socket
import time
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx2

from digest import __version__
from digest.errors import SourceUnreachable
from digest.sources.destinations import Allowed, is_of_this_machine, literal, why_inside
from digest.sources.pacing import Pacing
from digest.sources.pinned import Inside, Resolve, TooLate, pin, seconds_left
from digest.sources.unpack import MOST_BYTES, TooLarge, body_of

MOST_REDIRECTS = 5
MOST_TRIES = 4
_BACKOFF_S = 1.0
_SILENCE_S = 15.0  # the longest wait for the next byte
_REDIRECTS = (301, 302, 303, 307, 308)
_WORTH_A_RETRY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A reply: `url` is where it came from after redirects; `body` is empty if `not_modified`."""

    body: bytes
    url: str = field(repr=False)
    etag: str | None = None
    last_modified: str | None = None
    content_type: str = ""
    not_modified: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Again:
    """A try that failed in a way that may pass; `wait_s` is what the server asked for."""

    why: str
    wait_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Elsewhere:
    """A redirect."""

    url: str = field(repr=False)


class HttpClient:
    """Asks sources for bytes; safe from many threads.

    `contact` (an address or URL) stands in the User-Agent, so that a host can complain. `clock` is
    in seconds and only ever goes forward, `sleep` waits, `wall` gives the present instant for a
    Retry-After that names a date. The deadline does not count the wait for the host's turn.
    `most_redirects` 0 takes an answer from the very address alone; `most_tries` 1 never repeats.
    Hosts within the own network are not asked, unless `allowed`, or where the address that is asked
    for names one by its number, or as localhost, as only the operator does. `resolve` looks up
    names as socket.getaddrinfo does, which it is unless given.
    """

    def __init__(
        self,
        contact: str = "",
        *,
        deadline_s: float = 60.0,
        most_bytes: int = MOST_BYTES,
        most_redirects: int = MOST_REDIRECTS,
        most_tries: int = MOST_TRIES,
        allowed: Allowed | None = None,
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        about = f" (+{contact})" if contact else ""
        self._agent = f"trending-papers-digest/{__version__}{about}"
        self._deadline_s = deadline_s
        self._most = most_bytes
        self._redirects, self._tries = most_redirects, most_tries
        self._clock, self._sleep, self._wall = clock, sleep, wall
        self._pacing = Pacing(clock, sleep)
        self._allowed = allowed or Allowed()
        self._client = httpx2.Client(follow_redirects=False)
        pin(self._client, self._allowed, resolve or socket.getaddrinfo)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    def get(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        accept: str = "*/*",
        readable: Collection[int] = (),
    ) -> Fetched:
        """Fetch one address; with validators, `not_modified` tells that nothing is new.

        `readable` are error statuses whose body says more than the status. Raises
        SourceUnreachable, its text without the query, which may hold a key.
        """
        headers = self._headers(accept, etag, last_modified)
        left = _Deadline(self._clock, self._deadline_s)
        here = url
        for _ in range(self._redirects + 1):
            self._refuse_inside(here, url)
            reply = self._persist(here, headers, left, readable)
            if isinstance(reply, Fetched):
                return reply
            here = reply.url
        raise SourceUnreachable(f"{shown(url)}: more than {self._redirects} redirects")

    def _refuse_inside(self, here: str, asked_for: str) -> None:
        """Raise SourceUnreachable for a number of the own network that a stranger named."""
        try:
            hop, first = httpx2.URL(here), httpx2.URL(asked_for)
        except httpx2.InvalidURL as exc:
            raise SourceUnreachable(f"{shown(here)} is no web address: {exc}") from exc
        if (hop.scheme, hop.raw_host, hop.port) == (first.scheme, first.raw_host, first.port):
            return
        host = hop.raw_host.decode("ascii")
        address = literal("127.0.0.1" if is_of_this_machine(host) else host)
        if address and not self._allowed.admits(host, address):
            said = why_inside(host, address)
            raise SourceUnreachable(f"{shown(asked_for)}: redirect to {shown(here)}: {said}")

    def _headers(self, accept: str, etag: str | None, last_modified: str | None) -> dict[str, str]:
        headers = {
            "User-Agent": self._agent,
            "Accept": accept,
            "Accept-Encoding": "gzip, deflate",  # what can be unpacked with a bound
        }
        for name, value in (("If-None-Match", etag), ("If-Modified-Since", last_modified)):
            if value and value.isascii() and value.isprintable():
                headers[name] = value
        return headers

    def _persist(
        self, url: str, headers: dict[str, str], left: "_Deadline", readable: Collection[int]
    ) -> Fetched | _Elsewhere:
        """Try one address until it answers, the tries are used up, or the time is."""
        host = _host(url)
        if rest := self._pacing.resting(host):
            raise SourceUnreachable(
                f"{shown(url)}: the host asked to be left alone for another {rest:,.0f} s: "
                "fetch again later"
            )
        failed = _Again(why="")
        for tried in range(self._tries):
            with left.paused(), self._pacing.turn(host):
                left.resume()
                try:
                    reply = self._try(url, headers, left, readable)
                except TooLate as exc:
                    late = f"not all of it came within {self._deadline_s:g} s"
                    raise SourceUnreachable(f"{shown(url)}: {late}") from exc
                except (TooLarge, Inside) as exc:
                    raise SourceUnreachable(f"{shown(url)}: {exc}") from exc
                if isinstance(reply, _Again) and tried + 1 < self._tries:
                    self._plan_retry(url, host, reply, tried, left)
            if not isinstance(reply, _Again):
                return reply
            failed = reply
        raise SourceUnreachable(f"{shown(url)}: {failed.why}, after {self._tries} tries")

    def _plan_retry(
        self, url: str, host: str, reply: _Again, tried: int, left: "_Deadline"
    ) -> None:
        wait = _BACKOFF_S * 2**tried if reply.wait_s is None else reply.wait_s
        if wait >= left.seconds():
            if reply.wait_s is not None:
                self._pacing.rest(host, reply.wait_s)
            asked = f" and asks to wait {wait:,.0f} s" if reply.wait_s is not None else ""
            raise SourceUnreachable(
                f"{shown(url)}: {reply.why}{asked}; the deadline of {self._deadline_s:g} s "
                "does not allow another try: fetch again later"
            )
        left.spend(wait)
        self._pacing.hold_back(host, wait)

    def _try(
        self, url: str, headers: dict[str, str], left: "_Deadline", readable: Collection[int]
    ) -> Fetched | _Elsewhere | _Again:
        seconds = left.seconds()
        if seconds <= 0:
            raise SourceUnreachable(f"{shown(url)}: no answer within {self._deadline_s:g} s")
        timeout = httpx2.Timeout(min(seconds, _SILENCE_S))
        counting = seconds_left.set(left.seconds)
        try:
            with self._client.stream("GET", url, headers=headers, timeout=timeout) as response:
                return self._judge(url, response, left, readable)
        except httpx2.InvalidURL as exc:
            raise SourceUnreachable(f"{shown(url)} is no web address: {exc}") from exc
        except httpx2.HTTPError as exc:
            return _Again(why=_reason(exc))
        except (zlib.error, EOFError) as exc:
            return _Again(why=f"the packed reply is spoiled ({exc})")
        finally:
            seconds_left.reset(counting)

    def _judge(
        self, url: str, response: httpx2.Response, left: "_Deadline", readable: Collection[int]
    ) -> Fetched | _Elsewhere | _Again:
        status, headers = response.status_code, response.headers
        if status in _REDIRECTS:
            return _Elsewhere(url=_target(url, headers.get("location", "")))
        if status in _WORTH_A_RETRY and status not in readable:
            return _Again(why=f"HTTP {status}", wait_s=self._retry_after(headers))
        if status != 304 and not 200 <= status < 300 and status not in readable:
            raise SourceUnreachable(f"{shown(url)}: HTTP {status}: {_advice(status)}")
        chunks = self._in_time(response, left)
        encoding = headers.get("content-encoding", "")
        return Fetched(
            body=b"" if status == 304 else body_of(chunks, encoding, self._most),
            url=url,
            etag=headers.get("etag"),
            last_modified=headers.get("last-modified"),
            content_type=headers.get("content-type", ""),
            not_modified=status == 304,
        )

    def _in_time(self, response: httpx2.Response, left: "_Deadline") -> Iterator[bytes]:
        for chunk in response.iter_raw():
            if left.seconds() <= 0:
                raise TooLate("no time is left")
            yield chunk

    def _retry_after(self, headers: httpx2.Headers) -> float | None:
        """Seconds asked for by Retry-After, a number or a date (RFC 9110 §10.2.3); else None."""
        value = headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:12])
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (when - self._wall()).total_seconds())


class _Deadline:
    """The seconds left for one fetch; the clock stands still while it waits for its turn."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock = clock
        self._ends = clock() + seconds
        self._waiting_since: float | None = None

    def paused(self) -> Self:
        self._waiting_since = self._clock()
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_error: object) -> None:
        self._waiting_since = None

    def resume(self) -> None:
        """The turn has come: add the wait to the end."""
        if self._waiting_since is not None:
            self._ends += self._clock() - self._waiting_since
            self._waiting_since = None

    def spend(self, seconds: float) -> None:
        """Count a wait that is about to happen while the clock is paused."""
        self._ends -= seconds

    def seconds(self) -> float:
        return self._ends - self._clock()


def shown(url: str) -> str:
    """The address for messages and logs: without user, password, query or fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the address"
    text = f"{parts.scheme}://{host}{port}{parts.path}" + ("?…" if parts.query else "")
    return "".join(c if c.isprintable() else "�" for c in text)[:300]


def bare(url: str) -> str:
    """The address without what may open it: user, password, query and fragment. Links that are
    relative to either lead to the same place.
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts.hostname
    except ValueError:
        pass
    raise SourceUnreachable(f"{shown(url)} is no http(s) address: write https://host/path")


def _target(url: str, location: str) -> str:
    """Where a redirect leads; raises SourceUnreachable unless that is http(s)."""
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
        _ = urlsplit(target).port  # which raises where none can be
    except ValueError as exc:
        raise SourceUnreachable(f"{shown(url)}: redirect to no address") from exc
    if not location or scheme not in ("http", "https"):
        raise SourceUnreachable(
            f"{shown(url)}: redirect to {scheme[:20] or 'nowhere'!r}, only http(s) is followed"
        )
    return target


def _reason(exc: httpx2.HTTPError) -> str:
    if isinstance(exc, httpx2.TimeoutException):
        return "no answer in time"
    text = "".join(c if c.isprintable() else " " for c in str(exc))
    return text[:200] or type(exc).__name__


def _advice(status: int) -> str:
    if status in (401, 403):
        return "the host refuses us: check the address and whether it needs a key"
    if status in (404, 410):
        return "nothing there: check the address"
    return "check the address"
