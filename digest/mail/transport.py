"""The way to the relay: a pool of connections that are used again and again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from digest.domain.deliveries import Sent
from digest.domain.relay import bares_password
from digest.errors import ConfigError, RelayError
from digest.mail.dialogue import Dialogue, idle
from digest.mail.envelope import Envelope
from digest.mail.handshake import Handshake, RelaySettings
from digest.mail.replies import said

__all__ = ["Connection", "Relay", "RelaySettings"]

GOODBYE_S = 5.0


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
        self._handshake = Handshake(settings)
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
            idle = self._idle
            connection = idle.pop() if idle else Connection(self._settings, self._handshake)
            await connection.open()
            try:
                yield connection
            finally:
                if connection.is_open:
                    idle.append(connection)

    async def close(self) -> None:
        """Say goodbye on the connections that nobody holds."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle))


class Connection:
    """One SMTP connection; it comes back by itself after the relay ended it."""

    def __init__(self, settings: RelaySettings, handshake: Handshake | None = None) -> None:
        self._settings = settings
        self._handshake = handshake or Handshake(settings)
        self._dialogue: Dialogue | None = None
        self._messages = 0

    @property
    def is_open(self) -> bool:
        """Whether it can be used as it stands."""
        return self._dialogue is not None and self._dialogue.is_open

    @property
    def is_ready(self) -> bool:
        """Whether the next message may go over it as it stands."""
        return self.is_open and not self._is_worn

    async def open(self) -> None:
        """Connect, unless ready. Raises RelayError, which says what to check."""
        if self._is_worn:
            await self.close()
        await self._opened()

    async def close(self) -> None:
        """Say goodbye; a relay that does not answer is left."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue and dialogue.is_open:
            await dialogue.quit(min(self._settings.timeout_s, GOODBYE_S))

    def drop(self) -> None:
        """Cut the connection without a word; what is still unsent is never sent."""
        if self._dialogue:
            self._dialogue.drop()
        self._dialogue = None

    async def send(
        self,
        sender: str,
        recipient: str,
        message: bytes,
        *,
        envelope_id: str = "",
        meanwhile: Callable[[], None] = idle,
    ) -> Sent:
        """Send one message to one recipient.

        `envelope_id` comes back in a bounce where the relay offers DSN: at most 100 characters of
        printable ASCII (RFC 3461 §4.4), else it is left out. `meanwhile` is called by the event
        loop once all of it has left, while the relay's answer is awaited; it must not raise. Raises
        TransientMailError or PermanentMailError as the relay answered or for what it does not
        offer, InDoubtError when the connection was lost after the final dot, RelayError when it was
        lost before or cannot be made. Cancelled, it drops the connection.
        """
        envelope = Envelope.of(sender, recipient, envelope_id)
        if self._is_worn:
            await self.close()
        dialogue = await self._opened()
        used_before = dialogue.was_used
        try:
            return await self._sent(dialogue, envelope, message, meanwhile)
        except RelayError:
            # A relay may end an idle or long connection at any time; nothing was mailed yet.
            if not used_before or dialogue.is_open:
                raise
        return await self._sent(await self._opened(), envelope, message, meanwhile)

    @property
    def _is_worn(self) -> bool:
        """Whether it has carried as many messages as it may."""
        return 0 < self._settings.messages_per_connection <= self._messages

    async def _sent(
        self,
        dialogue: Dialogue,
        envelope: Envelope,
        message: bytes,
        meanwhile: Callable[[], None],
    ) -> Sent:
        reply = await dialogue.send(envelope, message, meanwhile)
        self._messages += 1
        return Sent(code=reply.code, reply=said(reply.text), status=reply.status)

    async def _opened(self) -> Dialogue:
        if self._dialogue and self._dialogue.is_open:
            return self._dialogue
        wire, offers = await self._handshake.connect()
        timeouts = self._settings.timeout_s, self._settings.data_timeout_s
        self._dialogue, self._messages = Dialogue(wire, offers, *timeouts), 0
        return self._dialogue
