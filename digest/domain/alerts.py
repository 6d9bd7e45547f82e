"""When the operator must be told of something, and what of it is news: facts in, alarms out."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.domain.checkup import Level, space

# Greylisting and short trouble of a relay are over by then, and no matter for a person.
STUCK_AFTER = timedelta(hours=1)
FAILURES_WITHIN = timedelta(hours=6)
FAILURES_LEAST = 10
HELD_WITHIN = timedelta(hours=24)
# The pauses of 1, 2, 4 and 8 minutes: about a quarter of an hour without any mail taken.
PAUSES_LEAST = 4
REMIND_AFTER = timedelta(hours=24)
# What comes and goes is one alarm, and not a mail each time.
CALM = timedelta(minutes=30)
# A host that was taken away says no more that its disk is well.
FORGOTTEN_AFTER = timedelta(days=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """From when on it is worth a mail; `failure_rate` is a share, 0 to 1."""

    source_days: int = 3
    late_hours: float = 2.0
    failure_rate: float = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFact:
    """A configured source that was asked before: since when it has worked no more, and its last
    words. `good_at` is its last success, or the first time that it was asked.
    """

    name: str
    good_at: datetime
    outcome: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Late:
    """How many are overdue, and since when the oldest one is."""

    count: int
    oldest_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What became of the mails queued lately: `stuck` are deferred since longer than an hour, or
    held.
    """

    sent: int = 0
    failed: int = 0
    stuck: int = 0

    @property
    def tried(self) -> int:
        """Mails whose end is known, or that should have one by now."""
        return self.sent + self.failed + self.stuck

    @property
    def rate(self) -> float:
        """The share that did not arrive, 0 to 1."""
        return (self.failed + self.stuck) / self.tried if self.tried else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RelayFact:
    """How many pauses in a row the relay was given, and when it last took mail."""

    pauses: int = 0
    taken_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskFact:
    """A host's disk, in bytes; `wanted` is what a copy of the store takes."""

    host: str
    folder: str
    free: int
    wanted: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What one host sees at one instant."""

    sources: Sequence[SourceFact] = ()
    digests: Late | None = None
    mails: Late | None = None
    tally: Tally = Tally()
    held: int = 0
    relay: RelayFact = RelayFact()
    disk: DiskFact | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """Something a person should look at: what is wrong, and how to mend it.

    `key` names the matter for all hosts; one that a single host can judge ends in `@` and its name.
    """

    key: str
    text: str
    mend: str = ""

    @property
    def topic(self) -> str:
        """What it is about, such as `source`: one of few words."""
        return self.key.partition(":")[0].partition("@")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """An alarm as the store remembers it; `told_at` None where nobody was told yet."""

    key: str
    text: str
    began_at: datetime
    seen_at: datetime
    told_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What is to be told: alarms that are new, those to be reminded of, and those that are over.

    `dropped` are the keys of what is over and was never told, or whose host is gone.
    """

    begun: tuple[Alarm, ...] = ()
    again: tuple[Alarm, ...] = ()
    over: tuple[Standing, ...] = ()
    dropped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.begun or self.again or self.over)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all that is to be told."""
        alive = tuple(alarm.key for alarm in (*self.begun, *self.again))
        return alive + tuple(one.key for one in self.over)

    def only(self, keys: Collection[str]) -> "News":
        """What of it concerns these."""
        return News(
            begun=tuple(one for one in self.begun if one.key in keys),
            again=tuple(one for one in self.again if one.key in keys),
            over=tuple(one for one in self.over if one.key in keys),
        )


def alarms(facts: Facts, policy: Policy, now: datetime) -> tuple[Alarm, ...]:
    """What is wrong at this instant, by the policy."""
    return tuple(_alarms(facts, policy, now))


def news(
    raised: Sequence[Alarm], standing: Iterable[Standing], now: datetime, *, host: str
) -> News:
    """What of it a person is to be told, given what the store remembers.

    An alarm is told when it is new and once a day while it lasts, and is over when it was not
    raised for half an hour. Alarms of other hosts are left to them, until they are forgotten.
    """
    known = {one.key: one for one in standing}
    gone = [one for one in known.values() if one.key not in {alarm.key for alarm in raised}]
    ended = [one for one in gone if _is_over(one, now, host)]
    untold = [alarm for alarm in raised if alarm.key not in known or not known[alarm.key].told_at]
    return News(
        begun=tuple(untold),
        again=tuple(alarm for alarm in raised if _is_stale(known.get(alarm.key), now)),
        over=tuple(one for one in ended if one.told_at and not _is_foreign(one.key, host)),
        dropped=tuple(one.key for one in ended if not one.told_at or _is_foreign(one.key, host)),
    )


def _is_stale(known: Standing | None, now: datetime) -> bool:
    return bool(known and known.told_at and now - known.told_at >= REMIND_AFTER)


def _is_over(one: Standing, now: datetime, host: str) -> bool:
    wait = FORGOTTEN_AFTER if _is_foreign(one.key, host) else CALM
    return now - one.seen_at >= wait


def _is_foreign(key: str, host: str) -> bool:
    _, at, whose = key.partition("@")
    return bool(at) and whose != host


def _alarms(facts: Facts, policy: Policy, now: datetime) -> Iterator[Alarm]:
    yield from _relay(facts.relay, now)
    yield from _late(facts, policy, now)
    yield from _failures(facts.tally, policy)
    yield from _held(facts.held)
    for source in facts.sources:
        yield from _source(source, policy, now)
    yield from _disk(facts.disk)


def _source(source: SourceFact, policy: Policy, now: datetime) -> Iterator[Alarm]:
    if now - source.good_at < timedelta(days=policy.source_days):
        return
    said = f"; its last fetch: {source.outcome}" if source.outcome else ""
    said += f" ({source.note})" if source.note else ""
    yield Alarm(
        key=f"source:{source.name}",
        text=f"source {source.name} has brought nothing for {_long(now - source.good_at)}{said}",
        mend="run 'digest sources check'; take it out of the config if it is gone for good",
    )


def _late(facts: Facts, policy: Policy, now: datetime) -> Iterator[Alarm]:
    most = timedelta(hours=policy.late_hours)
    if facts.digests and now - facts.digests.oldest_at >= most:
        count, since = facts.digests.count, _long(now - facts.digests.oldest_at)
        yield Alarm(
            key="late:digests",
            text=f"{_many(count, 'digest')} not composed yet, the first overdue for {since}",
            mend="look in the log for 'not composed' and 'compose', and run 'digest doctor'",
        )
    if facts.mails and now - facts.mails.oldest_at >= most:
        count, since = facts.mails.count, _long(now - facts.mails.oldest_at)
        yield Alarm(
            key="late:deliveries",
            text=f"{_many(count, 'mail')} not sent yet, the first overdue for {since}",
            mend="run 'digest doctor --area smtp', and look in the log for 'delivered'",
        )


def _failures(tally: Tally, policy: Policy) -> Iterator[Alarm]:
    failing = tally.failed + tally.stuck
    if failing < FAILURES_LEAST or tally.rate < policy.failure_rate:
        return
    hours = FAILURES_WITHIN // timedelta(hours=1)
    yield Alarm(
        key="failures",
        text=f"{tally.rate:.0%} of the mails of the last {hours} hours did not arrive: "
        f"{tally.failed:,} failed and {tally.stuck:,} put off, of {tally.tried:,}",
        mend="run 'digest deliveries list --state failed' (and deferred) for the relay's words",
    )


def _held(count: int) -> Iterator[Alarm]:
    if count:
        yield Alarm(
            key="held",
            text=f"{_many(count, 'mail')} held since yesterday: twice in doubt whether it arrived",
            mend="run 'digest deliveries list --state held'; 'digest deliveries retry ID' sends it "
            "again",
        )


def _relay(relay: RelayFact, now: datetime) -> Iterator[Alarm]:
    if relay.pauses < PAUSES_LEAST:
        return
    last = f"; it last took mail {_long(now - relay.taken_at)} ago" if relay.taken_at else ""
    yield Alarm(
        key="relay",
        text=f"the relay takes no mail: {relay.pauses} pauses in a row{last}",
        mend="run 'digest doctor --area smtp'; what waits is sent when it works again",
    )


def _disk(disk: DiskFact | None) -> Iterator[Alarm]:
    if disk is None or space(disk.free, disk.wanted) is Level.OK:
        return
    yield Alarm(
        key=f"disk@{disk.host}",
        text=f"the disk of {disk.host} is nearly full: {disk.free / 1e9:.2f} GB free at "
        f"{disk.folder}",
        mend="make room: a full disk stops all mail",
    )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s are' if count != 1 else ' is'}"


def _long(span: timedelta) -> str:
    """`3 days`, `2 hours`, `40 minutes`."""
    for unit, name in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour")):
        if span >= 2 * unit:
            return f"{span // unit} {name}s"
    minutes = max(span // timedelta(minutes=1), 0)
    return f"{minutes} minute{'s' if minutes != 1 else ''}"
