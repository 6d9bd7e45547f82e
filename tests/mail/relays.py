"""Relays on loopback for the tests: aiosmtpd, and a script for faults that no sane server shows."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from digest.domain.relay import Security
from digest.mail.transport import Connection, Relay, RelaySettings

Replies = dict[str, list[str]]


@dataclass
class Inbox:
    """What aiosmtpd took: (recipient, content), and how many connections were made."""

    mails: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, lines: list[str]
    ) -> list[str]:
        session.host_name = hostname  # type: ignore[assignment]
        return lines

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails += [(recipient, envelope.content) for recipient in envelope.rcpt_tos]
        return "250 taken"

    def authenticate(self, *arguments: Any) -> AuthResult:
        login = arguments[-1]
        self.logins.append((login.login, login.password))
        return AuthResult(success=login.password == b"secret")


@asynccontextmanager
async def aiosmtpd_relay(
    inbox: Inbox, *, tls: ssl.SSLContext | None = None, implicit: bool = False, **options: Any
) -> AsyncIterator[int]:
    """Listen with aiosmtpd; yields the port. `tls` with `implicit` False is STARTTLS."""
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        inbox.connections += 1
        starttls = None if implicit else tls
        return SMTP(
            inbox, loop=loop, tls_context=starttls, require_starttls=bool(starttls), **options
        )

    server = await loop.create_server(
        protocol, "127.0.0.1", 0, ssl=tls if implicit else None, start_serving=True
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@dataclass
class Script:
    """A relay that answers by a script.

    `replies` maps a verb (`EHLO`, `MAIL`, `RCPT`, `DATA`, `.`, `RSET`) to its answers in turn, over
    all connections; where they are used up it answers as a sane server does. `close` cuts the
    connection instead, `hang` says nothing, `drip` says one character after the other without end,
    `flood` ten megabytes, `half` is cut within the reply; `421 …` is followed by a cut.
    """

    replies: Replies = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    said: list[str] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    connections: int = 0
    grouped: int = 0
    tls: ssl.SSLContext | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if await self._answer(writer, "HELLO", "220 relay.example ready"):
                await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        envelope: list[str] = []
        while line := await reader.readline():
            text = line.decode().rstrip("\r\n")
            self.said.append(text)
            verb = text.split(" ")[0].upper()
            self.grouped += bool(reader._buffer)  # type: ignore[attr-defined]
            said = await self._answer(writer, verb, self._sane(verb, envelope))
            if not said or verb == "QUIT":
                return
            if verb == "STARTTLS" and self.tls:
                await writer.start_tls(self.tls)
            if verb in ("RSET", "EHLO"):
                envelope = []
            elif self._last.startswith("2"):
                envelope.append(verb)
            if verb == "DATA" and self._last.startswith("354"):
                envelope = []
                self.taken.append(await self._message(reader))
                if not await self._answer(writer, ".", "250 taken"):
                    return

    async def _message(self, reader: asyncio.StreamReader) -> bytes:
        first = await reader.readline()
        if first == b".\r\n":
            return b""
        return (first + await reader.readuntil(b"\r\n.\r\n"))[:-3]

    def _sane(self, verb: str, envelope: list[str]) -> str:
        match verb, envelope:
            case "EHLO", _:
                lines = ["relay.example", *self.extensions]
                dashed = [f"250-{line}" for line in lines[:-1]]
                return "\r\n".join([*dashed, f"250 {lines[-1]}"])
            case ("RCPT" | "DATA", []) | ("MAIL", ["MAIL", *_]):
                return "503 5.5.1 wrong order"
            case "DATA", ["MAIL"]:
                return "503 5.5.1 no recipient"
            case "DATA", _:
                return "354 go on"
            case "STARTTLS", _:
                return "220 go"
            case "QUIT", _:
                return "221 bye"
            case _:
                return "250 ok"

    async def _answer(self, writer: asyncio.StreamWriter, verb: str, default: str) -> bool:
        waiting = self.replies.get(verb, [])
        self._last = waiting.pop(0) if waiting else default
        if self._last == "close":
            return False
        if self._last == "hang":
            await asyncio.Event().wait()
        while self._last == "drip":
            writer.write(b"2")
            await asyncio.sleep(0)
        if self._last == "half":
            writer.write(b"250-begun\r\n250 hal")
            return False
        if self._last == "flood":
            self._last = "250-" + "x" * 10_000_000
        writer.write(self._last.encode() + b"\r\n")
        await writer.drain()
        return not self._last.startswith("421")


@asynccontextmanager
async def scripted_relay(
    script: Script, *, tls: ssl.SSLContext | None = None, implicit: bool = False
) -> AsyncIterator[int]:
    """Listen with a script; yields the port. `tls` with `implicit` False is STARTTLS."""
    script.tls = None if implicit else tls
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script.serve(reader, writer)
        except asyncio.CancelledError:
            writer.close()

    server = await asyncio.start_server(
        serve, "127.0.0.1", 0, limit=2**24, ssl=tls if implicit else None
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def settings(port: int, **changes: Any) -> RelaySettings:
    """Those of a relay in clear on loopback."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": Security.NONE,
        "timeout_s": 5.0,
        "data_timeout_s": 5.0,
        "local_hostname": "sender.example",
    }
    return RelaySettings(**values | changes)


@asynccontextmanager
async def lent(
    server: AbstractAsyncContextManager[int], **changes: Any
) -> AsyncIterator[Connection]:
    """One connection to this server."""
    async with (
        server as port,
        Relay(settings(port, **changes)) as relay,
        relay.connection() as connection,
    ):
        yield connection


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run an async test; none may take longer than ten seconds."""

    async def limited() -> None:
        async with asyncio.timeout(10):
            await scenario()

    asyncio.run(limited())


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    certificate, key = folder / "relay.pem", folder / "relay.key"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    files = ("-keyout", str(key), "-out", str(certificate), "-days", "36500")
    command = ("openssl", "req", "-x509", *curve, *subject, *files)
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
