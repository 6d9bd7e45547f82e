"""One run: a seed and a number of days in, what happened and what was wrong with it out."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from digest.domain.deliveries import MailKind
from digest.services.memory import collecting_seldom
from tests.faults.year import books
from tests.faults.year.clock import Process, World
from tests.faults.year.hosts import Host, Look, loaded
from tests.faults.year.library import Library
from tests.faults.year.oracle import Oracle
from tests.faults.year.people import (
    COMMON_UTC,
    ZONES,
    Desk,
    Person,
    a_person,
    another_wish,
    some_days_later,
)
from tests.faults.year.post import Post, Try
from tests.faults.year.seams import on_virtual_clock
from tests.faults.year.store import folder, fresh_sqlite, watched_engine
from tests.faults.year.violation import Violation
from tests.faults.year.weather import DAY_S, HOUR_S, Weather
from tests.faults.year.zones import day_of, due_at, end_of

LEAP_YEAR = datetime(2028, 1, 1, tzinfo=UTC)
APIA = datetime(2011, 12, 17, tzinfo=UTC)
CALM_DAYS = 3
DRAIN_TICKS = 8
PEOPLE = 20
FEW = 4


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run found; `trace` is the hash of all that happened."""

    seed: int
    days: int
    start: datetime
    violations: list[Violation]
    trace: str
    steps: int
    mails: int
    digests: int
    again: int
    in_doubt: int
    deaths: int
    tail: list[str] = field(repr=False, default_factory=list)

    def told(self) -> str:
        """The violations, each with its day, and how to see them again."""
        first = f"python -m tests.faults.year {self.seed} {self.days} {self.start:%Y-%m-%d}"
        return "\n".join([f"again: {first}", *(str(one) for one in self.violations[:20])])


