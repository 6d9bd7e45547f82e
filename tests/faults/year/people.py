"""Subscribers, and what they do at the doors of the product: join, change zone, pause, leave.

Each keeps a diary of what they did and when it had been committed: the oracle knows nothing else of
them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Engine

from digest.domain.interests import interest
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import (
    Channel,
    EmptyDay,
    Preferences,
    Subscriber,
    SubscriberId,
    SuppressionReason,
)
from digest.errors import DigestError
from digest.services import signup, subscribe
from digest.services.subscribe import Keys
from digest.store import subscribers
from digest.store.database import transaction
from tests.faults.year.clock import World
from tests.faults.year.library import TOPICS
from tests.faults.year.zones import day_of, local_day, shown

ZONES = (
    "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia", "Africa/Cairo", "America/Havana",
    "Asia/Kathmandu", "Europe/Berlin", "America/New_York", "UTC",
)  # fmt: skip
# of which a run has one; in the west the day before is still on then, in the east the next one is
COMMON_UTC = (1, 12)
# hours that clocks leave out or show twice
JUMPS = {
    "America/Havana": (0,), "America/Santiago": (0, 23), "Africa/Cairo": (0, 23),
    "America/New_York": (1, 2), "Europe/Berlin": (2,), "Australia/Lord_Howe": (1, 2),
}  # fmt: skip
OFTEN = ("daily", "daily", "daily", "weekdays", "weekly")


@dataclass(frozen=True)
class Wish:
    """How somebody stands: whether mail is wanted, and when. `paused_until` ends a pause."""

    active: bool = False
    gone: bool = False
    zone: str = "UTC"
    hour: int = 8
    often: str = "daily"
    weekday: int = 0
    paused_until: date | None = None
    paused_in: str = "UTC"

    def wants(self, day: date) -> bool:
        if self.often == "weekly":
            return day.weekday() == self.weekday
        return self.often == "daily" or day.weekday() < 5

    def is_active(self, at: datetime) -> bool:
        """Whether they are active at an instant, if a pause that is over has been ended by then."""
        if self.active or self.paused_until is None:
            return self.active
        found = local_day(self.paused_in, self.paused_until)
        later = found or local_day(self.paused_in, self.paused_until + timedelta(days=1))
        return later is not None and at >= later.begins


@dataclass(frozen=True)
class Entry:
    """One line of a diary: from `begun` to `done` (seconds) it is open whether it holds already."""

    begun: float
    done: float
    order: int
    shown: datetime
    wish: Wish


@dataclass(eq=False)
class Person:
    email: str
    topics: tuple[str, ...]
    skips: bool
    wish: Wish
    diary: list[Entry] = field(default_factory=list)

    @property
    def left_at(self) -> int | None:
        """The order of the commit of their leaving for good."""
        return next((entry.order for entry in self.diary if entry.wish.gone), None)


@dataclass
class Desk:
    """What people do, by the product's own services."""

    world: World
    engine: Engine
    keys: Keys
    order: Callable[[], int]
    confirmations: set[str] = field(default_factory=set)

    def join(self, person: Person) -> None:
        """As an operator adds them: active at once."""

        def act(session: Any) -> None:
            subscribe.subscribe(
                session,
                person.email,
                interests=[interest(topic) for topic in person.topics],
                preferences=preferences(person, person.wish),
                confirmed=True,
                channel=Channel.CLI,
                now=self.world.now(),
                keys=self.keys,
            )

        self._act(person, lambda wish: replace(wish, active=True), act)

    def sign_up(self, person: Person) -> None:
        """As the form takes it: nothing but a mail to confirm follows."""
        asked = signup.SignUp(
            email=person.email,
            interests=tuple(interest(topic) for topic in person.topics),
            preferences=preferences(person, person.wish),
            consent="I want it.",
            network="",
        )
        signup.receive(self.engine, asked, limits=signup.VisitLimits(), now=self.world.now())
        self.world.trace.tell(self.world, person.email, "signs up")

    def confirm(self, person: Person) -> None:
        def act(session: Any) -> None:
            known = self._id(session, person)
            now = self.world.now()
            subscribe.confirm(session, known, channel=Channel.LINK, now=now, keys=self.keys)

        self._act(person, lambda wish: replace(wish, active=True), act)

    def change(self, person: Person, wish: Wish) -> None:
        def act(session: Any) -> None:
            known = self._id(session, person)
            wanted = preferences(person, wish)
            subscribe.edit(session, known, preferences=wanted, now=self.world.now())

        def changed(now: Wish) -> Wish:
            chosen = {name: getattr(wish, name) for name in ("zone", "hour", "often", "weekday")}
            return replace(now, paused_in=wish.zone, **chosen)

        self._act(person, changed, act)

    def pause(self, person: Person, until: date | None) -> None:
        def act(session: Any) -> None:
            known, now = self._id(session, person), self.world.now()
            subscribe.pause(session, known, channel=Channel.LINK, now=now, until=until)

        def paused(wish: Wish) -> Wish:
            return replace(wish, active=False, paused_until=until, paused_in=wish.zone)

        self._act(person, paused, act)

    def resume(self, person: Person) -> None:
        def act(session: Any) -> None:
            known = self._id(session, person)
            subscribe.resume(session, known, channel=Channel.LINK, now=self.world.now())

        self._act(person, lambda wish: replace(wish, active=True, paused_until=None), act)

    def leave(self, person: Person, how: str) -> None:
        def act(session: Any) -> None:
            known, now = self._id(session, person), self.world.now()
            if how == "erase":
                subscribe.erase(session, known, now=now, keys=self.keys)
            elif how == "complaint":
                why = SuppressionReason.COMPLAINT
                subscribe.suppress(
                    session, person.email, why, channel=Channel.MAIL, now=now, keys=self.keys
                )
            else:
                subscribe.unsubscribe(session, known, channel=Channel.LINK, now=now)

        def gone(wish: Wish) -> Wish:
            return replace(wish, active=False, gone=True, paused_until=None)

        self._act(person, gone, act)

    def _id(self, session: Any, person: Person) -> SubscriberId:
        found: Subscriber = subscribers.by_email(session, person.email)
        return found.id

    def _act(
        self, person: Person, becomes: Callable[[Wish], Wish], act: Callable[[Any], None]
    ) -> None:
        """Do something in one transaction, and write into the diary when it was committed."""
        begun, shown = self.world.steady, self.world.now()

        def committed() -> None:
            done, wish = self.world.steady, becomes(person.wish)
            order = self.order()
            person.diary.append(Entry(begun, done, order, shown, wish))
            person.wish = wish

        try:
            with transaction(self.engine) as session:
                act(session)
                session.info["act"] = committed
        except DigestError as exc:
            self.world.trace.tell(self.world, person.email, "is refused", exc)
        else:
            self.world.trace.tell(self.world, person.email, "is now", person.wish)


