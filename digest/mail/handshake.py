"""How a connection to the relay is made: connect, say hello, start TLS, log in, on aiosmtplib.

Then the transport is taken over by our own Wire: see dialogue.
"""

import asyncio
import base64
import ipaddress
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException

from digest.domain.relay import Security
from digest.errors import RelayError
from digest.faultpoints import reach
from digest.mail.envelope import Offers
from digest.mail.replies import said
from digest.mail.wire import Wire, transport_of

_FAULTS = (SMTPException, OSError, ValueError)
# "localhost.localdomain" and a name from a reverse zone are not ours in anybody's eyes
_FQDN = re.compile(r"(?!.*\.(?:localdomain|arpa)$)[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)


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
    password: str | None = field(default=None, repr=False)
    connections: int = 4
    timeout_s: float = 60.0
    data_timeout_s: float = 600.0
    local_hostname: str | None = None
    ca_file: str | None = None
    messages_per_connection: int = 0


class Handshake:
    """Makes connections by one relay's settings; our name and the trusted authorities are looked up
    once, and a password that the first login shows to be wrong is not tried again: a relay may shut
    out who tries it eight times in a run.
    """

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._tls: ssl.SSLContext | None = None
        self._name = settings.local_hostname or None  # empty once it is known that we have none
        self._first_login = asyncio.Lock()
        self._has_tried = False
        self._refusal = ""  # what the relay said of our password

    async def connect(self) -> tuple[Wire, Offers]:
        """A connection that is ready for an envelope, and what the relay offers.

        Raises RelayError, which says what to check. Cancelled, it leaves no connection behind.
        """
        settings = self._settings
        self._spare_the_relay()
        try:
            await self._look_up()
            client = self._client()
            try:
                await self._greet(client)
                return _taken_over(client)
            except BaseException:
                _cut(client)
                raise
        except _FAULTS as exc:
            raise RelayError(
                f"the relay {settings.host}:{settings.port} cannot be used "
                f"({settings.security.value}): {said(str(exc))}; "
                "check smtp.host, smtp.port and smtp.security"
            ) from exc

    async def _look_up(self) -> None:
        async with self._lock:
            if self._name is None:
                found = await asyncio.to_thread(socket.getfqdn)
                self._name = found if _FQDN.fullmatch(found) else ""
            if not self._tls and self._settings.security is not Security.NONE:
                self._tls = await asyncio.to_thread(_trusting, self._settings.ca_file)

    def _client(self) -> SMTP:
        settings = self._settings
        return SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=settings.timeout_s,
            use_tls=settings.security is Security.TLS,
            start_tls=False,
            tls_context=self._tls,
            local_hostname=self._name or "localhost",  # never said: see _hello
        )

    async def _greet(self, client: SMTP) -> None:
        """In this order: the password goes only under TLS."""
        settings = self._settings
        reach("mail.handshake.connect")
        await client.connect()
        reach("mail.handshake.connected")
        await self._hello(client)
        if settings.security is Security.STARTTLS:
            if not client.supports_extension("starttls"):
                raise RelayError(
                    f"the relay {settings.host}:{settings.port} offers no STARTTLS, so nothing was "
                    "sent, no password either: set smtp.security to 'tls', or mend the relay"
                )
            await client.starttls()
            reach("mail.handshake.secured")
            await self._hello(client)
        if settings.username:
            await self._log_in(client)

    async def _hello(self, client: SMTP) -> None:
        name = self._name or address_literal(client.get_transport_info("sockname")[0])
        try:
            await client.ehlo(hostname=name)
        except SMTPResponseException as exc:
            if not 500 <= exc.code < 600:  # only a relay that does not know EHLO (RFC 5321 §3.2)
                raise
            await client.helo(hostname=name)
        reach("mail.handshake.greeted")

    async def _log_in(self, client: SMTP) -> None:
        """The first login goes alone."""
        async with self._first_login:
            if not self._has_tried:
                try:
                    return await self._authenticate(client)
                finally:
                    self._has_tried = True
        self._spare_the_relay()
        await self._authenticate(client)

    async def _authenticate(self, client: SMTP) -> None:
        settings, tried_before = self._settings, self._has_tried
        try:
            await client.login(settings.username or "", settings.password or "")
            reach("mail.handshake.logged_in")
        except SMTPException as exc:
            answer = f"{exc.code} {exc.message}" if isinstance(exc, SMTPResponseException) else exc
            text = (
                f"the relay {settings.host}:{settings.port} refused the login: "
                f"{_discreet(said(str(answer)), settings)}; check smtp.username and smtp.password"
            )
            # where one login was taken, a later refusal is about something else, such as a limit
            if isinstance(exc, SMTPAuthenticationError) and exc.code >= 500 and not tried_before:
                self._refusal = text
            raise RelayError(text) from None  # what the relay said may repeat the password

    def _spare_the_relay(self) -> None:
        """Raise RelayError where it has refused our password."""
        if self._refusal:
            raise RelayError(self._refusal)


def _discreet(answer: str, settings: RelaySettings) -> str:
    """The relay's words but for those that repeat the login: some quote a command they do not take
    (RFC 4954 §4 and RFC 4616 say how it is written).
    """
    user, password = (settings.username or "").encode(), (settings.password or "").encode()
    written = [password, *map(base64.b64encode, (password, b"\0" + user + b"\0" + password))]
    secrets = [one.decode(errors="replace") for one in written]
    return " ".join("…" if _tells(word, secrets) else word for word in answer.split())


def _tells(word: str, secrets: Sequence[str]) -> bool:
    """Whether the word holds one of the secrets, or the beginning of one."""
    bare = word.strip("\"'`<>()[].,;:")
    return any(one in word or (len(bare) > 3 and one.startswith(bare)) for one in secrets if one)


def address_literal(address: str) -> str:
    """What a client without a name of its own says in EHLO (RFC 5321 §4.1.3)."""
    bare = ipaddress.ip_address(address.partition("%")[0])
    return f"[IPv6:{bare}]" if bare.version == 6 else f"[{bare}]"


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """The system's authorities and those in the file; the name is checked too."""
    context = ssl.create_default_context()
    try:
        if ca_file:
            context.load_verify_locations(cafile=ca_file)
    except OSError as exc:  # ssl.SSLError is one
        raise RelayError(
            f"smtp.ca_file {ca_file} is no file of PEM certificates: {said(str(exc))}"
        ) from exc
    return context


def _taken_over(client: SMTP) -> tuple[Wire, Offers]:
    """Raises ConnectionError where the relay said more than it was asked.

    Octets that are left over could be taken for the answer to our first command.
    """
    transport = transport_of(client.transport)
    if client.protocol is None or client.protocol._buffer:
        raise ConnectionResetError("the relay said more than it was asked")
    return Wire.take_over(transport), Offers.read(client.esmtp_extensions)


def _cut(client: SMTP) -> None:
    transport = client.transport
    client.close()
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
