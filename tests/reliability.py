"""What the tests of faults, hostile input and privacy tried, as docs/reliability.md tells it.

    record("kill sweep", "SQLite", points=57, lost=0)     in a test
    DIGEST_RELIABILITY=DIR pytest …                       keeps what is recorded in files in DIR
    python -m tests.reliability DIR                       writes the page from them

`make soak` does all of it. Of a row that is recorded several times, whole numbers are added up, of
other numbers the largest stays, of texts the last. A room without records keeps its former rows.
"""

import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

Value = int | float | str
Rows = dict[str, dict[str, Value]]

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
# Read once: tests take the project's variables out of the environment.
_FOLDER = os.environ.get("DIGEST_RELIABILITY")

ROOMS = {
    "simulator": "Simulated life on a virtual clock, judged by the mails that were received.",
    "mutants": "Bugs planted on purpose, and the first seed of the simulator that found each.",
    "kill sweep": "The real program, killed at each commit and each step of SMTP, then run again.",
    "SMTP server faults": "What a relay did, and what became of the mails.",
    "HTTP faults": "What the server of a source did; the other sources must not notice.",
    "store faults": "Disks, locks, lost replies, damaged files, migrations that were killed.",
    "hosts under fire": "Three workers on hosts of their own ([faults.md](faults.md)).",
    "hostile strings": "Strings that broke others' programs, from each door to each exit.",
    "feeds corpus": "Feeds of other projects' tests: no crash, no active content, no network.",
    "addresses": "Addresses of other projects' tests, and which of them may be mailed.",
    "fuzzing": "Input made up at random, guided by what the code does with it.",
    "privacy": "An erased address looked for in every byte; secrets looked for in every output.",
}
INTRO = (
    "<!-- Made by 'make soak': change what it is made from, not this page. -->",
    "# Reliability",
    "What was tried to break the promises, and what came of it. Every row is written by the test"
    " that did it, and that test fails where a promise is broken: so the page says how much was"
    " tried, not whether it went well.",
    "Make it again as root on Linux with `make soak`, which takes hours; a sample of each is part"
    " of `make test-all`.",
)


def record(room: str, row: str, **counts: Value) -> None:
    """Keep what a test tried, where DIGEST_RELIABILITY names a folder; otherwise do nothing."""
    if _FOLDER:
        _append(Path(_FOLDER), room, row, counts)


def _append(folder: Path, room: str, row: str, counts: dict[str, Value]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"room": room, "row": row, "counts": counts})
    with (folder / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


# The page


def report(folder: Path, former: str, made: str) -> str:
    """The page: rooms with records anew, each `made` so, the others as they stand in `former`."""
    fresh = {room: _section(room, rows, made) for room, rows in _added_up(_records(folder)).items()}
    sections = _sections(former) | fresh
    known = [room for room in ROOMS if room in sections]
    others = sorted(sections.keys() - ROOMS.keys())
    return "\n\n".join([*INTRO, *(sections[room] for room in (*known, *others))]) + "\n"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One call of `record`."""

    room: str
    row: str
    counts: dict[str, Value]


def _records(folder: Path) -> list[Record]:
    lines = [
        line
        for path in sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return [Record(**json.loads(line)) for line in lines]


def _added_up(records: Iterable[Record]) -> dict[str, Rows]:
    """Room, row, count: rooms and rows in the order of their first record."""
    rooms: dict[str, Rows] = {}
    for one in records:
        row = rooms.setdefault(one.room, {}).setdefault(one.row, {})
        for name, value in one.counts.items():
            row[name] = _together(row[name], value) if name in row else value
    return rooms


def _together(old: Value, new: Value) -> Value:
    if isinstance(old, str) or isinstance(new, str):
        return new
    if isinstance(old, float) or isinstance(new, float):
        return max(old, new)
    return old + new


def _section(room: str, rows: Rows, made: str) -> str:
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    table = [["", *(name.replace("_", " ") for name in columns)]]
    table += [[row, *(_shown(rows[row].get(name)) for name in columns)] for row in rows]
    lines = [f"| {' | '.join(_cell(cell) for cell in line)} |" for line in table]
    lines.insert(1, "|" + "---|" * (len(columns) + 1))
    about = [ROOMS[room]] if room in ROOMS else []
    return "\n\n".join([f"## {_title(room)}", *about, "\n".join(lines), made])


def _sections(page: str) -> dict[str, str]:
    """What stands below each heading of a page of ours, by the room."""
    rooms = {_title(room): room for room in ROOMS}
    found = re.findall(r"^## ([^\n]*)\n.*?(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    texts = re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]
    named = zip(found, texts, strict=True)
    return {rooms.get(title, _room(title)): text.strip() for title, text in named}


def _title(room: str) -> str:
    return room[:1].upper() + room[1:]


def _room(title: str) -> str:
    return title[:1].lower() + title[1:]


def _shown(value: Value | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def machine() -> str:
    """The kind of machine, the versions and the day of the commit, as one sentence."""
    commit = subprocess.run(
        ["git", "log", "-1", "--format=%cs"], cwd=ROOT, check=False, capture_output=True, text=True
    ).stdout.strip()
    return (
        f"Measured on {os.cpu_count()} cores ({platform.machine()}, {platform.system()}) with"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version} and {_server()};"
        f" commit of {commit or 'no known day'}."
    )


def _server() -> str:
    from tests import postgres  # which tests that only record have no use for

    try:
        program = postgres._binaries() / "postgres"
    except postgres.NoPostgres:
        return "no PostgreSQL"
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return " ".join(re.findall(r"PostgreSQL|[\d.]+", said)[:2])


def main(folder: Path, page: Path = PAGE) -> None:
    """Write the page."""
    former = page.read_text(encoding="utf-8") if page.is_file() else ""
    page.write_text(report(folder, former, machine()), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
