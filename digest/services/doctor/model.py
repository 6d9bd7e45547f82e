"""What the doctor is told of the settings, and the world that it asks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path

from sqlalchemy import Engine

from digest.domain.checkup import Area, Finding
from digest.domain.relay import LOOPBACK
from digest.errors import DigestError, InvalidInput
from digest.mail.handshake import RelaySettings
from digest.mail.message import wire_address
from digest.services.doctor.dns import Dns, Ip
from digest.services.doctor.web import Web
from digest.sources.http import HttpClient
from digest.sources.reader import SourceSpec

DEADLINE_S = 5.0
AGAIN = "run 'digest doctor' again where there is network"


class NotAsked(DigestError):
    """It was not looked at, and why; `mend` says what has to be there first."""

    def __init__(self, text: str, mend: str = AGAIN) -> None:
        super().__init__(text)
        self.mend = mend


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigFacts:
    """Where the settings came from, and which of the secrets are set."""

    config_file: Path | None
    secrets_file: Path
    warnings: tuple[str, ...]
    has_keys: bool
    has_pepper: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreFacts:
    """The store: `path` of its SQLite file, None for PostgreSQL; `name` for people.
    `is_shared` tells that several hosts may use it.

    `engine` is opened when first asked for; it may raise ConfigError.
    """

    name: str
    path: Path | None
    engine: Callable[[], Engine]
    is_shared: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """Whose name the mails bear (`address`), and where they return to (`bounces`); may be empty."""

    address: str
    bounces: str

    @property
    def domain(self) -> str:
        """The domain of From, in ASCII; empty where no address is set."""
        return _domain(self.address)

    @property
    def return_domain(self) -> str:
        """The domain of the envelope, which SPF is about (RFC 7208 §2.4)."""
        return _domain(self.bounces) or self.domain


@dataclass(frozen=True, kw_only=True, slots=True)
class Dkim:
    """The keys as configured; `domain` empty means the sender's."""

    domain: str
    selector: str
    key_file: Path | None
    ed25519_selector: str
    ed25519_key_file: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pages:
    """Where the pages are served, and under which public address (empty: none)."""

    url: str
    host: str
    port: int
    trusts_proxies: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Hooks:
    """The providers' webhooks; `read_sendgrid_key` raises ConfigError for a key that is none."""

    ses_topics: tuple[str, ...]
    sendgrid_key: str
    postmark_username: str
    postmark_password: str = field(repr=False)
    read_sendgrid_key: Callable[[str], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Everything outside: DNS, the web, the clock, and whether the kernel says that it is kept
    right (None where it does not say).
    """

    dns: Dns
    web: Web
    http: HttpClient
    clock: Callable[[], datetime]
    synchronised: Callable[[], bool | None]
    host_name: Callable[[], str]
    is_public: Callable[[Ip], bool] = attrgetter("is_global")
    offline: bool = False
    deadline_s: float = DEADLINE_S

    def require_network(self) -> None:
        """Raise NotAsked where the network is not to be, or cannot be, asked."""
        if self.offline:
            raise NotAsked("not asked: --offline")
        if not self.dns.is_up:
            raise NotAsked("not asked: no network, by what DNS says")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkup:
    """All that is looked at. `secrets` never stand in a finding, whoever quotes them."""

    config: ConfigFacts
    store: StoreFacts
    sender: Sender
    relay: RelaySettings
    dkim: Dkim
    pages: Pages
    hooks: Hooks
    sources: tuple[SourceSpec, ...]
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def relay_is_near(self) -> bool:
        """Whether the relay is on this machine."""
        return self.relay.host in LOOPBACK or self.relay.host.startswith("127.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing to look at. `run` yields findings as it makes them; `extra` is added to its
    deadline where it has to wait for its turn; `late` is told where it finds nothing in time.
    """

    area: Area
    name: str
    run: Callable[[], Iterable[Finding]]
    extra: timedelta = timedelta(0)
    late: Finding | None = None


def _domain(address: str) -> str:
    try:
        return wire_address(address).rpartition("@")[2].lower() if address else ""
    except InvalidInput:
        return ""
