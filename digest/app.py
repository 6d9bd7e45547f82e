"""The composition root: settings → engine, sources, relay, clock. It alone chooses them."""

import os
import secrets
import socket
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Engine, make_url

from digest.domain.schedule import Schedule
from digest.domain.subscribers import Preferences, SubscriberId
from digest.errors import ConfigError, InvalidInput
from digest.services.subscribe import Keys
from digest.settings import Loaded, Settings, with_secrets
from digest.store.database import open_engine
from digest.store.version import is_newest

if TYPE_CHECKING:
    from digest.domain.limits import Limits
    from digest.mail.transport import Relay
    from digest.services.collect import PlannedSource
    from digest.services.compose import Composed, Composer
    from digest.services.deliver import Delivered
    from digest.services.mailroom import Mailroom
    from digest.services.trial import Trial
    from digest.sources.http import HttpClient


class App:
    """Everything the commands and the daemon stand on, made, and imported, when first asked for:
    a command that adds a subscriber need not wait for the ranker's libraries.

    `clock` gives the present UTC instant; tests and `--now` put another in its place.
    """

    def __init__(
        self, loaded: Loaded, clock: Callable[[], datetime], *, leaves_traces: bool = True
    ) -> None:
        """`leaves_traces` False is for dry runs: secrets that are missing are not kept."""
        self.loaded = loaded
        self.clock = clock
        self._leaves_traces = leaves_traces

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    @cached_property
    def raw_engine(self) -> Engine:
        """The engine, whatever schema the store has; for `init` and `db`."""
        return open_engine(self.loaded.store_url)

    @cached_property
    def engine(self) -> Engine:
        """The engine of a store whose schema is ours. Raises SchemaMismatch for any other."""
        if not is_newest(self.raw_engine):
            from digest.store import schema

            schema.require_known(self.raw_engine)
        return self.raw_engine

    @property
    def store_name(self) -> str:
        """Where the store is, without its password."""
        return make_url(self.loaded.store_url).render_as_string(hide_password=True)

    @cached_property
    def secrets(self) -> Settings:
        """The settings with `secret_keys` and `pepper` certainly set."""
        return with_secrets(self.loaded, keep=self._leaves_traces).settings

    @property
    def pepper(self) -> str:
        """The key of the hashes of addresses."""
        return self.secrets.pepper

    @property
    def keys(self) -> Keys:
        """What identifies addresses and mails."""
        return Keys(pepper=self.pepper, secret=self._secret, domain=self.mail_domain)

    @property
    def new_preferences(self) -> Preferences:
        """What a new subscriber gets who chose nothing else."""
        chosen = self.settings.defaults
        schedule = Schedule(timezone=chosen.timezone, hour=chosen.hour, frequency=chosen.frequency)
        return Preferences(schedule=schedule, max_papers=chosen.max_papers)

    @property
    def sources(self) -> "list[PlannedSource]":
        """The configured sources, each with its rhythm."""
        from digest.services.collect import PlannedSource
        from digest.sources.reader import SourceSpec

        return [
            PlannedSource(
                spec=SourceSpec(
                    name=source.name,
                    kind=source.kind,
                    url=source.url or None,
                    path=self.loaded.path(source.path) if source.path else None,
                ),
                every=timedelta(minutes=source.every_minutes),
            )
            for source in self.settings.sources
        ]

    @cached_property
    def http(self) -> "HttpClient":
        """The one polite client of all sources."""
        from digest.sources.http import HttpClient

        http = self.settings.http
        contact = http.contact or self.settings.sender.address
        return HttpClient(contact=contact, deadline_s=http.deadline_s)

    @cached_property
    def composer(self) -> "Composer":
        """Composes digests; keeps the corpus statistics between ticks."""
        from digest.services.compose import Composer, Policy

        ranking = self.settings.ranking
        policy = Policy(
            lookback_days=ranking.lookback_days,
            threshold=ranking.threshold,
            beyond=ranking.beyond,
            tier=ranking.tier,
            domain=self.mail_domain,
            secret=self._secret,
        )
        return Composer(self.engine, policy)

    @cached_property
    def mailroom(self) -> "Mailroom":
        """Puts mails into words and bytes. Raises ConfigError where no sender is set, and for a key
        or a colour that cannot be used.
        """
        from digest.mail.keys import load_signer, signing_domain
        from digest.mail.links import Site
        from digest.mail.render import Renderer
        from digest.mail.theme import Theme
        from digest.mail.tokens import Tokens
        from digest.mail.views import Identity
        from digest.returns import verp_of
        from digest.services.mailroom import Mailroom

        settings, address = self.settings, self._sender_address
        dkim, folder = settings.dkim, settings.templates.folder
        signer = load_signer(
            signing_domain(dkim.domain, address),
            dkim.selector,
            self.loaded.file(dkim.key_file),
            dkim.ed25519_selector,
            self.loaded.file(dkim.ed25519_key_file),
        )
        return Mailroom(
            renderer=Renderer(self.loaded.file(folder), Theme(**settings.theme.model_dump())),
            tokens=Tokens(self.secrets.secret_keys),
            site=Site(url=settings.site.url or None),
            identity=Identity(**settings.sender.model_dump()),
            signer=signer,
            verp=verp_of(self),
            leave_at=settings.bounces.address,
        )

    def compose(self, *, stop: Callable[[], bool] = lambda: False) -> "Composed":
        """Digests of who is due into the ledger."""
        from digest.services.compose import Who

        return self.composer.compose(Who(), self.clock(), stop=stop)

    def deliver(
        self,
        *,
        limit: int | None = None,
        only: Sequence[SubscriberId] = (),
        insist: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> "Delivered":
        """Send what the ledger holds and is due, `only` to these subscribers where any is named.

        `insist` tries also a relay that is given a rest.
        """
        from digest.returns import refused_of
        from digest.services.deliver import DeliverOptions, Post, deliver

        delivery = self.settings.delivery
        options = DeliverOptions(
            owner=f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}",
            lease=timedelta(seconds=delivery.lease_s),
            claim=delivery.claim,
            connections=self.settings.smtp.connections,
            pepper=self.pepper,
            limit=limit,
            only=tuple(only),
            limits=self.limits,
            give_up_after=timedelta(hours=delivery.give_up_hours),
            insist=insist,
        )
        post = Post(
            engine=self.engine,
            relay=self._relay,
            mailroom=self.mailroom,
            clock=self.clock,
            wall=lambda: datetime.now(UTC),
            refused=refused_of(self),
        )
        return deliver(post, options, stop)

    def send_copies(
        self, emails: Sequence[str], digest_on: date | None, *, dry_run: bool = False
    ) -> "list[Trial]":
        """Send these subscribers test copies of their digest; the store is only read."""
        from digest.services.preview import Desk
        from digest.services.trial import Bench, send_copies

        bench = Bench(
            desk=Desk(engine=self.engine, composer=self.composer, mailroom=self.mailroom),
            relay=self._relay,
            sender=self.settings.bounces.address or self._sender_address,
            pepper=self.pepper,
            mark=lambda: secrets.token_hex(20),
        )
        return send_copies(bench, emails, self.clock(), digest_on, dry_run=dry_run)

    @property
    def limits(self) -> "Limits":
        """The limits of sending. Raises ConfigError for a rate or a domain that is none."""
        from digest.domain.limits import Limits, Rate

        limits = self.settings.limits
        try:
            return Limits.of(
                Rate(per_second=limits.per_second, per_hour=limits.per_hour),
                {name: Rate(**rate.model_dump()) for name, rate in limits.domains.items()},
                limits.connections,
            )
        except InvalidInput as exc:
            raise ConfigError(f"limits: {exc}") from exc

    @property
    def mail_domain(self) -> str:
        """The domain of the sender's address, in ASCII: it stands in every Message-ID."""
        from digest.mail.message import wire_address

        address = self.settings.sender.address
        return wire_address(address).rpartition("@")[2] if address else socket.getfqdn()

    @property
    def _secret(self) -> str:
        return self.secrets.secret_keys[0]

    @property
    def _sender_address(self) -> str:
        address = self.settings.sender.address
        if not address:
            raise ConfigError(
                "sender.address is not set: write the address the mails come from into config.toml"
            )
        return address

    def _relay(self) -> "Relay":
        from digest.mail.transport import Relay, RelaySettings

        smtp = self.settings.smtp
        return Relay(
            RelaySettings(
                host=smtp.host,
                port=smtp.effective_port,
                security=smtp.security,
                username=smtp.username or None,
                password=smtp.password or None,
                connections=smtp.connections,
                timeout_s=smtp.timeout_s,
                data_timeout_s=smtp.data_timeout_s,
                local_hostname=smtp.local_hostname or None,
                ca_file=str(ca_file) if (ca_file := self.loaded.file(smtp.ca_file)) else None,
            )
        )
