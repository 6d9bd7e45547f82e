"""The runner: steps of two jobs never overlap, and none is forgotten for that."""

import threading
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from digest.app import App
from digest.daemon import Daemon, runner
from digest.daemon.jobs import Job
from digest.daemon.steps import Stop
from digest.settings import load
from tests.commands import Desk


@pytest.fixture
def app(desk: Desk) -> App:
    return App(load(), lambda: datetime.now(UTC))


def test_a_step_asked_for_while_it_runs_is_run_once_more_by_whoever_runs_it(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    queued: list[str] = []
    sent: list[list[str]] = []

    def deliver(_app: App, _stop: Stop) -> None:
        found = queued[:]
        begun.set()
        assert go_on.wait(10)
        sent.append(found)

    def compose(_app: App, _stop: Stop) -> None:
        queued.append("mail")

    senders = Job(name="deliver", every_s=lambda _s: 1, steps=(("deliver", deliver),))
    tick = Job(
        name="tick", every_s=lambda _s: 1, steps=(("compose", compose), ("deliver", deliver))
    )
    monkeypatch.setattr(runner, "JOBS", (senders, tick))
    daemon = Daemon(app)
    busy = threading.Thread(target=daemon.deliver)
    busy.start()
    assert begun.wait(10)
    daemon.tick()
    go_on.set()
    busy.join(10)
    assert sent == [[], ["mail"]]


def test_a_step_that_fails_is_told_of_and_stops_no_other(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def broken(_app: App, _stop: Stop) -> None:
        raise ZeroDivisionError

    def sound(_app: App, _stop: Stop) -> None:
        done.append("sound")

    steps = (("broken", broken), ("sound", sound))
    monkeypatch.setattr(runner, "JOBS", (Job(name="tick", every_s=lambda _s: 1, steps=steps),))
    with capture_logs() as logs:
        Daemon(app).tick()
    assert done == ["sound"]
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["broken"]


def test_a_daemon_told_to_stop_begins_no_further_step(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    daemon = Daemon(app)

    def first(_app: App, stop: Stop) -> None:
        done.append(f"first {stop()}")
        daemon.stop()
        done.append(f"first {stop()}")

    def second(_app: App, _stop: Stop) -> None:
        done.append("second")

    steps = (("first", first), ("second", second))
    monkeypatch.setattr(runner, "JOBS", (Job(name="tick", every_s=lambda _s: 1, steps=steps),))
    daemon.tick()
    assert done == ["first False", "first True"]
