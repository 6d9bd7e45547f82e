"""A small SMTP server on loopback that really receives mails: for the demo and for trying out."""

import asyncio
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

LARGEST = 32 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One mail as it came over the wire: envelope and content."""

    sender: str
    recipient: str
    content: bytes


class Sink:
    """Listens on a free port of 127.0.0.1 within `with`; `received` is in order of arrival."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.received: list[Received] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="smtp-sink", daemon=True)

    async def handle_DATA(  # noqa: N802  # the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail and accept it."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.received.extend(
            Received(sender=envelope.mail_from or "", recipient=recipient, content=content)
            for recipient in envelope.rcpt_tos
        )
        return "250 2.0.0 OK"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(self._protocol, self.host, 0)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            self._loop.run_until_complete(_finish(self._loop, server))
            self._loop.close()

    def _protocol(self) -> Any:
        return SMTP(
            self,
            hostname="localhost",
            ident="sink",
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST,
            loop=self._loop,
        )


async def _finish(loop: asyncio.AbstractEventLoop, server: asyncio.AbstractServer) -> None:
    """Close what is still open, so that no task outlives its loop."""
    others = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await server.wait_closed()
