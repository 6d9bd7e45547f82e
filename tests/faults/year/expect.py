"""Which dates must have brought somebody a digest: from when the daemons looked, nothing else.

A look settles a date where it came to its end and nobody did anything meanwhile. One that died, or
during which its subscriber changed, may have done so or not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tests.faults.year.hosts import Look
from tests.faults.year.letters import Letter
from tests.faults.year.library import Library
from tests.faults.year.people import Entry, Person, Wish
from tests.faults.year.zones import day_of, due_at

PROMPT_S = 60.0
WINDOW = timedelta(days=7) - timedelta(hours=2)


@dataclass(frozen=True)
class Expectation:
    """A digest that must have come: of that date, composed by this look at the latest."""

    day: date
    look: Look
    why: str


def wishes_during(person: Person, look: Look) -> list[Wish]:
    """What they may have wanted while that look lasted; before they joined that is nothing."""
    found: list[Wish] = []
    for entry in person.diary:
        if entry.begun > look.done:
            break
        before = [] if entry.done < look.begun else found or [Wish()]
        found = [*before, entry.wish]
    return found


def resumed_by(entry: Entry, looks: list[Look], steady: float) -> bool:
    """Whether a daemon may have ended this pause, because its date had come, by that second."""
    return any(
        entry.begun < look.done
        and look.begun <= steady
        and entry.wish.is_active(max(look.intake_at, look.shown))
        for look in looks
    )


def expected(
    person: Person, looks: list[Look], letters: list[Letter], library: Library
) -> Iterator[Expectation]:
    """The digests that must have come."""
    walk = _Walk(person, letters, library)
    for look in looks:
        if person.diary and look.done >= person.diary[0].begun:
            yield from walk.see(look)


class _Walk:
    """One person's looks, one after the other."""

    def __init__(self, person: Person, letters: list[Letter], library: Library) -> None:
        self._person, self._letters, self._library = person, letters, library
        self._offered = {letter.day for letter in letters}
        self._settled: set[date] = set()
        self._perhaps: dict[date, bool] = {}  # whether there was certainly something to send
        self._ahead: date | None = None
        self._unseen_s = -1.0  # what came before this second may be in a digest that nobody saw
        self._awake: dict[Entry, datetime] = {}

    def see(self, look: Look) -> Iterator[Expectation]:
        wishes = wishes_during(self._person, look)
        certain = look.whole and len(wishes) == 1 and look.done - look.begun < PROMPT_S
        for wish in wishes:
            active = self._active(wish, look)
            if active is not False and (day := self._due(wish, look)):
                if certain and active:
                    yield from self._settle(day, look)
                elif day not in self._settled:
                    sure = bool(self._sure(day, look))
                    self._perhaps[day] = self._perhaps.get(day, True) and sure
                    self._note_unseen(day, look)
            if active is not False:
                local = day_of(look.shown, wish.zone)
                self._ahead = max(self._ahead or local, local)

    def _active(self, wish: Wish, look: Look) -> bool | None:
        """None where nobody can tell whether the step before had ended the pause."""
        if wish.active or wish.paused_until is None:
            return wish.active
        entry = self._entry(wish)
        if entry in self._awake:
            return True
        if wish.is_active(look.intake_at) and look.whole:
            self._awake[entry] = look.intake_at
            return True
        return None if wish.is_active(max(look.intake_at, look.shown)) else False

    def _entry(self, wish: Wish) -> Entry:
        return next(entry for entry in reversed(self._person.diary) if entry.wish is wish)

    def _due(self, wish: Wish, look: Look) -> date | None:
        """The date for which a digest is due at that instant."""
        day = day_of(look.shown, wish.zone)
        due = due_at(wish.zone, wish.hour, day) if wish.wants(day) else None
        if due is None or due > look.shown:
            return None
        entry = self._entry(wish)
        since = self._awake.get(entry, entry.shown)
        # a clock that was set back since comes to that date, or to that hour, before they were due
        return None if look.shown < since else day

    def _settle(self, day: date, look: Look) -> Iterator[Expectation]:
        if day in self._settled:
            return
        self._settled.add(day)
        sure = self._sure(day, look)
        self._note_unseen(day, look)
        on_time = self._ahead is None or day >= self._ahead
        if sure and on_time and self._perhaps.get(day, True):
            works = " ".join(f"wk{number:05d}" for number in sure[:5])
            yield Expectation(day, look, works)

    def _note_unseen(self, day: date, look: Look) -> None:
        if day not in self._offered:
            self._unseen_s = max(self._unseen_s, look.done)

    def _sure(self, day: date, look: Look) -> list[int]:
        """Matching works that were certainly there and certainly not sent before."""
        sent = {
            number
            for letter in self._letters
            if letter.day != day and letter.composed_at < look.done
            for number in letter.works
        }
        return [
            number
            for number, kept in self._library.kept.items()
            if self._unseen_s < kept < look.begun
            and look.shown - WINDOW < self._library.first_seen(number)
            and self._library.seen_at[number] <= look.shown
            and number not in sent
            and self._library.works[number].topic in self._person.topics
        ]
