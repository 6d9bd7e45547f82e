"""The daemon notices that its host's clock was set back, by a clock that nobody sets."""

from datetime import timedelta

import pytest

from digest.daemon.setback import SetBack
from tests.builders import NOON


class Clocks:
    """A host's clock and one that nobody sets."""

    def __init__(self) -> None:
        self.shown = NOON
        self.seconds = 500.0

    def pass_by(self, seconds: float, shown: float | None = None) -> None:
        self.seconds += seconds
        self.shown += timedelta(seconds=seconds if shown is None else shown)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def _watch(clocks: Clocks) -> SetBack:
    return SetBack(lambda: clocks.shown, lambda: clocks.seconds)


def test_a_clock_that_goes_on_was_not_set(clocks: Clocks) -> None:
    watch = _watch(clocks)
    for _ in range(3):
        clocks.pass_by(1)
        assert not watch.noticed()


def test_a_clock_that_is_set_back_is_noticed_once(clocks: Clocks) -> None:
    watch = _watch(clocks)
    clocks.pass_by(1, shown=-3600)
    assert watch.noticed()
    clocks.pass_by(1)
    assert not watch.noticed()


def test_a_clock_that_is_set_forward_keeps_nobody_waiting(clocks: Clocks) -> None:
    watch = _watch(clocks)
    clocks.pass_by(1, shown=3600)
    assert not watch.noticed()
    clocks.pass_by(1, shown=-3600)
    assert watch.noticed()


def test_a_clock_that_is_slewed_was_not_set(clocks: Clocks) -> None:
    watch = _watch(clocks)
    clocks.pass_by(600, shown=599.7)
    assert not watch.noticed()
