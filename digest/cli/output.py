"""How the command line speaks: tables on a terminal, plain lines in a pipe, JSON on request.

Nothing from outside reaches the terminal with a control character in it: an escape sequence in a
title could otherwise rewrite the screen or the clipboard.
"""

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_JOINERS = "\u200c\u200d"
_UNSHOWN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")

LAST_LEAST = 24
OTHERS_LEAST = 8

Json = Annotated[bool, typer.Option("--json", help="One JSON array of objects on stdout.")]
Limit = Annotated[
    int, typer.Option("--limit", min=0, max=2**31 - 1, help="At most so many rows; 0 for all.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]


def printable(text: object) -> str:
    """One line without control, format or surrogate characters, and other ends of lines."""
    return "".join(c if _shown(c) else " " for c in str(text)).rstrip()


def _shown(char: str) -> bool:
    # joiners belong to emoji and to several scripts; they move no cursor
    return char in _JOINERS or unicodedata.category(char) not in _UNSHOWN


def say(text: str) -> None:
    """One line for the reader on stdout."""
    sys.stdout.write(printable(text) + "\n")


def note(text: str) -> None:
    """One line beside the result, on stderr."""
    sys.stderr.write(printable(text) + "\n")


def point(*lines: str) -> None:
    """A text and a mark under a place in it, on a terminal's stderr only: errors are one line."""
    if sys.stderr.isatty():
        for line in lines:
            note(f"  {line}")


def fail(text: str) -> None:
    """One error line on stderr."""
    note(f"error: {text}")


def instant(value: datetime | None) -> str | None:
    """A UTC instant as ISO 8601 with `Z`."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def emit_json(objects: Iterable[Mapping[str, Any]]) -> None:
    """One JSON array on stdout, an object a line, written as they come."""
    sys.stdout.write("[")
    for index, item in enumerate(objects):
        sys.stdout.write(",\n " if index else "\n ")
        sys.stdout.write(_escaped(json.dumps(item, ensure_ascii=False, default=_json_value)))
    sys.stdout.write("\n]\n")


def _escaped(written: str) -> str:
    """JSON with what may not reach a terminal as escapes, which mean the same to a program."""
    if written.isprintable():
        return written
    return "".join(c if _shown(c) else json.dumps(c)[1:-1] for c in written)


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table on a terminal; in a pipe tab-separated lines under a header line.

    `empty` is said on stderr when there is no row. The last column takes what width is left.
    """
    lines = [[printable("" if cell is None else cell) for cell in row] for row in rows]
    if not lines:
        note(empty)
        return
    if not sys.stdout.isatty():
        for line in [list(columns), *lines]:
            sys.stdout.write("\t".join(line) + "\n")
        return
    console = Console()
    drawn = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    widths = _widths([list(columns), *lines], console.width)
    for column, width in zip(columns[:-1], widths, strict=True):
        drawn.add_column(column, overflow="ellipsis", no_wrap=True, width=width)
    drawn.add_column(columns[-1], overflow="fold")
    for line in lines:
        drawn.add_row(*(Text(cell) for cell in line))
    console.print(drawn)


def _widths(rows: Sequence[Sequence[str]], screen: int) -> list[int]:
    """The widths of all columns but the last, which is left its own or at least LAST_LEAST: the
    widest of the others give way first.
    """
    natural = [max(cell_len(row[n]) for row in rows) for n in range(len(rows[0]))]
    widths, last = natural[:-1], min(natural[-1], LAST_LEAST)
    while sum(widths) + 2 * len(widths) + last > screen and max(widths, default=0) > OTHERS_LEAST:
        widths[widths.index(max(widths))] -= 1
    return widths


def fields(pairs: Iterable[tuple[str, object]]) -> None:
    """Name and value, a line each; on a terminal in two columns."""
    rows = [(name, printable("" if value is None else value)) for name, value in pairs]
    if not sys.stdout.isatty():
        for name, value in rows:
            sys.stdout.write(f"{name}\t{value}\n")
        return
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(style="bold")
    drawn.add_column(overflow="fold")
    for name, value in rows:
        drawn.add_row(name, Text(value))
    Console().print(drawn)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal's stderr, nothing in a pipe; yields a step to call."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    done = TextColumn("{task.completed}")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), done)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)
