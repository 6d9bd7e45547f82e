"""Log lines: what a machine and a person read, whatever comes from outside."""

import json
import logging
from datetime import UTC, date, datetime

import pytest
import structlog

from digest.domain.deliveries import State
from digest.logs import configure

HOSTILE = "evil\x1b[2J\x9b31m\u202egnp\r\nlevel=error event=forged"


@pytest.fixture(autouse=True)
def _as_before():
    yield
    structlog.reset_defaults()


@pytest.fixture
def logged(capsys):
    """Log one event in a form; the text that went to stderr."""

    def log(form, event, **fields):
        configure("info", form)
        structlog.get_logger("test").warning(event, **fields)
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    return log


def test_json_is_one_object_a_line_with_the_utc_time_first(logged):
    text = logged("json", "run", sent=3, state=State.SENT, at=date(2026, 3, 12), none=None)
    assert text.count("\n") == 1
    found = json.loads(text)
    assert list(found)[:3] == ["ts", "level", "event"]
    assert datetime.fromisoformat(found["ts"]).tzinfo == UTC
    assert (found["level"], found["event"], found["sent"]) == ("warning", "run", 3)
    assert (found["state"], found["at"], found["none"]) == ("sent", "2026-03-12", None)


@pytest.mark.parametrize("form", ["json", "console"])
def test_nothing_from_outside_acts_on_a_terminal_or_forges_a_line(logged, form):
    text = logged(form, "collected", note=HOSTILE, nested={"a": [HOSTILE]})
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()
    assert "evil" in text


def test_a_console_line_reads_as_time_level_event_and_fields(logged):
    text = logged("console", "not sent", email="ada@example.com", error="451 try later", none=None)
    stamp, _, rest = text.partition("Z ")
    assert len(stamp) == len("2026-03-12 08:00:02")
    assert rest == 'warn  not sent  email=ada@example.com error="451 try later" none=-\n'


def test_a_defect_keeps_its_trace_in_both_forms(logged, capsys):
    for form in ("json", "console"):
        configure("info", form)
        try:
            int("odd \x1b[2J")
        except ValueError:
            structlog.get_logger("test").exception("tick")
        text = capsys.readouterr().err
        assert "Traceback" in text
        assert "ValueError" in text
        assert "\x1b" not in text


def test_what_is_below_the_level_is_not_written(capsys):
    configure("error", "console")
    structlog.get_logger("test").warning("quiet")
    assert capsys.readouterr().err == ""


def test_a_long_delivery_writes_no_line_at_each_tick_that_it_outlasts():
    configure("debug", "json")
    scheduler = logging.getLogger("apscheduler.scheduler")
    assert not scheduler.isEnabledFor(logging.WARNING)
    assert scheduler.isEnabledFor(logging.ERROR)
