"""How the daemon's log lines look: for people on a console, or as JSON for machines.

JSON: one object a line, with `ts` (UTC, ISO 8601), `level`, `event`, and the event's own fields. On
a console: time, level, event, then `name=value`, with colours on a terminal. Nothing from outside
reaches either with a control character in it.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, WrappedLogger

Form = Literal["console", "json"]

_LEVELS = {"debug": "debug", "info": "info ", "warning": "warn ", "error": "ERROR"}


def configure(level: str, form: Form) -> None:
    """Set up structlog: one line an event on stderr, with the UTC time."""
    is_json = form == "json"
    stamp = "iso" if is_json else "%Y-%m-%d %H:%M:%SZ"
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt=stamp, utc=True, key="ts"),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            _as_json if is_json else Console(colours=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        # it writes a line at once; PrintLogger writes line and end apart, and threads get between
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,  # or a logger would outlive a change of settings
    )
    # a delivery that outlasts its interval is no news, and its lines would not be of this form
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """The usual fields first; whatever has no JSON form is written as text."""
    first = {name: event.pop(name) for name in ("ts", "level", "event") if name in event}
    return json.dumps(_cleaned(first | dict(event)), ensure_ascii=False, default=str)


def _cleaned(value: Any) -> Any:
    """The value with no character in it that could act on a terminal; json.dumps escapes only those
    below a space.
    """
    if isinstance(value, str):
        return _visible(str(value))
    if isinstance(value, Mapping):
        return {_visible(str(name)): _cleaned(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    return value


def _visible(text: str) -> str:
    """Control, format and surrogate characters as escapes, line ends but for JSON's own too."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


class Console:
    """Writes an event for people: `2026-03-12 08:00:02Z info  run  sent=12 failed=0`."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        """One line; the trace of a defect follows on lines of its own."""
        trace = "".join(f"\n{event.pop(name)}" for name in ("stack", "exception") if name in event)
        level = str(event.pop("level", "info"))
        stamp, said = str(event.pop("ts", "")), _one_line(str(event.pop("event", "")))
        told = " ".join(f"{name}={_value(value)}" for name, value in event.items())
        line = f"{stamp} {self._level(level)} {said}  {told}".rstrip()
        return line + "\n".join(_visible(part) for part in trace.split("\n"))

    def _level(self, level: str) -> str:
        word = _LEVELS.get(level, level)
        if not self._colours:
            return word
        colour = {"warning": "33", "error": "31;1", "critical": "31;1"}.get(level, "2")
        return f"\x1b[{colour}m{word}\x1b[0m"


def _value(value: Any) -> str:
    """Plainly, where it is one word; else in quotation marks."""
    if value is None:
        return "-"
    text = _one_line(str(value))
    return (
        text
        if text and " " not in text and '"' not in text
        else json.dumps(text, ensure_ascii=False)
    )


def _one_line(text: str) -> str:
    return _visible(" ".join(text.split()))