class Life:
    """Everything of one run."""

    def __init__(self, seed: int, start: datetime, store_url: str) -> None:
        self.seed = seed
        self.rng = Random(f"life {seed}")
        self.world = World(seed, start)
        self.common_hour = self.rng.choice(COMMON_UTC)
        self.library = Library(Random(f"library {seed}"))
        self.post = Post(self.world, Random(f"post {seed}"))
        self.looks: list[Look] = []
        self.people: list[Person] = []
        self.by_email: dict[str, Person] = {}
        settings = loaded(folder(), store_url)
        self.hosts = tuple(
            Host(name, self.world, self.library, settings, self.looks) for name in "AB"
        )
        self.web = Process("web")
        engine = watched_engine(store_url)
        self.engine = engine
        keys = self.hosts[0].app.keys
        self.desk = Desk(self.world, engine, keys, self.post.order)
        self.weather = Weather(
            self.world,
            Random(f"weather {seed}"),
            self.post,
            self.library,
            self.hosts,
            started=self._again,
        )
        self.post.arrived = self._arrived
        self.books = books.Books(store_url)
        self.moments: list[float] = []

    # What is to happen

    def begin(self, people: int = PEOPLE) -> None:
        for day in range(-2, 1):
            self.library.publish(self.world.start + timedelta(days=day))
        for number in range(people):
            person = self._somebody(number)
            at = self.rng.random() * DAY_S * (0.3 if number % 3 else 25)
            self._newcomer(person, at)
            if number == 1:
                self.post.dead_boxes[person.email] = at

    def day(self, number: int, *, calm: bool = False) -> None:
        """Draw what will happen on one day, and let it."""
        begins = number * DAY_S
        self.library.publish(self.world.start + timedelta(days=number + 1))
        moments = self._moments(begins)
        for at in moments:
            self._look(at)
        if not calm:
            self.weather.day(begins, moments)
            for _ in range(self.rng.choice((1, 1, 2, 3))):
                self._happening(begins, moments)
        if number % 4 == 0:
            self.world.at(begins + 3.2 * HOUR_S, self._prune)
        self.world.run(begins + DAY_S)

    def drain(self, day: int) -> None:
        """Calm days; then some ticks, after which nothing may be open any more."""
        self.world.run(day * DAY_S)
        self.weather.clear()
        for number in range(day, day + CALM_DAYS):
            self.day(number, calm=True)
        at = self.world.steady
        for tick in range(DRAIN_TICKS):
            self.tick(self.hosts[tick % 2], at + tick * 4.1 * HOUR_S)
        self.world.run(at + DRAIN_TICKS * 4.1 * HOUR_S + HOUR_S)

    def _moments(self, begins: float) -> list[float]:
        """When the daemons are to look that day, by the calendar: as somebody's digest falls due.

        Most are served by a later look of the same local date; a look that would serve few is left
        out more often than not, as if the host had slept.
        """
        spans = self._dates_that_end(begins)
        known = [at for at in self.moments if at >= begins - DAY_S]
        dues = sorted({due for due, _ in spans})
        kept = [due for due in dues if self.rng.random() < 0.05 and due >= begins]
        left = sorted(spans, key=lambda span: span[1])
        while left := [
            one for one in left if not any(one[0] <= at < one[1] for at in known + kept)
        ]:
            last = max(due for due in dues if due < left[0][1])
            served = [span for span in left if span[0] <= last < span[1]]
            if len(served) >= FEW or self.rng.random() < 0.3:
                kept.append(last)
            left = [span for span in left if span not in served]
        self.moments = sorted({max(at, begins) for at in kept})
        return self.moments

    def _dates_that_end(self, begins: float) -> list[tuple[float, float]]:
        """From when until when that day the digests are due whose dates end within it."""
        begin = self.world.start + timedelta(seconds=begins)
        found = []
        for wish in [person.wish for person in self.people if person.wish.active]:
            for ahead in (-1, 0, 1):
                day = day_of(begin, wish.zone) + timedelta(days=ahead)
                due = due_at(wish.zone, wish.hour, day) if wish.wants(day) else None
                end = end_of(wish.zone, day)
                if due and end and begin < end <= begin + timedelta(days=1):
                    found.append(
                        tuple((at - self.world.start).total_seconds() for at in (due, end))
                    )
        return found

    def _look(self, at: float) -> None:
        """A moment at which somebody is due: one daemon looks, or both at once, or none."""
        rng = self.rng
        if rng.random() < 0.05:
            return
        at += rng.choice((0.0, 2.0, 20.0, 20.0, 300.0)) * rng.random()
        first, second = rng.sample(self.hosts, 2)
        self.tick(first, at)
        if rng.random() < 0.25:
            self.tick(second, at + rng.random() * 3)
        if rng.random() < 0.05:
            self.tick(first, at + rng.random() * 3, "deliver")

    def tick(self, host: Host, at: float, job: str = "tick") -> None:
        def begin() -> None:
            process = host.process

            def work() -> None:
                host.do(job)
                if process is host.process and not process.dead:
                    self._again()

            self.world.at(self.world.steady, work, process)

        self.world.at(at, begin)

    def _again(self) -> None:
        """Look once more soon where the ledger holds something that is not settled."""
        open_at = self.books.next_open()
        if open_at is None:
            return
        waits = (open_at - self.world.now()).total_seconds()
        if waits > 5 * HOUR_S:
            return
        later = max(waits, 0.0) + self.rng.choice((1.0, 31.0, 200.0, 900.0))
        if waits < -HOUR_S:  # the relay is given a rest
            later += self.rng.random() * 5 * HOUR_S
        job = "tick" if self.rng.random() < 0.2 else "deliver"
        self.tick(self.rng.choice(self.hosts), self.world.steady + later, job)

    def _prune(self) -> None:
        host = self.hosts[0]
        self.world.at(self.world.steady, lambda: host.do("prune"), host.process)

    # People

    def _somebody(self, number: int) -> Person:
        person = a_person(self.rng, number, self._common(self.world.start))
        if self.world.start.year < 2020 and number % 3 == 0:
            person.wish = replace(person.wish, zone="Pacific/Apia", often="daily")
        self.people.append(person)
        self.by_email[person.email] = person
        return person

    def _common(self, at: datetime) -> datetime:
        """The instant of that UTC day at which most are due."""
        return at.replace(hour=self.common_hour, minute=0)

    def _newcomer(self, person: Person, at: float) -> None:
        act = self.desk.sign_up if self.rng.random() < 0.3 else self.desk.join
        self._as_web(at, lambda: act(person))

    def _happening(self, begins: float, moments: list[float]) -> None:
        """Somebody does something, most often while the daemons are at work."""
        rng = self.rng
        at = begins + rng.random() * DAY_S
        if moments and rng.random() < 0.7:
            at = rng.choice(moments) + rng.random() * 6
        if rng.random() < 0.07:
            self._newcomer(self._somebody(len(self.people)), at)
            return
        self.somebody_acts_at(at)

    def somebody_acts_at(self, at: float) -> None:
        self._as_web(at, self._somebody_acts)

    def _somebody_acts(self) -> None:
        """Most often somebody whose digest is on its way."""
        waiting = [self.by_email[email] for email in self.books.waiting()]
        often = bool(waiting) and self.rng.random() < 0.8
        self._acts(self.rng.choice(waiting if often else self.people), self.rng.random())

    def _acts(self, person: Person, draw: float) -> None:
        wish, desk, now = person.wish, self.desk, self.world.now()
        paused = not wish.active and bool(person.diary) and not wish.gone
        if paused:
            desk.resume(person)
        elif not wish.active:
            return
        elif draw < 0.35:
            at = self._common(now)
            desk.change(person, another_wish(self.rng, wish, self.rng.choice(ZONES), at))
        elif draw < 0.5:
            desk.pause(person, some_days_later(person, self.world.now(), self.rng.randint(1, 6)))
        elif draw < 0.65:
            desk.pause(person, None)
        elif draw < 0.7:
            self.post.dead_boxes.setdefault(person.email, self.world.steady)
        elif sum(one.wish.active for one in self.people) > 0.8 * PEOPLE:
            how = "erase" if draw < 0.8 else "complaint" if draw < 0.88 else "link"
            desk.leave(person, how)

    def _as_web(self, at: float, act: Callable[[], None]) -> None:
        self.world.at(at, act, self.web)

    def _arrived(self, one: Try) -> None:
        """Whoever gets a mail that asks to confirm does so, most of them."""
        if one.message_id.startswith(f"<{MailKind.CONFIRM}."):
            person = self.by_email[one.recipient]
            at = self.world.steady + self.rng.choice((0.1, 60.0, 5 * HOUR_S)) * self.rng.random()
            self._as_web(at, lambda: person.diary or self.desk.confirm(person))

    def close(self) -> None:
        """Everybody who still waits for something unwinds."""
        for process in (self.web, *(host.process for host in self.hosts)):
            self.world.kill(process)
        self.world.run(math.inf)
        self.books.close()


