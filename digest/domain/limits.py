"""Limits of sending: how fast mail may go out over all and to each recipient domain.

A limit per second is kept by spacing: whoever begins moves the instant at which the next may begin
(GCRA without burst, ITU-T I.371), so any two begin at least 1/rate apart. A limit per hour counts
by the minute and allows bursts. What is counted lies in the store, which decides for all processes
and hosts; here are the rules alone.
"""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType, Self

from digest.domain.subscribers import ascii_domain
from digest.errors import InvalidInput

Scope = NewType("Scope", str)

OVERALL = Scope("all")
EVERY_DOMAIN = "*"
MOST_PER_SECOND = 100_000.0
MOST_PER_HOUR = 1_000_000_000
LEAST_PER_SECOND = 1 / 3600  # slower than one in an hour is what per_hour is for
HOUR_MINUTES = 60
# A free instant or a counted minute further ahead is a clock's fault and holds nobody: honest ones
# lie an hour ahead at most (LEAST_PER_SECOND), and clocks may differ by as much again.
AHEAD_MOST = timedelta(hours=2)
# From the commit that lets a message begin to its arrival at the relay; so counted in the minute
# in which it arrives, it stays counted for the whole hour after that.
STARTS_WITHIN = timedelta(seconds=2)
ASKED_LEAST = timedelta(seconds=1)
ASKED_MOST = timedelta(hours=4)

_MINUTE_S = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """At most so many messages in a second and in an hour; 0 means no limit.

    Raises InvalidInput for what is no rate: negative, not finite, or slower than one in an hour
    per second.
    """

    per_second: float = 0.0
    per_hour: int = 0

    def __post_init__(self) -> None:
        _check_per_second(self.per_second)
        if isinstance(self.per_hour, bool) or not isinstance(self.per_hour, int):
            raise InvalidInput(f"per_hour {self.per_hour!r} is no whole number: write 500")
        if not 0 <= self.per_hour <= MOST_PER_HOUR:
            raise InvalidInput(
                f"per_hour {self.per_hour} is outside 0 to {MOST_PER_HOUR}: 0 means no limit"
            )

    def __bool__(self) -> bool:
        return self.per_second > 0 or self.per_hour > 0

    @property
    def spacing(self) -> timedelta:
        """The least time between two beginnings, in whole microseconds upwards."""
        if not self.per_second:
            return timedelta(0)
        return timedelta(microseconds=math.ceil(1_000_000 / self.per_second))


