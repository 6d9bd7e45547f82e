"""What returned mail is read with, from the settings: the proofs, the policy, the mailbox."""

from typing import TYPE_CHECKING

from sqlmodel import Session

from digest.domain.deliveries import DeliveryId, Failed
from digest.domain.returns_policy import Policy
from digest.errors import ConfigError
from digest.mail import mailboxes
from digest.mail.imap import ImapSettings, watched_imap
from digest.mail.message import wire_address
from digest.mail.tokens import Tokens
from digest.mail.verp import Verp
from digest.services.bounce import Means, refused
from digest.services.postbox import Summary, read_mailbox
from digest.services.recorder import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest.app import App


def policy_of(app: "App") -> Policy:
    """When soft bounces are enough."""
    bounces = app.settings.bounces
    return Policy(soft_limit=bounces.soft_limit, soft_days=bounces.soft_days)


def verp_of(app: "App") -> Verp:
    """The envelope senders; VERP is off where no address is set to return to."""
    bounces = app.settings.bounces
    address = bounces.address or app.settings.sender.address
    enabled = bounces.verp and bool(address)
    return Verp(wire_address(address) if address else "", app.secrets.secret_keys, enabled)


def means_of(app: "App") -> Means:
    """What returned mail is proved and judged by."""
    return Means(
        verp=verp_of(app),
        tokens=Tokens(app.secrets.secret_keys),
        keys=app.keys,
        policy=policy_of(app),
    )


def refused_of(app: "App") -> Refused:
    """What follows from a refusal for good as a mail is sent."""
    keys, policy = app.keys, policy_of(app)

    def step(session: Session, delivery: DeliveryId, result: Failed) -> None:
        refused(
            session,
            delivery,
            result.code,
            result.reply,
            keys=keys,
            policy=policy,
            now=app.clock(),
            stage=result.stage,
        )

    return step


def is_configured(app: "App") -> bool:
    """Whether a mailbox is to be watched."""
    bounces = app.settings.bounces
    return bool(bounces.maildir or bounces.mbox or bounces.imap_host)


def mailbox_of(app: "App") -> mailboxes.Mails:
    """The mails of the watched mailbox that are not done with. Raises ConfigError without one."""
    bounces = app.settings.bounces
    if bounces.maildir:
        return mailboxes.watched_maildir(app.loaded.path(bounces.maildir))
    if bounces.mbox:
        return mailboxes.watched_mbox(app.loaded.path(bounces.mbox))
    if bounces.imap_host:
        return watched_imap(
            ImapSettings(
                host=bounces.imap_host,
                port=bounces.imap_port,
                username=bounces.imap_username,
                password=bounces.imap_password,
                folder=bounces.imap_folder,
            )
        )
    raise ConfigError(
        "no mailbox is set: set bounces.maildir, bounces.mbox or bounces.imap_host, or name files"
    )


def watch(app: "App", stop: "Callable[[], bool]" = lambda: False) -> Summary:
    """Read the watched mailbox once, as the daemon does every `bounces.every_minutes`.

    Raises ConfigError where none is set, MailError where it cannot be read, StoreError.
    """
    return read_mailbox(app.engine, mailbox_of(app), means_of(app), app.clock, stop)
