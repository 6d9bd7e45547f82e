"""A town for virtual weeks: readers in many zones, daemons that tick, sleep, crash and misjudge the
time, and a calendar that says by itself what everybody should get.

The calendar asks the zones for nothing but the local time of an instant, quarter by quarter, so it
shares no rule with the code that it judges.
"""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from freezegun import freeze_time

from digest.app import App
from digest.daemon import Daemon
from digest.mail.sink import Received, Sink
from digest.settings import load
from tests.commands import Desk

QUARTER = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ZERO = timedelta(0)
PAPERS_A_DAY = 8
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Reader:
    """A subscriber by what decides when mail comes: `weekday` counts for weekly ones alone."""

    name: str
    zone: str
    hour: int
    frequency: str = "daily"
    weekday: int = 0

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"

    def wants(self, day: date) -> bool:
        if self.frequency == "weekly":
            return day.weekday() == self.weekday
        return self.frequency == "daily" or day.weekday() < 5

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(ZoneInfo(self.zone))


@dataclass
class Host:
    """One machine with its daemon: by how much its clock is wrong, and whether it is up."""

    wrong: timedelta = ZERO
    up: bool = True

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start a daemon, which knows nothing of the one before."""
        self.app = App(load(), lambda: datetime.now(UTC))
        self.daemon = Daemon(self.app)


@dataclass(frozen=True)
class Look:
    """One tick of one daemon: when it was, and when the daemon believed it was."""

    at: datetime
    believed: datetime


@dataclass(frozen=True)
class Arrival:
    """A mail, when it came and what the sender's clock said then."""

    look: Look
    mail: Received

    @property
    def message_id(self) -> str:
        return str(message_from_bytes(self.mail.content)["Message-ID"])

    @property
    def papers(self) -> list[int]:
        parsed: Any = message_from_bytes(self.mail.content, policy=policy.default)
        text = " ".join(parsed.get_body(("plain",)).get_content().split())
        return [int(number) for number in set(re.findall(r"Paper (\d+) on continual", text))]


@dataclass
class Town:
    """What happens from `start` on; `looks` and `arrivals` tell it in order."""

    desk: Desk
    sink: Sink
    readers: Sequence[Reader]
    start: datetime
    seed: int = 1
    looks: list[Look] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.now = self.start
        self.desk.write(
            "config.toml",
            '[[sources]]\nname = "papers"\nkind = "jsonl"\npath = "papers.jsonl"\n'
            "every_minutes = 300\n",
        )
        self._publish()
        lines = ["email,interests,timezone,hour,frequency,weekday,max_papers,status"]
        lines += [
            f"{one.email},continual learning,{one.zone},{one.hour},{one.frequency},"
            f"{DAYS[one.weekday]},2,active"
            for one in self.readers
        ]
        people = self.desk.write("people.csv", "\n".join(lines) + "\n")
        self.desk.ok("subscribers", "import", people, "--now", f"{self.start:%Y-%m-%dT%H:%MZ}")
        self.hosts = [Host(), Host(), Host()]

    def run(
        self, until: datetime, every: timedelta = timedelta(minutes=30), *, all_each: int = 4
    ) -> None:
        """Let somebody who is up tick, by chance, until before that instant; each `all_each` times
        all of them, in a new order (0: never).
        """
        with freeze_time(self.now, real_asyncio=True) as clock:
            for number in count():
                if self.now >= until:
                    break
                self._publish()
                order = [host for host in self.hosts if host.up]
                self.rng.shuffle(order)
                for host in order if all_each and number % all_each == 0 else order[:1]:
                    self._tick(clock, host)
                self.now += every

    def crash(self, host: Host) -> None:
        """Let a daemon fall over between composing and sending, and start another in its place."""
        with freeze_time(self.now + host.wrong, real_asyncio=True):
            host.app.compose()
        self.looks.append(Look(self.now, self.now + host.wrong))
        host.start()

    def sent_rows(self) -> dict[str, tuple[str, date]]:
        """By Message-ID: whose digest of which date the ledger calls sent."""
        return {
            row["message_id"]: (row["email"], date.fromisoformat(row["digest_on"]))
            for row in self._rows()
            if row["state"] == "sent"
        }

    def other_rows(self) -> Counter[tuple[str, date, str]]:
        """Whose digests of which dates were not sent, and why."""
        return Counter(
            (row["email"], date.fromisoformat(row["digest_on"]), f"{row['state']} {row['reason']}")
            for row in self._rows()
            if row["state"] != "sent"
        )

    def _rows(self) -> list[dict[str, Any]]:
        rows = self.desk.ok("deliveries", "list", "--limit", "0", "--json").json
        return [row for row in rows if row["kind"] == "digest"]

    def _tick(self, clock: Any, host: Host) -> None:
        clock.move_to(self.now + host.wrong)
        look = Look(self.now, self.now + host.wrong)
        before = len(self.sink.received)
        host.daemon.tick()
        self.looks.append(look)
        self.arrivals += [Arrival(look, mail) for mail in self.sink.received[before:]]

    def _publish(self) -> None:
        """New papers each day (UTC); a listing shows those of one day."""
        first = 1 + PAPERS_A_DAY * (self.now - self.start).days
        papers = [
            {
                "id": str(number),
                "title": f"Paper {number} on continual learning",
                "abstract": f"We study continual learning, part {number}.",
                "authors": ["Ada Lovelace"],
                "arxiv": f"2603.{number:05d}",
            }
            for number in range(first, first + PAPERS_A_DAY)
        ]
        self.desk.write("papers.jsonl", "".join(f"{json.dumps(one)}\n" for one in papers))


@dataclass(frozen=True)
class Expected:
    """What a reader should get: the tick that brings each date's mail, and the dates that were
    slept past, of each row of them the first.
    """

    mails: dict[date, Look]
    late: set[date]


def due_instants(
    reader: Reader, start: datetime, until: datetime
) -> Iterator[tuple[date, datetime]]:
    """Each wanted local date with the first instant on it at which its hour has come."""
    days: defaultdict[date, dict[int, datetime]] = defaultdict(dict)
    instant = start - DAY  # so that the first date is whole
    while instant < until + DAY:
        local = reader.local(instant)
        days[local.date()].setdefault(local.hour, instant)
        instant += QUARTER
    for day, hours in days.items():
        if day < reader.local(start).date() or not reader.wants(day):
            continue
        # an hour that does not exist comes when clocks that nobody set forward would show it
        shown = max(hour for hour in hours if hour <= reader.hour)
        due = hours[shown] + (reader.hour - shown) * timedelta(hours=1)
        if due < until:
            yield day, due


def expected(town: Town, reader: Reader) -> Expected:
    """What the looks of a town's daemons should have brought this reader."""
    mails: dict[date, Look] = {}
    missed: list[date] = []
    late: set[date] = set()
    ahead = max(look.believed for look in town.looks) + MINUTE
    for day, due in due_instants(reader, town.start, ahead):
        seen = [look for look in town.looks if look.believed >= due]
        in_time = [look for look in seen if reader.local(look.believed).date() == day]
        if in_time:
            mails[day] = in_time[0]
            missed = []
        elif seen:
            late |= set() if missed else {day}
            missed.append(day)
    return Expected(mails, late)
