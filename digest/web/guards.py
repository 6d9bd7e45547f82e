"""What stands before every request: its size, its method, its origin; and the headers after it.

One ASGI layer without state. It reads a body whole before anybody works on it, knows which network
asked, and writes the access log, in which no token ever stands.
"""

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest.web.forms import MOST_BODY
from digest.web.metrics import observe

log = structlog.get_logger("digest.web")

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# OWASP ASVS 5.0 V3.4: each browser security header, with the strictest value that works here
_HEADERS = {
    "content-security-policy": CSP,
    "referrer-policy": "no-referrer",  # the address of a page may hold the key to somebody's data
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
_HSTS = "max-age=31536000"
_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_WEBHOOKS = "/webhooks/"
MOST_WEBHOOK_BODY = 1024 * 1024
MOST_FORGOTTEN = 1024 * 1024  # of a body above that: read to its end, so that the answer arrives
LONGEST_TARGET = 8 * 1024
# Bodies that may be on their way at once: 32 MB of forms, 32 MB of reports
_FORMS, _REPORTS = 2_000, 32
BODY_S = 15.0
# The first part of these paths is followed by a token, and what follows that is harmless
_WITH_TOKEN = re.compile(
    r"^/+(confirm|unsubscribe|undo|preferences|feedback|change-address|digests|feeds)/+[^/]+",
    re.IGNORECASE,
)
# Some proxies name the port, too: 192.0.2.1:4711, [2001:db8::1]:4711
_PORT = re.compile(r"^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?$")
# A part of any other path that may be a token, whole or not, or an address: links are mangled, too
_SECRET = re.compile(r"[^/]*(?:@|%|[A-Za-z0-9_.~=-]{20})[^/]*")

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the network in short, and whether it is this very machine."""

    network: str
    secure: bool


class _CutOff(Exception):
    """The other side left before all was said."""


class _NoBody(Exception):
    """There is no body to work on; `answer` says why."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


class Guards:
    """Wraps the pages. `trusted` are the networks of proxies whose word is taken for who asks."""

    def __init__(
        self,
        app: ASGIApp,
        trusted: Iterable[str],
        site_url: str | None,
        *,
        most: int = 200,
        body_s: float = BODY_S,
        too_large: Callable[[], Response] | None = None,
    ) -> None:
        """At most `most` requests are served at the same time; a body may take `body_s` seconds.
        `too_large` answers a body that is, where that is to be a page.
        """
        self._app = app
        self._most, self._serving = most, 0
        self._coming = {False: 0, True: 0}  # bodies: forms, and reports to webhooks
        self._body_s = body_s
        self._too_large = too_large or _too_large
        self._trusted = [ipaddress.ip_network(network) for network in trusted]
        self._origin = _origin_of(site_url) if site_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        asker = self._asker(scope)
        scope["digest.network"] = asker.network
        scope["path"] = _without_last_slash(scope["path"])
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _secured(MutableHeaders(scope=message), asker.secure)
            await send(message)

        try:
            await self._guarded(scope, receive, noted)
        except _CutOff:  # nobody waits for an answer, and half a form is no wish
            status = 499  # as nginx writes it in its log
        finally:
            took = time.perf_counter() - begun
            page = getattr(scope.get("endpoint"), "__name__", "none")
            observe(page, status, took)
            log.info(
                "request",
                method=scope["method"] if scope["method"] in _METHODS else "?",
                path=redacted(scope["path"]),
                status=status,
                ms=round(1000 * took, 1),
                network=asker.network,
            )

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is None and scope["method"] == "POST":
            try:
                body = await self._body(scope, receive)
            except _NoBody as exc:
                refusal = exc.answer
            else:
                scope["digest.body"] = body
                receive = _replayed(body)
        if refusal is None and self._serving >= self._most:
            refusal = _too_many()
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        self._serving += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._serving -= 1

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body of a POST. Raises _CutOff, _NoBody.

        How many come at once is bounded by the memory that they take, not by who may be served:
        else a few slow ones would keep everybody out.
        """
        is_report = scope["path"].startswith(_WEBHOOKS)
        if self._coming[is_report] >= (_REPORTS if is_report else _FORMS):
            raise _NoBody(_too_many())
        self._coming[is_report] += 1
        try:
            body = await asyncio.wait_for(_body(scope, receive), self._body_s)
        except TimeoutError as exc:
            late = PlainTextResponse("The form took too long to come.\n", 408)
            raise _NoBody(_closing(late)) from exc
        finally:
            self._coming[is_report] -= 1
        if body is None:
            raise _NoBody(_closing(_too_large() if is_report else self._too_large()))
        return body

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to what must not come further, None for all that may."""
        headers = Headers(scope=scope)
        if self._serving >= self._most:
            return _too_many()
        if scope["method"] not in _METHODS:
            allowed = {"allow": ", ".join(_METHODS)}
            return PlainTextResponse("This method is not allowed.\n", 405, allowed)
        if len(scope["path"]) + len(scope["query_string"]) > LONGEST_TARGET:
            return PlainTextResponse("The address is too long.\n", 414)
        if scope["method"] == "OPTIONS":
            return Response(None, 204, {"allow": "GET, HEAD, POST, OPTIONS"})
        if scope["method"] == "POST" and not self._is_own(scope, headers):
            return PlainTextResponse("This form was sent from another site: open it here.\n", 403)
        return None

    def _is_own(self, scope: Scope, headers: Headers) -> bool:
        """Whether a browser sent this POST from one of our own pages, or no browser did.

        One-click opt-outs (RFC 8058 §3.2) and providers' reports prove themselves by other means.
        """
        if scope["path"].startswith((_WEBHOOKS, "/unsubscribe/")):
            return True
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        origin = headers.get("origin")
        if origin is None:
            return True  # no browser that sends forms across sites leaves both out
        own = _origin_of(f"{scope['scheme']}://{headers.get('host', '')}")
        return origin != "null" and _origin_of(origin) in (own, self._origin)

    def _asker(self, scope: Scope) -> Asker:
        peer = _address((scope.get("client") or ("", 0))[0])
        secure = scope.get("scheme") == "https"
        if peer is None or not self._trusts(peer):
            return Asker(coarse(peer), secure)
        headers = Headers(scope=scope)
        secure = secure or headers.get("x-forwarded-proto", "").strip().lower() == "https"
        # from the right: what a trusted proxy added may be believed, what stood before it may not
        for hop in reversed(",".join(headers.getlist("x-forwarded-for")).split(",")):
            found = _address(_PORT.sub(r"\1\2", hop.strip()))
            if found is None:
                break
            peer = found
            if not self._trusts(found):
                break
        return Asker(coarse(peer), secure)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def coarse(address: Address | None) -> str:
    """The network of an address: an IPv4 /24, an IPv6 /48; empty where none is known, or where it
    is this machine itself.
    """
    if address is None or address.is_loopback:
        return ""
    length = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


def redacted(path: str) -> str:
    """A path without the token in it, and without what could confuse a terminal."""
    plain = "".join(c if c.isprintable() else "?" for c in path[:200])
    found = _WITH_TOKEN.match(plain)
    begin = f"/{found[1].lower()}/…" if found else ""
    return begin + _SECRET.sub("…", plain[found.end() :] if found else plain)


def _without_last_slash(path: str) -> str:
    """The path of a page, to which some programs add a slash."""
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


def _too_many() -> Response:
    # what is still on its way must not be taken for a request: so the connection ends
    headers = {"retry-after": "1", "connection": "close"}
    return PlainTextResponse("Too many at once: try again in a moment.\n", 503, headers)


def _too_large() -> Response:
    return PlainTextResponse("The form is too large.\n", 413)


def _closing(answer: Response) -> Response:
    """An answer before all was read: what is still on its way must not be taken for a request."""
    answer.headers["connection"] = "close"
    return answer


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def _origin_of(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    return parts.scheme, parts.hostname, port


def _secured(headers: MutableHeaders, secure: bool) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if secure:
        headers.setdefault("strict-transport-security", _HSTS)


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body, None where it is larger than it may be. Raises _CutOff.

    Somewhat more than may be is read to its end and forgotten: where a connection is closed with
    bytes unread, the peer may never see the answer (RFC 9112 §9.6).
    """
    most = MOST_WEBHOOK_BODY if scope["path"].startswith(_WEBHOOKS) else MOST_BODY
    readable = most + MOST_FORGOTTEN
    headers = Headers(scope=scope)
    declared = headers.get("content-length", "0")
    waits = headers.get("expect", "").lower() == "100-continue"  # sends nothing before we ask
    if declared.isdigit() and int(declared) > (most if waits else readable):
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _CutOff
        part = message.get("body", b"")
        size += len(part)
        if size > readable:
            return None
        if size <= most:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if size <= most else None


def _replayed(body: bytes) -> Receive:
    messages: Sequence[Message] = (
        {"type": "http.request", "body": body, "more_body": False},
        {"type": "http.disconnect"},
    )
    left = iter(messages)

    async def receive() -> Message:
        return next(left, messages[-1])

    return receive
