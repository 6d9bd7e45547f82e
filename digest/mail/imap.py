"""A folder on an IMAP server, over TLS alone; what is done with is marked seen."""

import imaplib
import ssl
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError
from imap_tools.mailbox import MailBox

from digest.errors import ConfigError, MailError
from digest.mail.mailboxes import MAIL_MOST, Found, Mails

TIMEOUT_S = 60.0
LITERAL_MOST = MAIL_MOST + 65_536  # no server has to send more than was asked for
MARKED_AT_ONCE = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class ImapSettings:
    """Which folder of which account; the password is never shown."""

    host: str
    username: str
    password: str = field(repr=False)
    port: int = 993
    folder: str = "INBOX"


class _Client(imaplib.IMAP4_SSL):
    """A client that makes no room for whatever length a server announces."""

    def read(self, size: int) -> bytes:
        if size > LITERAL_MOST:
            raise self.abort(f"it announces {size} bytes where {MAIL_MOST} at most were asked for")
        return super().read(size)


class _Box(MailBox):
    def _get_mailbox_client(self) -> imaplib.IMAP4:
        return _Client(self._host, self._port, ssl_context=self._ssl_context, timeout=self._timeout)


def watched_imap(settings: ImapSettings, trust: ssl.SSLContext | None = None) -> Mails:
    """The mails of the folder that were not seen yet, in the order of arrival; done with, they are
    marked \\Seen, and nothing else is changed.

    `trust` None trusts the certificates that this machine does. Raises ConfigError, and MailError
    for a server that cannot be reached, trusted or logged into, or has no such folder.
    """
    _check(settings)
    with _errors(settings):
        box = _Box(
            settings.host,
            settings.port,
            timeout=TIMEOUT_S,
            ssl_context=trust or ssl.create_default_context(),
        )
        try:
            _log_in(box, settings)
            box.folder.set(settings.folder)
            with closing(_unseen(box)) as mails:
                yield from mails
        finally:
            with suppress(ImapToolsError, imaplib.IMAP4.error, OSError):
                box.logout()  # what matters is done; the server hangs up by itself, too


def _check(settings: ImapSettings) -> None:
    if not settings.username or not settings.password:
        raise ConfigError(
            "bounces.imap_host is set without bounces.imap_username and bounces.imap_password: "
            "set both (the password best as DIGEST_BOUNCES__IMAP_PASSWORD)"
        )
    if any(ord(c) < 32 or ord(c) == 127 for c in settings.username + settings.password):
        raise ConfigError(
            "bounces.imap_username or bounces.imap_password holds a control character: "
            "write one plain line"
        )


def _log_in(box: MailBox, settings: ImapSettings) -> None:
    plain = (settings.username + settings.password).isascii()
    log_in = box.login if plain else box.login_utf8
    try:
        log_in(settings.username, settings.password, initial_folder=None)
    except (MailboxLoginError, imaplib.IMAP4.error) as exc:
        if isinstance(exc, imaplib.IMAP4.abort):
            raise
        # without the server's words, which may repeat the password
        raise MailError(
            f"the IMAP server {settings.host} refused the login of {settings.username}: check "
            "bounces.imap_username and bounces.imap_password"
        ) from None


def _unseen(box: MailBox) -> Generator[Found, None, None]:
    """The unseen mails one by one; those done with are marked in batches, and at the end."""
    seen: list[str] = []
    try:
        for uid in box.uids("UNSEEN", charset=None):
            # PEEK: only what is done with becomes seen
            _, answer = box.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MAIL_MOST}>)")
            raw = next((part[1] for part in answer or () if isinstance(part, tuple)), None)
            if raw is None:
                continue  # another reader has taken it away
            yield Found(name=f"uid {uid}", raw=raw, done=partial(seen.append, uid))
            if len(seen) >= MARKED_AT_ONCE:
                _mark(box, seen)
    finally:
        _mark(box, seen)


def _mark(box: MailBox, seen: list[str]) -> None:
    """Mark mails \\Seen; not by imap-tools' `flag`, which expunges what others marked deleted."""
    if seen:
        kind, answer = box.client.uid("STORE", ",".join(seen), "+FLAGS.SILENT", r"(\Seen)")
        if kind != "OK":
            raise imaplib.IMAP4.error(f"STORE: {answer!r}")
        seen.clear()


@contextmanager
def _errors(settings: ImapSettings) -> Iterator[None]:
    """Say plainly what the server, the network or the certificate is to blame for."""
    where = f"the IMAP server {settings.host}:{settings.port}"
    try:
        yield
    except ssl.SSLCertVerificationError as exc:
        raise MailError(
            f"{where} shows a certificate that cannot be trusted ({exc.verify_message}): nothing "
            "was sent to it; correct bounces.imap_host or the server's certificate"
        ) from exc
    except ssl.SSLError as exc:
        raise MailError(
            f"{where} does not speak TLS there ({exc.reason or 'handshake failed'}): nothing was "
            "sent to it; bounces.imap_port wants the TLS port, usually 993"
        ) from exc
    except MailboxFolderSelectError as exc:
        raise MailError(
            f"{where} has no folder {settings.folder!r} for {settings.username}: correct "
            "bounces.imap_folder"
        ) from exc
    except TimeoutError as exc:
        raise MailError(f"{where} does not answer") from exc
    except OSError as exc:
        raise MailError(f"{where} cannot be reached: {exc.strerror or exc}") from exc
    except (ImapToolsError, imaplib.IMAP4.error) as exc:
        said = " ".join(str(exc).split()).replace(settings.password, "…")
        raise MailError(f"{where} failed: {said[:200]}") from exc
