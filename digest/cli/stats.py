"""`digest stats`: what the last days brought, as a table and as lines of bars."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Now, open_app
from digest.cli.output import Json, emit_json, say, table
from digest.domain.deliveries import State
from digest.domain.sparkline import sparkline

if TYPE_CHECKING:
    from digest.services.journal import DayStats

WIDTH = 48
SHOWN = (State.SENT, State.SKIPPED, State.DEFERRED, State.FAILED)

Column = tuple[str, Callable[["DayStats"], int]]


def overall(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many days.")] = 14,
    as_json: Json = False,
    now: Now = None,
) -> None:
    """Subscribers, papers, deliveries and opt-outs by day (UTC).

    Deliveries count on the day they were queued, in the state they have now. Example: digest stats
    --days 30
    """
    from digest.services.journal import Journal

    app = open_app(now)
    journal = Journal(app.engine)
    by_day, people = journal.days(app.clock(), days), journal.people()
    if as_json:
        emit_json(map(_object, by_day))
        return
    counts = (f"{count:,} {status.value}" for status, count in people.items())
    say("subscribers: " + " · ".join(counts))
    columns = _columns()
    for name, figure in columns:
        if line := _line(name, [figure(day) for day in by_day]):
            say(line)
    _table(columns, by_day)


def _columns() -> list[Column]:
    def queued(state: State) -> Callable[["DayStats"], int]:
        return lambda day: day.deliveries.get(state, 0)

    fixed: list[Column] = [
        ("papers", lambda day: day.papers),
        ("joined", lambda day: day.joined),
        ("left", lambda day: day.left),
    ]
    return fixed + [(state.value, queued(state)) for state in SHOWN]


def _line(name: str, values: Sequence[int]) -> str:
    """Such as `sent      ▁▃▅█▅  1,204 in all, 120 at most`; empty where there is nothing."""
    if not any(values):
        return ""
    bars = sparkline(values, WIDTH, plain=not _draws_bars())
    return f"{name:9} {bars}  {sum(values):,} in all, {max(values):,} at most"


def _draws_bars() -> bool:
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return sys.stdout.isatty() and encoding == "utf8"


def _table(columns: Sequence[Column], by_day: Sequence["DayStats"]) -> None:
    rows = [(str(day.day), *(str(figure(day)) for _, figure in columns)) for day in by_day]
    names = ["day", *(name for name, _ in columns)]
    if sys.stdout.isatty():  # figures stand under one another
        widths = [max(map(len, cells)) for cells in zip(names, *rows, strict=True)]
        names = [name.rjust(width) for name, width in zip(names, widths, strict=True)]
        rows = [tuple(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    table(names, rows, empty="no days")


def _object(day: "DayStats") -> dict[str, Any]:
    return {
        "day": day.day,
        "papers": day.papers,
        "joined": day.joined,
        "left": day.left,
        "deliveries": {state.value: day.deliveries.get(state, 0) for state in State},
    }
