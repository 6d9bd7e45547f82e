"""The parts of mail, made from the settings: what signs, renders, sends, limits and reads it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlmodel import Session

from digest.domain.deliveries import DeliveryId, Failed
from digest.domain.limits import Limits, Rate
from digest.domain.returns_policy import Policy
from digest.errors import ConfigError, InvalidInput
from digest.mail import mailboxes
from digest.mail.imap import ImapSettings, watched_imap
from digest.mail.keys import load_signer, signing_domain
from digest.mail.links import Site
from digest.mail.message import wire_address
from digest.mail.render import Renderer
from digest.mail.theme import Theme
from digest.mail.tokens import Tokens
from digest.mail.transport import Relay, RelaySettings
from digest.mail.verp import Verp
from digest.mail.views import Identity
from digest.services.bounce import Means, refused
from digest.services.mailroom import Mailroom
from digest.services.recorder import Refused
from digest.services.subscribe import Keys
from digest.settings import Loaded, Settings


def sender_address(settings: Settings) -> str:
    """The address the mails come from. Raises ConfigError where none is set."""
    if not settings.sender.address:
        raise ConfigError(
            "sender.address is not set: write the address the mails come from into config.toml"
        )
    return settings.sender.address


def mailroom(loaded: Loaded, secret_keys: Sequence[str]) -> Mailroom:
    """Puts mails into words and bytes.

    Raises ConfigError where no sender is set, and for a key or a colour that cannot be used.
    """
    settings, address = loaded.settings, sender_address(loaded.settings)
    dkim = settings.dkim
    signer = load_signer(
        signing_domain(dkim.domain, address),
        dkim.selector,
        loaded.file(dkim.key_file),
        dkim.ed25519_selector,
        loaded.file(dkim.ed25519_key_file),
    )
    theme = Theme(**settings.theme.model_dump())
    return Mailroom(
        renderer=Renderer(loaded.file(settings.templates.folder), theme),
        tokens=Tokens(secret_keys),
        site=Site(url=settings.site.url or None),
        identity=Identity(**settings.sender.model_dump()),
        signer=signer,
        verp=verp(settings, secret_keys),
        leave_at=settings.bounces.address,
    )


def relay(loaded: Loaded) -> Relay:
    """The way to the relay."""
    return Relay(relay_settings(loaded))


def relay_settings(loaded: Loaded) -> RelaySettings:
    """Where the relay is and how it is spoken to."""
    smtp = loaded.settings.smtp
    ca_file = loaded.file(smtp.ca_file)
    return RelaySettings(
        host=smtp.host,
        port=smtp.effective_port,
        security=smtp.security,
        username=smtp.username or None,
        password=smtp.password or None,
        connections=smtp.connections,
        timeout_s=smtp.timeout_s,
        data_timeout_s=smtp.data_timeout_s,
        local_hostname=smtp.local_hostname or None,
        ca_file=str(ca_file) if ca_file else None,
        messages_per_connection=smtp.messages_per_connection,
    )


def limits(settings: Settings) -> Limits:
    """The limits of sending. Raises ConfigError for a rate or a domain that is none."""
    chosen = settings.limits
    try:
        return Limits.of(
            Rate(per_second=chosen.per_second, per_hour=chosen.per_hour),
            {name: Rate(**rate.model_dump()) for name, rate in chosen.domains.items()},
            chosen.connections,
        )
    except InvalidInput as exc:
        raise ConfigError(f"limits: {exc}") from exc


def verp(settings: Settings, secret_keys: Sequence[str]) -> Verp:
    """The envelope senders; VERP is off where no address is set to return to."""
    address = settings.bounces.address or settings.sender.address
    enabled = settings.bounces.verp and bool(address)
    return Verp(wire_address(address) if address else "", secret_keys, enabled)


def bounce_policy(settings: Settings) -> Policy:
    """When soft bounces are enough."""
    bounces = settings.bounces
    return Policy(soft_limit=bounces.soft_limit, soft_days=bounces.soft_days)


def means(settings: Settings, secret_keys: Sequence[str], keys: Keys) -> Means:
    """What returned mail is proved and judged by."""
    return Means(
        verp=verp(settings, secret_keys),
        tokens=Tokens(secret_keys),
        keys=keys,
        policy=bounce_policy(settings),
    )


def refusals(settings: Settings, keys: Keys, clock: Callable[[], datetime]) -> Refused:
    """What follows from a refusal for good as a mail is sent."""
    policy = bounce_policy(settings)

    def step(session: Session, delivery: DeliveryId, result: Failed) -> None:
        refused(
            session,
            delivery,
            result.code,
            result.reply,
            keys=keys,
            policy=policy,
            now=clock(),
            stage=result.stage,
        )

    return step


def watches_mailbox(settings: Settings) -> bool:
    """Whether a mailbox is to be watched."""
    bounces = settings.bounces
    return bool(bounces.maildir or bounces.mbox or bounces.imap_host)


def mailbox(loaded: Loaded) -> mailboxes.Mails:
    """The mails of the watched mailbox that are not done with. Raises ConfigError without one."""
    bounces = loaded.settings.bounces
    if bounces.maildir:
        return mailboxes.watched_maildir(loaded.path(bounces.maildir))
    if bounces.mbox:
        return mailboxes.watched_mbox(loaded.path(bounces.mbox))
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
