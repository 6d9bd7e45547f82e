"""What goes wrong, and when: drawn a day ahead, so that a day can be told and replayed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from tests.faults.year.clock import World
from tests.faults.year.hosts import Host
from tests.faults.year.library import BROKEN, Library
from tests.faults.year.post import FLAKY, FORGETFUL, FULL, GOOD, GREY, Mood, Post

DAY_S, HOUR_S = 86_400.0, 3_600.0
MOODS: tuple[tuple[Mood, int], ...] = ((FLAKY, 6), (GREY, 2), (FULL, 1), (FORGETFUL, 1))


@dataclass
class Weather:
    """Calm where `calm` says so: nothing goes wrong that day."""

    world: World
    rng: Random
    post: Post
    library: Library
    hosts: tuple[Host, ...]
    started: Callable[[], None]

    def day(self, begins: float, moments: list[float]) -> None:
        """Draw one day's faults; `moments` are when the daemons will be at work."""
        rng = self.rng
        self._mood(begins)
        if rng.random() < 0.2:
            self._spoil(begins)
        for _ in range(rng.choice((0, 0, 1, 2))):
            self._strike(begins, moments)
        if rng.random() < 0.06:
            asleep_s = rng.choice((2, 5, 11, 30)) * HOUR_S * rng.random()
            self._at(self._moment(begins, moments), lambda: self._sleep(asleep_s))
        if rng.random() < 0.05:
            self._set_back(begins)

    def clear(self) -> None:
        """From now on nothing goes wrong any more."""
        self.post.mood, self.post.down = GOOD, False
        self.library.spoiled.clear()
        self.world.wrong = timedelta(0)
        for host in self.hosts:
            host.process.doom = host.process.stall = None
            if host.process.dead:
                host.start()

    def _mood(self, begins: float) -> None:
        rng = self.rng
        if rng.random() < 0.35:
            mood = rng.choices([mood for mood, _ in MOODS], [much for _, much in MOODS])[0]
            from_s = begins + rng.random() * DAY_S
            self._at(from_s, lambda: self._set("mood", mood))
            self._at(from_s + rng.random() * 14 * HOUR_S, lambda: self._set("mood", GOOD))
        if rng.random() < 0.08:
            from_s = begins + rng.random() * DAY_S
            self._at(from_s, lambda: self._set("down", True))
            self._at(from_s + rng.random() * 9 * HOUR_S, lambda: self._set("down", False))

    def _spoil(self, begins: float) -> None:
        source, how = self.rng.choice(sorted(self.library.faces)), self.rng.choice(BROKEN)
        from_s = begins + self.rng.random() * DAY_S
        self._at(from_s, lambda: self.library.spoiled.update({source: how}))
        until_s = from_s + self.rng.random() * 30 * HOUR_S
        self._at(until_s, lambda: self.library.spoiled.pop(source, None))

    def _strike(self, begins: float, moments: list[float]) -> None:
        """A process dies, or stands still, some steps into its work; or it dies between."""
        rng, host = self.rng, self.rng.choice(self.hosts)
        steps = int(rng.triangular(1, 90, 1))
        if rng.random() < 0.65:
            self._at(self._moment(begins, moments), lambda: self._doom(host, steps))
        else:
            still_s = rng.choice((20.0, 45.0, 700.0, 3 * HOUR_S, 9 * HOUR_S))
            self._at(self._moment(begins, moments), lambda: self._stall(host, steps, still_s))

    def _doom(self, host: Host, steps: int) -> None:
        process = host.process
        process.doom = steps
        back_s = self.rng.choice((5.0, 90.0, HOUR_S, 8 * HOUR_S)) * (0.5 + self.rng.random())

        def restart() -> None:
            if host.process is process:
                self.world.kill(process, "while idle")
                host.start()
                self.started()

        self._at(self.world.steady + back_s + 30, restart)

    def _stall(self, host: Host, steps: int, still_s: float) -> None:
        host.process.stall = (steps, still_s)

    def _sleep(self, seconds: float) -> None:
        """The whole machine sleeps: time passes, and nothing happens."""
        self.world.trace.tell(self.world, "sleep", round(seconds))
        self.world.steady += seconds
        for host in self.hosts:
            host.process.stood_still.append((self.world.steady - seconds, self.world.steady))

    def _set_back(self, begins: float) -> None:
        rng = self.rng
        from_s = begins + rng.random() * DAY_S
        wrong = timedelta(hours=-rng.choice((0.5, 1, 3, 7, 26)) * rng.random())
        self._at(from_s, lambda: self.set_wrong(wrong))
        self._at(from_s + rng.random() * 40 * HOUR_S, lambda: self.set_wrong(timedelta(0)))

    def set_wrong(self, wrong: timedelta) -> None:
        self.world.trace.tell(self.world, "clock", wrong)
        self.world.wrong = wrong
        self.world.clock_set.append(self.world.steady)

    def _set(self, what: str, value: object) -> None:
        self.world.trace.tell(self.world, "relay", what)
        setattr(self.post, what, value)

    def _moment(self, begins: float, moments: list[float]) -> float:
        if moments and self.rng.random() < 0.85:
            return self.rng.choice(moments) - 0.5
        return begins + self.rng.random() * DAY_S

    def _at(self, steady: float, work: Callable[[], None]) -> None:
        self.world.at(steady, work)
