"""The pulse: systemd is told that all is well only as long as what is at work shows it."""

from digest.daemon.pulse import TICKS, Pulse


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_step_that_asks_whether_to_stop_is_alive_however_long_it_takes() -> None:
    clock = Clock()
    pulse = Pulse(clock, bound_s=10)
    with pulse.at_work("deliver") as beat:
        for clock.now in range(0, 100, 9):
            assert pulse.missing() == []
            beat()


def test_a_step_that_hangs_is_named_even_while_others_go_on() -> None:
    clock = Clock()
    pulse = Pulse(clock, bound_s=10)
    with pulse.at_work("collect"):
        for clock.now in range(0, 12, 3):
            with pulse.at_work("deliver"):
                pass
        clock.now = 10.5
        assert pulse.missing() == ["collect"]
    assert pulse.missing() == []


def test_a_schedule_that_begins_nothing_any_more_has_no_pulse() -> None:
    clock = Clock()
    pulse = Pulse(clock, bound_s=10)
    with pulse.at_work("deliver"):
        clock.now = 5
    clock.now = 14
    assert pulse.missing() == []
    clock.now = 16
    assert pulse.missing() == [TICKS]
