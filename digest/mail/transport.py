"""The way to the relay: reused SMTP connections on aiosmtplib, and what its answers mean.

aiosmtplib connects, negotiates TLS and logs in. The envelope and the message are sent here, because
what matters is *where* a connection was lost: before the final dot nothing was mailed, after it
nobody knows (RFC 1047).
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

from aiosmtplib import SMTP, SMTPException, SMTPResponse, SMTPResponseException

from digest.domain.deliveries import Sent
from digest.domain.relay import Security, bares_password
from digest.errors import (
    ConfigError,
    InDoubtError,
    InvalidInput,
    PermanentMailError,
    RecipientError,
    RelayError,
    TransientMailError,
)
from digest.mail.excerpts import plain, shortened
from digest.mail.message import wire_address

REPLY_MOST = 500
# A refused MAIL blames the message only where it is about its size or parameters (RFC 5321 §4.3.2,
# RFC 1870); else it is about the sender or the login, and every mail would be refused alike.
_MESSAGE_FAULTS = (501, 504, 552, 555)
_LOST = (SMTPException, OSError, TimeoutError)
_BARE_ENDS = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class RelaySettings:
    """Where the relay is and how it is spoken to.

    Certificates are always checked, against the system's authorities and those in `ca_file`.
    `messages_per_connection` 0 means no limit. RFC 5321 §4.5.3.2.6 asks to wait at least ten
    minutes for the answer to a message.
    """

    host: str = "localhost"
    port: int = 587
    security: Security = Security.STARTTLS
    username: str | None = None
    password: str | None = None
    connections: int = 4
    timeout_s: float = 60.0
    data_timeout_s: float = 600.0
    local_hostname: str | None = None
    ca_file: str | None = None
    messages_per_connection: int = 0


class Relay:
    """A pool of at most `connections` connections; each is lent to one worker at a time.

    Raises ConfigError when a password would cross the network in clear.
    """

    def __init__(self, settings: RelaySettings) -> None:
        if bares_password(settings.security, settings.username, settings.host):
            raise ConfigError(
                "smtp.username with smtp.security 'none' would send the password in clear: "
                "set smtp.security to 'starttls' or 'tls'"
            )
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Connection"]:
        """An open connection, used before or new. Raises RelayError when none can be made."""
        async with self._slots:
            connection = self._idle.pop() if self._idle else Connection(self._settings)
            await connection.open()
            try:
                yield connection
            finally:
                if connection.is_open:
                    self._idle.append(connection)

    async def close(self) -> None:
        """Say goodbye on the connections that nobody holds."""
        while self._idle:
            await self._idle.pop().close()


class Connection:
    """One SMTP connection; it comes back by itself after the relay ended it."""

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self._client: SMTP | None = None
        self._messages = 0

    @property
    def is_open(self) -> bool:
        """Whether it can be used as it stands."""
        return self._client is not None and self._client.is_connected

    async def open(self) -> None:
        """Connect, unless connected. Raises RelayError, which says what to check."""
        if self.is_open:
            return
        settings, place = self._settings, f"{self._settings.host}:{self._settings.port}"
        client = SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=settings.timeout_s,
            use_tls=settings.security is Security.TLS,
            start_tls=False,
            cert_bundle=settings.ca_file or None,
            local_hostname=settings.local_hostname or None,
        )
        try:
            await self._greet(client)
        except RelayError:
            client.close()
            raise
        except (*_LOST, ValueError) as exc:
            client.close()
            raise RelayError(
                f"the relay {place} cannot be used ({settings.security.value}): {_said(str(exc))}; "
                "check smtp.host, smtp.port and smtp.security"
            ) from exc
        except BaseException:
            client.close()
            raise
        self._client, self._messages = client, 0

    async def close(self) -> None:
        """Say goodbye; a relay that does not answer is left."""
        if self.is_open and self._client:
            try:
                await self._client.quit(timeout=min(self._settings.timeout_s, 5))
            except _LOST:
                self.drop()
        self.drop()

    def drop(self) -> None:
        """Cut the connection without a word."""
        if self._client:
            self._client.close()
        self._client = None

    async def send(self, sender: str, recipient: str, message: bytes) -> Sent:
        """Send one message to one recipient.

        Raises TransientMailError or PermanentMailError as the relay answered, InDoubtError when the
        connection was lost after the final dot, RelayError when it was lost before or cannot be
        made. Cancelled, it drops the connection.
        """
        envelope = _envelope(sender, recipient)
        most = self._settings.messages_per_connection
        if most and self._messages >= most:
            await self.close()
        used_before = self.is_open and self._messages > 0
        await self.open()
        try:
            return await self._transact(envelope, message)
        except RelayError:
            # A relay may end an idle or long connection at any time; nothing was mailed yet.
            if not used_before or self.is_open:
                raise
        await self.open()
        return await self._transact(envelope, message)

    async def _transact(self, envelope: "Envelope", message: bytes) -> Sent:
        client = self._client
        if client is None:
            raise RelayError("the connection to the relay is gone")
        try:
            await self._address(client, envelope, message)
            reply = await self._data(client, message)
        except RecipientError:
            await self._reset(client)
            raise
        except BaseException:
            self.drop()  # cancelled as well: a late 250 must not answer the next command
            raise
        self._messages += 1
        return Sent(code=reply.code, reply=_said(reply.message))

    async def _address(self, client: SMTP, envelope: "Envelope", message: bytes) -> None:
        """MAIL and RCPT; whatever is refused here was not sent."""
        options = []
        if client.supports_extension("size"):
            options.append(f"SIZE={len(message)}".encode())
        if envelope.international:
            if not client.supports_extension("smtputf8"):
                raise PermanentMailError(
                    0, f"the relay takes no international address such as {envelope.recipient}"
                )
            options += [b"BODY=8BITMIME", b"SMTPUTF8"]
        sender = f"FROM:<{envelope.sender}>".encode()
        reply = await _ask(client, b"MAIL", sender, *options)
        if reply.code == 421 or (reply.code >= 500 and reply.code not in _MESSAGE_FAULTS):
            self.drop()
            raise RelayError(
                f"the relay takes no mail from {envelope.sender}: "
                f"{reply.code} {_said(reply.message)}; check sender.address and the smtp login"
            )
        _require(reply)
        _require(await _ask(client, b"RCPT", f"TO:<{envelope.recipient}>".encode()))

    async def _data(self, client: SMTP, message: bytes) -> SMTPResponse:
        """The message itself, and the relay's final answer."""
        reply = await _ask(client, b"DATA")
        if reply.code != 354:
            raise _refusal(reply)
        timeout = self._settings.data_timeout_s
        try:
            async with asyncio.timeout(timeout):
                await _write(client, stuffed(message))
        except _LOST as exc:
            raise RelayError(f"the relay was lost within a message: {_said(str(exc))}") from exc
        reply = await self._last_word(client, timeout)
        _require(reply)
        return reply

    async def _last_word(self, client: SMTP, timeout: float) -> SMTPResponse:
        protocol = client.protocol
        if protocol is None:
            raise RelayError("the relay was lost within a message")
        try:
            protocol.write(b".\r\n")
        except SMTPException as exc:
            raise RelayError("the relay was lost within a message") from exc
        try:
            reply = await protocol.read_response(timeout=timeout)
        except _LOST as exc:
            raise InDoubtError(
                f"no answer after the message was sent: {_said(str(exc)) or 'connection lost'}"
            ) from exc
        if not 200 <= reply.code < 300 and not 400 <= reply.code < 600:
            raise InDoubtError(f"no clear answer after the message was sent: {reply.code}")
        return reply

    async def _reset(self, client: SMTP) -> None:
        """Clear the envelope of a refused message, so that the next one starts afresh."""
        try:
            if client.is_connected:
                await client.rset(timeout=self._settings.timeout_s)
        except _LOST:
            self.drop()
        except BaseException:
            self.drop()
            raise

    async def _greet(self, client: SMTP) -> None:
        """Connect, say hello, start TLS, log in: in this order, the password only under TLS."""
        settings = self._settings
        await client.connect()
        await _hello(client)
        if settings.security is Security.STARTTLS:
            if not client.supports_extension("starttls"):
                raise RelayError(
                    f"the relay {settings.host}:{settings.port} offers no STARTTLS, so nothing was "
                    "sent, no password either: set smtp.security to 'tls', or mend the relay"
                )
            await client.starttls()
            await _hello(client)
        if settings.username:
            await self._log_in(client)
        # so that _write waits until the last octet has left the buffer
        cast(asyncio.WriteTransport, client.transport).set_write_buffer_limits(high=0)

    async def _log_in(self, client: SMTP) -> None:
        settings = self._settings
        try:
            await client.login(settings.username or "", settings.password or "")
        except SMTPException as exc:
            answer = f"{exc.code} {exc.message}" if isinstance(exc, SMTPResponseException) else exc
            raise RelayError(
                f"the relay {settings.host}:{settings.port} refused the login: "
                f"{_said(str(answer))}; check smtp.username and smtp.password"
            ) from exc


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """Sender and recipient as they go over the wire; international where not all is ASCII."""

    sender: str
    recipient: str

    @property
    def international(self) -> bool:
        """Whether the relay must offer SMTPUTF8 (RFC 6531)."""
        return not (self.sender + self.recipient).isascii()


