"""The composition root: settings → engine, sources, relay, clock. It alone chooses them."""

import os
import secrets
import socket
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

from sqlalchemy import Engine, make_url

from digest.domain.schedule import Schedule
from digest.domain.subscribers import Preferences, SubscriberId
from digest.services.subscribe import Keys
from digest.settings import Loaded, Settings, with_secrets
from digest.store.clock import StoreClock, steady
from digest.store.database import open_engine
from digest.store.version import is_usable

if TYPE_CHECKING:
    from digest.domain.retention import Policy as Retention
    from digest.mail.mailboxes import Mails
    from digest.mail.tokens import Tokens
    from digest.services.bounce import Means
    from digest.services.collect import Collected, PlannedSource
    from digest.services.compose import Composed, Composer, Policy
    from digest.services.deliver import Delivered
    from digest.services.mailroom import Mailroom
    from digest.services.on_demand import OnDemand
    from digest.services.postbox import Summary
    from digest.services.prune import Pruned
    from digest.services.trial import Trial
    from digest.services.window import Window
    from digest.sources.http import HttpClient


_RANKING = ("ranking", "sender", "secret_keys")  # what a composer's policy is made of


class App:
    """Everything the commands and the daemon stand on, made, and imported, when first asked for:
    a command that adds a subscriber need not wait for the ranker's libraries.

    `clock` gives the present UTC instant; tests and `--now` put another in its place. Where it is
    `present`, what is due goes by the store's clock, so that a host whose own is wrong neither
    sends early nor stands still.
    """

    def __init__(
        self, loaded: Loaded, clock: Callable[[], datetime], *, leaves_traces: bool = True
    ) -> None:
        """`leaves_traces` False is for dry runs: secrets that are missing are not kept."""
        self.loaded = loaded
        self.clock = clock
        self._leaves_traces = leaves_traces
        self._composed_at = 0.0

    def renewed(self, loaded: Loaded) -> "App":
        """An app over other settings, on the same store, with what still holds of this one."""
        fresh = App(loaded, self.clock, leaves_traces=self._leaves_traces)
        fresh.raw_engine = self.raw_engine
        same = all(
            getattr(fresh.settings, name) == getattr(self.settings, name) for name in _RANKING
        )
        if same and "composer" in self.__dict__:
            fresh.composer = self.composer
        if same and "window" in self.__dict__:
            fresh.window = self.window
        asks_alike = fresh.settings.http == self.settings.http
        if "http" in self.__dict__ and asks_alike and fresh.mail_domain == self.mail_domain:
            fresh.http = self.http  # it knows whom it asked last
        return fresh

    def check(self) -> None:
        """Raise what can be wrong with the settings and is found only where they are used."""
        from digest import parts

        parts.limits(self.settings)
        if self.settings.sender.address:
            self.mailroom.check()
        _ = self.composer.note  # a tier that cannot be had

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    @cached_property
    def raw_engine(self) -> Engine:
        """The engine, whatever schema the store has; for `init` and `db`."""
        lease = timedelta(seconds=self.settings.delivery.lease_s)
        return open_engine(self.loaded.store_url, lease)

    @cached_property
    def engine(self) -> Engine:
        """The engine of a store that this program can use. Raises SchemaMismatch for any other."""
        if not is_usable(self.raw_engine):
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
                every=timedelta(minutes=source.every_minutes) or None,
            )
            for source in self.settings.sources
        ]

    @cached_property
    def http(self) -> "HttpClient":
        """The one polite client of all sources."""
        from digest.sources.destinations import Allowed
        from digest.sources.http import HttpClient

        http = self.settings.http
        contact = http.contact or self.settings.sender.address
        allowed = Allowed.of(http.allow_private)
        return HttpClient(contact=contact, deadline_s=http.deadline_s, allowed=allowed)

    def wall(self) -> StoreClock:
        """The clock that leases go by, the same on all hosts."""
        return StoreClock(self.engine, present)

    def collect(self, *, stop: Callable[[], bool] = lambda: False) -> "list[Collected]":
        """Ask the sources that are due, unless another process does."""
        from digest.services.collect import collect_due

        return collect_due(
            self.engine,
            self.sources,
            self.http,
            self.clock,
            owner=_owner(),
            wall=self.wall(),
            stop=stop,
        )

    @cached_property
    def composer(self) -> "Composer":
        """Composes digests; keeps the corpus statistics between ticks."""
        from digest.services.compose import Composer

        return Composer(self.engine, self._policy)

    @property
    def _policy(self) -> "Policy":
        from digest.services.compose import Policy

        ranking = self.settings.ranking
        return Policy(
            lookback_days=ranking.lookback_days,
            threshold=ranking.threshold,
            beyond=ranking.beyond,
            tier=ranking.tier,
            domain=self.mail_domain,
            secret=self._secret,
        )

    @cached_property
    def window(self) -> "OnDemand":
        """The papers of the day for the pages; opened when somebody looks."""
        from digest.services.on_demand import OnDemand

        return OnDemand(self._make_window)

    def _make_window(self) -> "Window":
        from digest.services.window import Window

        return Window(self.engine, self._policy, self.clock)

    @cached_property
    def mailroom(self) -> "Mailroom":
        """Puts mails into words and bytes. Raises ConfigError where no sender is set, and for a key
        or a colour that cannot be used.
        """
        from digest import parts

        return parts.mailroom(self.loaded, self.secrets.secret_keys)

    @property
    def tokens(self) -> "Tokens":
        """Signs and reads the tokens of links."""
        from digest.mail.tokens import Tokens

        return Tokens(self.secrets.secret_keys)

    @property
    def means(self) -> "Means":
        """What returned mail is proved and judged by."""
        from digest import parts

        return parts.means(self.settings, self.secrets.secret_keys, self.keys)

    @property
    def mailbox(self) -> "Mails":
        """What is new in the watched mailbox. Raises ConfigError where none is set."""
        from digest import parts

        return parts.mailbox(self.loaded)

    @property
    def watches_mailbox(self) -> bool:
        """Whether a mailbox is to be watched."""
        from digest import parts

        return parts.watches_mailbox(self.settings)

    def read_mailbox(self, stop: Callable[[], bool] = lambda: False) -> "Summary":
        """Read the watched mailbox once and do what follows.

        Raises ConfigError where none is set, MailError where it cannot be read.
        """
        from digest.services.postbox import read_mailbox

        return read_mailbox(self.engine, self.mailbox, self.means, self.clock, stop)

    def _due_at(self) -> datetime:
        """The instant by which a subscriber is due or not."""
        return self.wall()() if self.clock is present else self.clock()

    def anyone_due(self) -> bool:
        """Whether there is anybody to compose for; a look that needs no ranker."""
        from digest.store.database import reading
        from digest.store.due import anyone_due

        with reading(self.engine) as session:
            return anyone_due(session, self._due_at())

    def compose(self, *, stop: Callable[[], bool] = lambda: False) -> "Composed":
        """Digests of who is due into the ledger."""
        from digest.services.compose import Who

        self._composed_at = steady()
        return self.composer.compose(Who(), self._due_at(), stop=stop)

    def forget_ranking_after(self, idle: timedelta) -> None:
        """Give back what the ranker learnt where nothing was composed for so long."""
        if "composer" in self.__dict__ and steady() - self._composed_at >= idle.total_seconds():
            from digest.services.memory import give_back

            del self.composer
            give_back()

    @property
    def retention(self) -> "Retention":
        """For how long what is kept."""
        from digest.domain.retention import Keep, Policy

        return Policy(
            keep=Keep(**self.settings.retention.model_dump(exclude={"hour"})),
            lookback_days=self.settings.ranking.lookback_days,
            soft_days=self.settings.bounces.soft_days,
        )

    def prune(self, *, dry_run: bool = False, stop: Callable[[], bool] = lambda: False) -> "Pruned":
        """Forget what is no longer kept."""
        from digest.services.prune import prune

        return prune(self.engine, self.retention, self.clock(), dry_run=dry_run, stop=stop)

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
        from digest import parts
        from digest.services.deliver import DeliverOptions, Post, deliver

        delivery = self.settings.delivery
        wall = self.wall()
        options = DeliverOptions(
            owner=_owner(),
            lease=timedelta(seconds=delivery.lease_s),
            claim=delivery.claim,
            connections=self.settings.smtp.connections,
            pepper=self.pepper,
            limit=limit,
            only=tuple(only),
            limits=parts.limits(self.settings),
            give_up_after=timedelta(hours=delivery.give_up_hours),
            insist=insist,
        )
        post = Post(
            engine=self.engine,
            relay=partial(parts.relay, self.loaded),
            mailroom=self.mailroom,
            clock=wall if self.clock is present else self.clock,
            wall=wall,
            sync=wall.sync,
            refused=parts.refusals(self.settings, self.keys, self.clock),
        )
        return deliver(post, options, stop)

    def send_copies(
        self, emails: Sequence[str], digest_on: date | None, *, dry_run: bool = False
    ) -> "list[Trial]":
        """Send these subscribers test copies of their digest; the store is only read."""
        from digest import parts
        from digest.services.preview import Desk
        from digest.services.trial import Bench, send_copies

        bench = Bench(
            desk=Desk(engine=self.engine, composer=self.composer, mailroom=self.mailroom),
            relay=partial(parts.relay, self.loaded),
            sender=self.settings.bounces.address or parts.sender_address(self.settings),
            pepper=self.pepper,
            mark=lambda: secrets.token_hex(20),
        )
        return send_copies(bench, emails, self.clock(), digest_on, dry_run=dry_run)

    @property
    def mail_domain(self) -> str:
        """The domain of the sender's address, in ASCII: it stands in every Message-ID."""
        from digest.mail.message import wire_address

        address = self.settings.sender.address
        return wire_address(address).rpartition("@")[2] if address else socket.getfqdn()

    @property
    def _secret(self) -> str:
        return self.secrets.secret_keys[0]


def _owner() -> str:
    """Names this run of this process: where it is, and no other like it."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def present() -> datetime:
    """The present instant by this host's clock, in UTC."""
    return datetime.now(UTC)