def simulate(
    seed: int, days: int, *, start: datetime = LEAP_YEAR, store_url: str = "", people: int = PEOPLE
) -> Outcome:
    """Live through so many days, and judge them."""
    life = Life(seed, start, store_url or fresh_sqlite())
    virtual = on_virtual_clock(life.world, seed, life.post, life.library, life.looks)
    with collecting_seldom(), virtual:
        try:
            life.begin(people)
            for number in range(days):
                life.day(number)
            life.drain(days)
            return judged(life, days)
        finally:
            life.close()


def judged(life: Life, days: int) -> Outcome:
    world, post = life.world, life.post
    oracle = Oracle(world, life.people, life.looks, post, life.library)
    violations = oracle.judge() + life.books.judge(post, world)
    violations += [Violation(at, "defect", text) for at, text in world.complaints]
    mails = [one for one in post.tries if one.taken]
    again = len(mails) - len({one.message_id for one in mails})
    return Outcome(
        seed=life.seed,
        days=days,
        start=world.start,
        violations=violations,
        trace=world.trace.digest,
        steps=world.trace.told,
        mails=len(mails),
        digests=len({one.message_id for one in mails if one.message_id.startswith("<digest.")}),
        again=again,
        in_doubt=life.books.in_doubt(),
        deaths=sum(host.starts - 1 for host in life.hosts),
        tail=list(world.trace.lines),
    )