def preferences(person: Person, wish: Wish) -> Preferences:
    schedule = Schedule(
        timezone=wish.zone,
        hour=wish.hour,
        frequency=Frequency(wish.often),
        weekday=wish.weekday,
    )
    empty = EmptyDay.SKIP if person.skips else EmptyDay.TRENDING
    return Preferences(schedule=schedule, max_papers=4, empty_day=empty, text_only=True)


def a_person(rng: Random, number: int, at: datetime) -> Person:
    """Somebody of a chosen zone and hour; the first ones cover all zones."""
    zone = ZONES[number % len(ZONES)]
    return Person(
        email=f"p{number:03d}@d{number % 7}.example",
        topics=tuple(rng.sample(TOPICS, rng.randint(1, 3))),
        skips=rng.random() < 0.7,
        wish=another_wish(rng, Wish(), zone, at),
    )


def another_wish(rng: Random, wish: Wish, zone: str, at: datetime) -> Wish:
    """Another hour and frequency in that zone. Most hours are those that all zones have at about
    that instant of the UTC day, so that one look serves many; the others are where clocks jump.
    """
    common = shown(at, zone).hour
    hour = common if rng.random() < 0.85 else rng.choice(JUMPS.get(zone, (2, 23)))
    often, weekday = rng.choice(OFTEN), rng.randrange(7)
    return replace(wish, zone=zone, hour=hour, often=often, weekday=weekday)


def some_days_later(person: Person, at: datetime, days: int) -> date:
    """A local date of theirs."""
    return day_of(at, person.wish.zone) + timedelta(days=days)