def stuffed(message: bytes) -> bytes:
    """The message as DATA takes it: every line ended by CRLF, leading dots doubled.

    The final dot is not in it.
    """
    ends = message.count(b"\r\n")
    if message.count(b"\n") != ends or message.count(b"\r") != ends:
        # a bare CR or LF could be taken for a line's end by the next relay (SMTP smuggling)
        message = _BARE_ENDS.sub(b"\r\n", message)
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    if message.startswith(b"."):
        message = b"." + message
    return message.replace(b"\r\n.", b"\r\n..")


def _envelope(sender: str, recipient: str) -> Envelope:
    try:
        return Envelope(sender=wire_address(sender), recipient=wire_address(recipient))
    except InvalidInput as exc:
        raise PermanentMailError(0, str(exc)) from exc


async def _ask(client: SMTP, *command: bytes) -> SMTPResponse:
    """One command and its answer. Raises RelayError when there is none."""
    try:
        return await client.execute_command(*command)
    except (*_LOST, ValueError) as exc:
        client.close()
        raise RelayError(f"the relay was lost: {_said(str(exc))}") from exc


async def _hello(client: SMTP) -> None:
    if client.is_ehlo_or_helo_needed:
        try:
            await client.ehlo()
        except SMTPResponseException:
            await client.helo()


async def _write(client: SMTP, data: bytes) -> None:
    """Write and wait until the kernel has it all."""
    if client.protocol is None:
        raise SMTPException("connection lost")
    client.protocol.write(data)
    await client.protocol._drain_helper()


def _require(reply: SMTPResponse) -> None:
    if not 200 <= reply.code < 300:  # 251 and 252 take the message too
        raise _refusal(reply)


def _refusal(reply: SMTPResponse) -> RecipientError | RelayError:
    said = _said(reply.message)
    if 400 <= reply.code < 500:
        return TransientMailError(reply.code, said)
    if 500 <= reply.code < 600:
        return PermanentMailError(reply.code, said)
    return RelayError(f"the relay answered nonsense: {reply.code} {said}")


def _said(text: str) -> str:
    """A relay's words, fit for a log, a terminal and the ledger."""
    return shortened(plain(text), REPLY_MOST)
