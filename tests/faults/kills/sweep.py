"""One sweep: a run that finds the points, then deaths at them, judged by what the relay has."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.kills.places import Place, Row, Stock
from tests.faults.kills.program import KILLED, Program
from tests.faults.kills.relay import Taken, Taker
from tests.faults.kills.ways import Way

ENDED = (0, 1, 3)  # 1 where nobody was left but those whom the relay refuses
ROUNDS = 4
OPEN = {"queued", "sending"}


@dataclass(frozen=True, kw_only=True)
class Death:
    """Die in this command of the way, when that point is reached for the `nth` time."""

    command: int
    point: str
    nth: int

    @property
    def settings(self) -> dict[str, str]:
        return {"DIGEST_FAULT": f"{self.point}:{self.nth}"}

    def __str__(self) -> str:
        return f"{self.point}:{self.nth} of command {self.command}"


@dataclass(frozen=True, kw_only=True)
class Before:
    """How things stood before a command, and which points it then reached how often."""

    stock: Stock
    taken: tuple[Taken, ...]
    points: Counter[str]


@dataclass(kw_only=True)
class Figures:
    """What the deaths came to. `missed` were not reached for the nth time in that run."""

    points: set[str] = field(default_factory=set)
    kills: int = 0
    missed: int = 0
    lost: int = 0
    duplicates: int = 0
    in_doubt: int = 0
    slowest_s: float = 0.0

    def counts(self) -> dict[str, int | float]:
        return {
            "points": len(self.points),
            "kills": self.kills,
            "lost": self.lost,
            "in_doubt": self.in_doubt,
            "duplicates": self.duplicates,
            "slowest_recovery_s": self.slowest_s,
        }


@dataclass(kw_only=True)
class Sweep:
    """One way on one store. `certificate` is the relay's."""

    way: Way
    stock: Stock
    program: Program
    relay: Taker
    certificate: Path
    before: list[Before] = field(default_factory=list)
    expected: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: list[tuple[str, ...]] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)

    def trace(self) -> None:
        """Run undisturbed: which points there are in each command, and which mails come of it."""
        with self._place(self.stock, ()) as place:
            for command in self.way.commands:
                stock, taken = place.kept(), tuple(self.relay.taken)
                trace = place.folder.with_suffix(".trace")
                trace.touch()
                self._run(place, command, self.way.settings | {"DIGEST_FAULT_TRACE": str(trace)})
                points = Counter(trace.read_text().splitlines())
                trace.unlink()
                self.before.append(Before(stock=stock, taken=taken, points=points))
            self._drain(place)
            self.expected = self._taken()
            self.refusals = place.refusals()
            assert set(self.expected.values()) == {1}, self.expected

    def deaths(self, *, most: int = 3) -> list[Death]:
        """At each point of each command: the first time, the last, one between; at `most` so many
        of these.
        """
        found = []
        for number, before in enumerate(self.before):
            for point, times in sorted(before.points.items()):
                chosen = list(dict.fromkeys((1, times, (times + 1) // 2)))[:most]
                found += [Death(command=number, point=point, nth=nth) for nth in sorted(chosen)]
        return found

    def die(self, death: Death) -> None:
        """Die there, start the program again until all is sent, and judge."""
        before = self.before[death.command]
        with self._place(before.stock, before.taken) as place:
            command = self.way.commands[death.command]
            settings = self._own(place) | self.way.settings | death.settings
            code = self.program.start(command, place.folder, settings).wait()
            if code != KILLED:
                assert death.nth > 1, f"{death} was not reached: {code} {self._said(place)}"
                self.figures.missed += 1
                return
            doubt = self._in_doubt(place, death)
            place.leases_run_out()
            began = time.monotonic()
            for again in self.way.commands[death.command :]:
                self._run(place, again)
            self._drain(place)
            self.figures.slowest_s = max(self.figures.slowest_s, time.monotonic() - began)
            self._judge(place, death, doubt)

    def _in_doubt(self, place: Place, death: Death) -> set[tuple[str, str]]:
        """What the relay has, and the ledger did not know of when the program died."""
        self.relay.is_left()
        known = {(row.recipient, row.message_id): row.state for row in place.ledger()}
        taken = self._taken()
        assert taken.keys() <= known.keys(), f"{death}: sent what the ledger does not hold"
        assert {one for one, state in known.items() if state == "sent"} <= taken.keys(), (
            f"{death}: the ledger calls sent what the relay never took"
        )
        doubt = {one for one in taken if known[one] != "sent"}
        assert len(doubt) <= self.way.connections, f"{death}: {doubt}"
        return doubt

    def _judge(self, place: Place, death: Death, doubt: set[tuple[str, str]]) -> None:
        taken = self._taken()
        figures = self.figures
        figures.kills += 1
        figures.points.add(death.point)
        figures.lost += len(self.expected.keys() - taken.keys())
        figures.in_doubt += len(doubt)
        figures.duplicates += taken.total() - len(taken)
        said = f"{death}\n{self._said(place)}"
        assert taken == self.expected + Counter(doubt), said
        refusals = place.refusals()
        assert refusals == self.refusals, f"{refusals} {self.refusals} {said}"
        self._judge_ledger(place.ledger(), taken, said)

    def _judge_ledger(
        self, rows: Sequence[Row], taken: Counter[tuple[str, str]], said: str
    ) -> None:
        for row in rows:
            one = (row.recipient, row.message_id)
            wanted = ("failed", "deferred") if row.recipient in self.way.refuses else ("sent",)
            assert row.state in wanted, f"{row} {said}"
            assert row.doubtful >= taken[one] - 1, f"{row} {said}"

    def _taken(self) -> Counter[tuple[str, str]]:
        return Counter((one.recipient, one.message_id) for one in self.relay.taken)

    def _drain(self, place: Place) -> None:
        """Send until nothing waits any more."""
        for _ in range(ROUNDS):
            if not {row.state for row in place.ledger()} & OPEN:
                return
            place.leases_run_out()
            self._run(place, self.way.drain, {})
        raise AssertionError(f"not drained: {place.ledger()}\n{self._said(place)}")

    def _run(
        self, place: Place, command: Sequence[str], settings: dict[str, str] | None = None
    ) -> None:
        own = self._own(place) | (self.way.settings if settings is None else settings)
        code = self.program.start(command, place.folder, own).wait()
        assert code in ENDED, f"{command}: {code}\n{self._said(place)}"

    def _own(self, place: Place) -> dict[str, str]:
        return place.settings | self.way.relay_settings(self.relay, self.certificate)

    @contextmanager
    def _place(self, stock: Stock, taken: Sequence[Taken]) -> Iterator[Place]:
        self.relay.is_left()
        self.relay.taken[:] = taken
        with stock.copy() as place:
            yield place

    def _said(self, place: Place) -> str:
        return (place.folder / "log").read_text(errors="replace")[-4000:]
