"""The oracle: what is wrong with the mail that came, by the calendar, the library and the diaries.

It sees what the relay was handed and when, when the daemons looked, what the sources listed and
what people did; never the ledger.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from tests.faults.year.clock import World
from tests.faults.year.expect import Expectation, expected, resumed_by, wishes_during
from tests.faults.year.hosts import Look
from tests.faults.year.letters import Letter, read_all
from tests.faults.year.library import Library
from tests.faults.year.people import Person
from tests.faults.year.post import Post, Try
from tests.faults.year.violation import Violation
from tests.faults.year.zones import day_of, due_at

MOST_PAPERS = 4
GIVEN_UP_S = 47 * 3_600.0
LEASE_S = 30.0
WINDOW = timedelta(days=7)
SLACK = timedelta(hours=2)


@dataclass
class Oracle:
    world: World
    people: list[Person]
    looks: list[Look]
    post: Post
    library: Library

    def judge(self) -> list[Violation]:
        """Everything that is wrong, in the order of time."""
        self.letters = read_all(self.post.by_message, self.looks)
        by_person: dict[str, list[Letter]] = defaultdict(list)
        for letter in self.letters:
            by_person[letter.email].append(letter)
        found: list[Violation] = []
        for person in self.people:
            letters = sorted(by_person.pop(person.email, []), key=lambda one: one.composed_at)
            found += self._dates(person, letters)
            found += self._papers(person, letters)
            found += self._missing(person, letters)
        for email in by_person:
            found.append(Violation(0.0, "stranger", f"{email} got a digest and never joined"))
        people = {person.email: person for person in self.people}
        for one in self.post.tries:
            found += self._consent(people[one.recipient], one)
        found += self._copies()
        return sorted(found, key=lambda one: one.steady)

    def _dates(self, person: Person, letters: list[Letter]) -> Iterator[Violation]:
        """One digest a local date, of the date on which it was composed, not before its hour."""
        days: dict[object, Letter] = {}
        for letter in letters:
            at, about = letter.tries[0].steady, f"{person.email} {letter.day}"
            if letter.day in days:
                yield Violation(
                    at, "two digests", f"{about}: {letter.dated}, {days[letter.day].dated}"
                )
            days[letter.day] = letter
            if not letter.looks:
                yield Violation(at, "undated", f"{about}: nobody looked at {letter.dated}")
                continue
            wishes = {w for look in letter.looks for w in wishes_during(person, look)}
            fitting = [w for w in wishes if day_of(letter.dated, w.zone) == letter.day]
            if not fitting:
                yield Violation(at, "wrong date", f"{about}: composed at {letter.dated}, {wishes}")
                continue
            due = [due_at(w.zone, w.hour, letter.day) for w in fitting if w.wants(letter.day)]
            if not any(one and one <= letter.dated + timedelta(seconds=1) for one in due):
                yield Violation(at, "too early", f"{about}: composed at {letter.dated}, {fitting}")

    def _papers(self, person: Person, letters: list[Letter]) -> Iterator[Violation]:
        """No paper twice; none that is not listed, not new, or not asked for."""
        counts: dict[int, int] = defaultdict(int)
        for letter in letters:
            at, about = letter.tries[0].steady, f"{person.email} {letter.day}"
            if not 0 < len(letter.works) <= MOST_PAPERS:
                yield Violation(at, "size", f"{about}: {letter.works}")
            for number in letter.works:
                counts[number] += letter.came  # what was cancelled may come another day
                if counts[number] > self.library.papers_of(number):
                    yield Violation(at, "paper twice", f"{about}: wk{number:05d}")
                seen = self.library.newest_at.get(number, letter.dated)
                if number not in self.library.served or seen < letter.dated - WINDOW - SLACK:
                    yield Violation(at, "not in the window", f"{about}: wk{number:05d} of {seen}")
                topic = self.library.works[number].topic
                if person.skips and topic not in person.topics:
                    yield Violation(at, "no match", f"{about}: wk{number:05d} about {topic}")

    def _missing(self, person: Person, letters: list[Letter]) -> Iterator[Violation]:
        """Each date that had matches brought a digest."""
        by_day = {letter.day: letter for letter in letters}
        for one in expected(person, self.looks, letters, self.library):
            letter = by_day.get(one.day)
            if (letter is None or not letter.came) and not self._excused(person, one, letter):
                became = (
                    [(t.taken, t.refused, t.doubtful) for t in letter.tries] if letter else None
                )
                text = f"{person.email} {one.day}: looked at {one.look.shown}, {one.why}, {became}"
                yield Violation(one.look.begun, "no digest", text)

    def _excused(self, person: Person, one: Expectation, letter: Letter | None) -> bool:
        begun = one.look.begun
        if self.post.dead_boxes.get(person.email, float("inf")) < one.look.done + 3 * 86_400:
            return True
        if any(
            not entry.wish.active and begun < entry.done < begun + 3 * 86_400
            for entry in person.diary
        ):
            return True
        if letter is None:
            return False
        refused = any(one.refused for one in letter.tries)
        doubts = sum(one.doubtful and not one.answered for one in letter.tries)
        doubts += self._begun_and_left(letter)
        return refused or doubts >= 2 or letter.tries[-1].steady > begun + GIVEN_UP_S

    def _begun_and_left(self, letter: Letter) -> int:
        """How many tries had begun when their process died or stood still, and came to nothing:
        for all that others can know, each may have been taken.
        """
        tries = letter.tries
        return sum(
            begun <= still < begun + LEASE_S
            and not any(one.process is process and begun <= one.steady <= still for one in tries)
            for begun, process in self.post.begins[tries[0].number]
            for still in [process.died_at, *(first for first, _ in process.stood_still)]
        )

    def _consent(self, person: Person, one: Try) -> Iterator[Violation]:
        """Nothing begins after somebody's leaving has committed; no digest while they pause."""
        about = f"{person.email} {one.message_id.partition('.')[0]}"
        if one.begun is None:
            yield Violation(one.steady, "never begun", about)
            return
        before = [entry for entry in person.diary if entry.order < one.begun]
        wish = before[-1].wish if before else None
        if wish and wish.gone:
            yield Violation(one.steady, "after an opt-out", f"{about} {one.shown}")
        elif one.message_id.startswith("<digest."):
            if wish is None:
                yield Violation(one.steady, "unconfirmed", about)
            elif not wish.active and not resumed_by(before[-1], self.looks, one.steady):
                yield Violation(one.steady, "while paused", f"{about} {one.shown}")

    def _copies(self) -> Iterator[Violation]:
        """No mail comes again but one whose fate its sender could not know."""
        for name, tries in self.post.by_message.items():
            taken = [one for one in tries if one.taken]
            unknown = sum(self._unknown(one) for one in taken)
            if len(taken) - 1 > unknown:
                text = f"{taken[0].recipient} {name}: {len(taken)} times, {unknown} in doubt"
                yield Violation(taken[-1].steady, "copies", text)

    def _unknown(self, one: Try) -> bool:
        """Whether the sender may have been kept from recording that this one was taken."""
        process, until = one.process, one.steady + 660
        return (
            not one.answered
            or process.died_at < until
            or any(one.steady - LEASE_S < at < until for at in self.world.clock_set)
            or any(at <= until and end >= one.steady for at, end in process.stood_still)
        )
