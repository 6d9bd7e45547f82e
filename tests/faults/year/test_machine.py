"""Hypothesis decides what happens next: the same hosts, people, relay, and the same oracle."""

import os
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.faults.year.post import FLAKY, FORGETFUL, FULL, GOOD, GREY
from tests.faults.year.seams import on_virtual_clock
from tests.faults.year.store import fresh_sqlite
from tests.faults.year.weather import DAY_S, HOUR_S
from tests.faults.year.year import LEAP_YEAR, Life, judged

EXAMPLES = int(os.environ.get("DIGEST_SIM_EXAMPLES", "2"))
HOSTS = st.sampled_from((0, 1))


class Village(RuleBasedStateMachine):
    """A few people, two daemons; every run ends calmly and is judged."""

    @initialize(seed=st.integers(0, 1_000))
    def begin(self, seed: int) -> None:
        self.stack = ExitStack()
        self.life = life = Life(seed, LEAP_YEAR, fresh_sqlite())
        about = life.post, life.library, life.looks
        self.stack.enter_context(on_virtual_clock(life.world, seed, *about))
        self.stack.callback(life.close)
        life.begin(8)
        life.day(0, calm=True)
        self.days = 1

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        until = self.life.world.steady + hours * HOUR_S
        while self.days * DAY_S < until:
            self.life.library.publish(LEAP_YEAR + timedelta(days=self.days + 1))
            self.days += 1
        self.life.world.run(until)

    @rule(host=HOSTS, after_s=st.floats(0, 3))
    def tick(self, host: int, after_s: float) -> None:
        self.life.tick(self.life.hosts[host], self.life.world.steady + after_s)

    @rule(host=HOSTS, steps=st.integers(1, 80))
    def dies_soon(self, host: int, steps: int) -> None:
        self.life.hosts[host].process.doom = steps

    @rule(host=HOSTS)
    def starts_anew(self, host: int) -> None:
        process = self.life.hosts[host].process
        self.life.world.kill(process, "by hand")
        self.life.hosts[host].start()

    @rule(mood=st.sampled_from((GOOD, FLAKY, FULL, GREY, FORGETFUL)), down=st.booleans())
    def relay_changes(self, mood: Any, down: bool) -> None:
        self.life.post.mood, self.life.post.down = mood, down

    @rule(hours=st.integers(-26, 0))
    def clock_is_set(self, hours: int) -> None:
        self.life.weather.set_wrong(timedelta(hours=hours))

    @rule()
    def somebody_acts(self) -> None:
        self.life.somebody_acts_at(self.life.world.steady)

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        with self.stack:
            self.life.drain(self.days + 1)
            outcome = judged(self.life, self.days)
        assert not outcome.violations, outcome.told()


def test_whatever_happens_in_whatever_order_no_promise_is_broken() -> None:
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Village, settings=chosen)
