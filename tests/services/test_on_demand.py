"""The window of the pages: opened by the first who looks, closed when nobody looks any more."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from digest.services import on_demand
from digest.services.collect import keep
from digest.services.compose import Policy
from digest.services.on_demand import OnDemand
from digest.services.window import Window
from tests.builders import NOON, a_batch, a_listing

POLICY = Policy(lookback_days=7, threshold=0.25, domain="papers.example", secret="s" * 32)


class Made:
    """Makes windows, and counts them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.count = 0

    def __call__(self) -> Window:
        self.count += 1
        return Window(self.engine, POLICY, lambda: NOON + timedelta(hours=1))


@pytest.fixture
def made(engine: Engine) -> Made:
    keep(engine, a_batch(a_listing("On tea"), fetched_at=NOON), NOON)
    return Made(engine)


@pytest.fixture
def window(made: Made) -> Iterator[OnDemand]:
    window = OnDemand(made)
    window.start()
    yield window
    window.stop()


def test_nothing_is_read_until_somebody_looks(made: Made, window: OnDemand) -> None:
    assert not window.ready
    assert made.count == 0
    assert window.wait(30)
    assert window.ready
    assert [paper.title for paper in window.trending().papers] == ["On tea"]
    assert window.at is not None
    assert made.count == 1


def test_who_looks_first_waits_a_little_and_sees_the_papers(window: OnDemand) -> None:
    shown = window.preview(())
    assert [paper.title for paper in shown.papers] == ["On tea"]


@pytest.mark.slow
def test_it_is_closed_when_nobody_looks_and_opened_again(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [0.0]
    monkeypatch.setattr(on_demand, "LOOK_S", 0.001)
    monkeypatch.setattr(on_demand, "steady", lambda: at[0])
    window = OnDemand(made, lasts_s=60.0)
    window.start()
    assert window.wait(30)
    keeper = window._keeper
    assert keeper
    at[0] = 60.0
    keeper.join(30)
    assert not window.ready
    assert made.count == 1
    assert window.wait(30)
    assert made.count == 2
    window.stop()
    assert not window.ready


def test_whoever_asks_as_it_is_closed_finds_it_open(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keeper has seen that nobody asked for long; somebody asks before it has closed."""
    at = [0.0]
    monkeypatch.setattr(on_demand, "LOOK_S", 0.001)
    monkeypatch.setattr(on_demand, "steady", lambda: at[0])
    window = OnDemand(made, lasts_s=60.0)
    window.start()
    assert window.wait(30)
    for late in range(1, 6):
        at[0] = late * 60.0
        assert window.wait(30)
        assert window.ready
    window.stop()
