"""The relay of the sweep: it takes mails and remembers each before it says so."""

import asyncio
import re
import ssl
import time
from asyncio import BaseTransport
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from aiosmtpd.smtp import Session as Peer

from digest.mail.sink import Sink
from tests.faults.waiting import until

PASSWORD = "open sesame"
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """One mail that the relay accepted."""

    recipient: str
    message_id: str
    at: float  # seconds, steady
    content: bytes


class Taker(Sink):
    """A relay with or without pipelining; with `tls` it wants STARTTLS and a login. It answers some
    recipients with what `refuses` says, and a message after `wait_s`.
    """

    def __init__(
        self,
        *,
        pipelining: bool = False,
        tls: ssl.SSLContext | None = None,
        refuses: Mapping[str, str] = MappingProxyType({}),
        wait_s: float = 0.0,
    ) -> None:
        super().__init__()
        self.taken: list[Taken] = []
        self.talking = 0
        self._pipelining = pipelining
        self._tls = tls
        self._refuses = refuses
        self._wait_s = wait_s

    async def handle_EHLO(  # noqa: N802  # the names that aiosmtpd calls
        self, _server: SMTP, session: Peer, _envelope: Envelope, hostname: str, lines: list[str]
    ) -> list[str]:
        session.host_name = hostname  # type: ignore[assignment]
        # the first line is the greeting
        return [*lines[:1], "250-PIPELINING", *lines[1:]] if self._pipelining else lines

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Peer, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if answer := self._refuses.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Peer, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        found = _MESSAGE_ID.search(envelope.content)
        assert found
        self.taken += [
            Taken(
                recipient=recipient,
                message_id=found[1].decode(),
                at=time.monotonic(),
                content=envelope.content,
            )
            for recipient in envelope.rcpt_tos
        ]
        await asyncio.sleep(self._wait_s)
        return "250 2.0.0 OK"

    def is_left(self) -> None:
        """Wait until nobody is connected: what had been sent has arrived then."""
        until(lambda: not self.talking, "the relay is left alone", look_s=0.002)

    def _protocol(self) -> SMTP:
        sink = self
        secured: dict[str, Any] = {}
        if self._tls:
            secured = {
                "tls_context": self._tls,
                "require_starttls": True,
                "auth_required": True,
                "authenticator": _authenticate,
            }

        class Talk(SMTP):
            _counted = False

            def connection_made(self, transport: BaseTransport) -> None:
                # TLS makes it a second time
                sink.talking += not self._counted
                self._counted = True
                super().connection_made(transport)

            def connection_lost(self, error: Exception | None) -> None:
                sink.talking -= self._counted
                self._counted = False
                super().connection_lost(error)

        return Talk(self, hostname="localhost", ident="taker", loop=self._loop, **secured)


def _authenticate(*arguments: Any) -> AuthResult:
    return AuthResult(success=arguments[-1].password == PASSWORD.encode())