def _check_per_second(value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(f"per_second {value!r} is no number: write 5 or 0.2, or 0 for no limit")
    if not 0 <= value <= MOST_PER_SECOND:
        raise InvalidInput(
            f"per_second {value} is outside 0 to {MOST_PER_SECOND:.0f}: 0 means no limit"
        )
    if 0 < value < LEAST_PER_SECOND:
        raise InvalidInput(f"per_second {value} is slower than one an hour: use per_hour")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Every limit of one service: over all, of named recipient domains, of every other domain by
    itself, and of connections to the relay by all processes together (0: no limit).

    Domains are in canonical form; `of` brings them there.
    """

    overall: Rate = field(default_factory=Rate)
    domains: Mapping[str, Rate] = field(default_factory=dict)
    every_domain: Rate | None = None
    connections: int = 0

    @classmethod
    def of(cls, overall: Rate, domains: Mapping[str, Rate], connections: int = 0) -> Self:
        """Limits as they are configured: domains in any spelling, "*" for every other one.

        Raises InvalidInput for a domain that is none or stands there twice.
        """
        named: dict[str, Rate] = {}
        for name, rate in domains.items():
            if name == EVERY_DOMAIN:
                continue
            domain = _checked_domain(name)
            if domain in named:
                raise InvalidInput(f"limits.domains names {domain!r} twice: keep one")
            named[domain] = rate
        every = domains.get(EVERY_DOMAIN)
        return cls(overall=overall, domains=named, every_domain=every, connections=connections)

    def __bool__(self) -> bool:
        """Whether any rate is limited."""
        return bool(self.overall or self.every_domain or any(self.domains.values()))

    def scopes(self, recipient: str) -> tuple[tuple[Scope, Rate], ...]:
        """What a message to an address, or to a bare domain, counts against: nothing without limit.

        A named domain goes by its own rate alone, also where that is none.
        """
        found = [(OVERALL, self.overall)] if self.overall else []
        if self.domains or self.every_domain:
            domain = recipient_domain(recipient)
            if rate := self.domains.get(domain, self.every_domain):
                found.append((Scope(f"domain/{domain}"), rate))
        return tuple(found)


@lru_cache(maxsize=65_536)
def recipient_domain(recipient: str) -> str:
    """The domain of an address, or a bare domain, in one spelling: lower-case ASCII (IDNA 2008,
    mapped as UTS #46 says); one that cannot be so just in lower case.
    """
    domain = recipient.rpartition("@")[2].strip().rstrip(".")
    try:
        return ascii_domain(domain).lower()
    except InvalidInput:
        return unicodedata.normalize("NFC", domain.lower())


_DOMAIN = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")


def _checked_domain(name: str) -> str:
    domain = recipient_domain(name)
    if "@" in name or not _DOMAIN.fullmatch(domain):
        raise InvalidInput(
            f"limits.domains: {name[:60]!r} is no mail domain: write gmail.com, "
            'or "*" for every other one'
        )
    return domain


@dataclass(kw_only=True, slots=True)
class Meter:
    """One scope's count within one transaction.

    `free_at` and `minutes` (messages by minute since the epoch) are what the store held, `taken`
    how many have begun since. Those that must wait stand in line behind one another, so that they
    do not all come back at once; the line is forgotten afterwards.
    """

    rate: Rate
    free_at: datetime
    minutes: dict[int, int] = field(default_factory=dict)
    taken: int = 0
    line_at: datetime | None = None
    in_line: int = 0

    def earliest(self, now: datetime) -> datetime:
        """When one more may begin, after those that stand in line; `now` where at once."""
        return max(now, self._by_spacing(now), self._by_hour(now))

    def count(self, now: datetime) -> None:
        """One begins now."""
        self.free_at = max(self._by_spacing(now), now) + self.rate.spacing
        self.taken += 1

    def wait(self, now: datetime) -> None:
        """One stands in line."""
        self.line_at = self._by_spacing(now) + self.rate.spacing
        self.in_line += 1

    def _by_spacing(self, now: datetime) -> datetime:
        free_at = self.free_at if self.free_at <= now + AHEAD_MOST else now
        return max(self.line_at, free_at) if self.line_at else free_at

    def _by_hour(self, now: datetime) -> datetime:
        if not self.rate.per_hour:
            return now
        counted = within_hour(self.minutes, now)
        over = sum(counted.values()) + self.taken + self.in_line + 1 - self.rate.per_hour
        if over <= 0:
            return now
        minute = minute_of(now + STARTS_WITHIN)
        counted[minute] = counted.get(minute, 0) + self.taken
        for minute in sorted(counted):
            over -= counted[minute]
            if over <= 0:
                break
        return datetime.fromtimestamp((minute + HOUR_MINUTES + 1) * _MINUTE_S, UTC)


def minute_of(instant: datetime) -> int:
    """Whole minutes since the Unix epoch."""
    return int(instant.timestamp() // _MINUTE_S)


def hour_before(now: datetime) -> tuple[int, int]:
    """The first and last minute that count now: this one, the 60 before it, and those that clocks
    ahead of ours have filled.

    So an hour is 60 to 61 minutes long: never above the limit, and a little below it.
    """
    return minute_of(now) - HOUR_MINUTES, minute_of(now + AHEAD_MOST)


def within_hour(minutes: Mapping[int, int], now: datetime) -> dict[int, int]:
    """The counts that are of the hour before `now`."""
    first, last = hour_before(now)
    return {minute: used for minute, used in minutes.items() if first <= minute <= last}


def admitted(wanted: Sequence[Sequence[Meter]], now: datetime) -> list[datetime | None]:
    """Of messages in order, each with the meters it counts against: None for one that may begin
    now, which is counted; else the earliest instant at which to ask again.

    One that waits holds up those behind it in what makes it wait, and in nothing else.
    """
    answers: list[datetime | None] = []
    for meters in wanted:
        instants = [meter.earliest(now) for meter in meters]
        until = max(instants, default=now)
        for meter, instant in zip(meters, instants, strict=True):
            if until <= now:
                meter.count(now)
            elif instant > now:
                meter.wait(now)
        answers.append(until if until > now else None)
    return answers


_UNIT_S = {"s": 1, "m": 60, "h": 3600}
_UNIT = r"(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)(?:\(s\))?(?!\w)"
_PART = rf"\d{{1,7}}(?:\.\d{{1,3}})?[ -]?{_UNIT}"
_CLOCK = r"\d{1,3}:[0-5]\d:[0-5]\d(?![:\d])"
_SPAN = rf"(?P<clock>{_CLOCK})|(?P<parts>{_PART}(?:,? ?(?:and )?{_PART})?)"
# What stands before the time makes it a wish of the receiver: other times in a refusal tell of
# quotas ("100 messages per 60 minutes") or of the past ("delayed 24 hours").
_ASKED = re.compile(
    r"\b(?:"
    r"(?:try|retry|resend|re-send|resubmit|come|return|reconnect|send|deliver)\w{0,3}"
    r"(?: (?:it|this|the|your|message|mail|delivery|again|back|later|request)){0,4}"
    r" (?:in|after|for)"
    r"|(?:again|back) (?:in|after)"
    r"|wait(?: for)?"
    r"|gr[ae]y-?list(?:ed|ing)?(?: (?:in (?:action|effect)|active|enabled|you|sender|host))?,?"
    r" (?:for|in|remaining|expires in)"
    r")[ :(]{1,3}(?:(?:about|approximately|at least|another|a minimum of|the next|up to) )?"
    rf"(?:{_SPAN})"
)
_RETRY_AFTER = re.compile(
    r"\bretry[- ]after[:= ] ?(?P<seconds>\d{1,7})(?: ?s(?:ec\w{0,4})?)?(?![\w:]|\.\d)(?! ?[mh])"
)
_ONE_PART = re.compile(r"(\d+(?:\.\d+)?)[ -]?([smh])")


def asked_delay(reply: str) -> timedelta | None:
    """How long a refusal asks to be waited before the next try, None where it names no time.

    Bounded to 1 s and 4 h. Only a time that follows a word of asking counts, with its unit or as
    hh:mm:ss; a bare number only in "retry after 300", which is seconds as in RFC 9110 §10.2.3.
    """
    said = " ".join(reply[:2_000].lower().split())
    if found := _ASKED.search(said):
        seconds = _seconds(found["clock"], found["parts"])
    elif found := _RETRY_AFTER.search(said):
        seconds = float(found["seconds"])
    else:
        return None
    return min(max(timedelta(seconds=seconds), ASKED_LEAST), ASKED_MOST)


def _seconds(clock: str | None, parts: str | None) -> float:
    if clock:
        hours, minutes, seconds = (int(part) for part in clock.split(":"))
        return hours * 3600 + minutes * 60 + seconds
    found = _ONE_PART.findall(parts or "")
    return sum(float(number) * _UNIT_S[unit] for number, unit in found)
