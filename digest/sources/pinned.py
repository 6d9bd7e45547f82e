"""Connections to the very address that was checked, none slower in all than its fetch may be.

A name is looked up once, and what was found is what is connected to: a name server that answers
otherwise the second time (DNS rebinding) is not asked a second time.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import httpcore2
import httpx2

from digest.errors import SourceUnreachable
from digest.sources.destinations import Allowed, is_of_this_machine, literal, why_inside

MOST_ADDRESSES = 6  # of one name; of a thousand, all silent, each would cost its time
LONGEST_S = 60.0
Resolve = Callable[..., list[tuple[Any, ...]]]

seconds_left: ContextVar[Callable[[], float]] = ContextVar("seconds_left")
"""What the fetch of this thread has left; unset, the timeouts alone hold."""


class Inside(SourceUnreachable):
    """The host is this machine or in its network, and not meant to be asked."""


class TooLate(SourceUnreachable):
    """The fetch has no time left; another try would not help."""


def pin(client: httpx2.Client, allowed: Allowed, resolve: Resolve) -> None:
    """Let the client connect as this module says. Where the environment names a proxy, that is
    connected to, wherever it is, and makes the connections: it looks up the names then.
    """
    _set(client._transport, _Backend(allowed, resolve))
    for proxy in filter(None, client._mounts.values()):
        _set(proxy, _Backend(None, resolve))


def _set(transport: httpx2.BaseTransport, backend: "_Backend") -> None:
    pool = transport._pool if isinstance(transport, httpx2.HTTPTransport) else None
    if pool is None or not hasattr(pool, "_network_backend"):  # else setting it would do nothing
        raise RuntimeError("httpx2 makes its connections in an unknown way")
    pool._network_backend = backend


class _Backend(httpcore2.NetworkBackend):
    """`allowed` None is for the hosts that the operator alone has named."""

    def __init__(self, allowed: Allowed | None, resolve: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address that answers, of those that may be asked; the others' faults
        do not matter then.
        """
        ends = time.monotonic() + _within(timeout)
        fault: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in self._addresses(host, port):
            if (left := ends - time.monotonic()) <= 0:
                raise httpcore2.ConnectTimeout("no address answers in time")
            try:
                made = self._sockets.connect_tcp(
                    address, port, left, local_address, socket_options or ()
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as exc:
                fault = exc
            else:
                return _Stream(made)
        raise fault

    def _addresses(self, host: str, port: int) -> list[str]:
        """What may be asked, looked up once. Raises Inside where nothing may."""
        if literal(host):  # whether that may be asked depends on who names it: see HttpClient
            return [host]
        try:
            found = [str(one[4][0]) for one in self._resolve(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as exc:  # a label of a name may be too long
            raise httpcore2.ConnectError(str(exc)) from exc
        fit = [address for address in found if self._admits(host, address)]
        if found and not fit:
            raise Inside(why_inside(host, found[0]))
        return list(dict.fromkeys(fit))[:MOST_ADDRESSES]

    def _admits(self, host: str, found: str) -> bool:
        address = literal(found)
        if self._allowed is None:
            return True
        if address and is_of_this_machine(host):
            return address.is_loopback
        return address is not None and self._allowed.admits(host, address)


class _Stream(httpcore2.NetworkStream):
    """A connection no step of which takes longer than the fetch has left, nor all together."""

    def __init__(self, made: httpcore2.NetworkStream) -> None:
        self._made = made

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At least one byte, or none where the other side has ended."""
        return self._made.read(max_bytes, _within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """All of it."""
        self._made.write(buffer, _within(timeout))

    def close(self) -> None:
        """End it."""
        self._made.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """The same connection under TLS."""
        return _Stream(self._made.start_tls(ssl_context, server_hostname, _within(timeout)))

    def get_extra_info(self, info: str) -> Any:
        """What httpcore knows of it."""
        return self._made.get_extra_info(info)


def _within(timeout: float | None) -> float:
    """The timeout, or what the fetch has left where that is less. Raises TooLate at none."""
    left = seconds_left.get(None)
    seconds = left() if left else float("inf")
    if seconds <= 0:
        raise TooLate("no time is left")
    return min(seconds, LONGEST_S if timeout is None else timeout)
