"""The daemon as a real process whose machine's clock is moved by libfaketime."""

import json
import math
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pytest

from digest.mail.sink import Sink
from tests.commands import Desk

PATIENCE_S = 60.0
ROOT = Path(__file__).parents[2]
READERS = (
    ("night", "Europe/Berlin", 2),  # an hour that the 29th does not have
    ("morning", "Europe/Berlin", 8),
    ("evening", "America/New_York", 20),
    ("kathmandu", "Asia/Kathmandu", 6),
)
# the clock, and whose digest of which date has come by the next step
STEPS = (
    ("2026-03-28 20:00:00", ("night 28", "morning 28")),  # they joined after today's hour
    ("2026-03-28 23:54:00", ()),
    ("2026-03-29 00:00:00", ("evening 28",)),
    ("2026-03-29 00:09:00", ()),
    ("2026-03-29 00:15:00", ("kathmandu 29",)),
    ("2026-03-29 00:54:00", ()),
    ("2026-03-29 01:00:00", ("night 29",)),  # 3:00 in Berlin
    ("2026-03-29 05:54:00", ()),
    ("2026-03-29 06:00:00", ("morning 29",)),
    ("2026-03-30 00:00:00", ("night 30", "evening 29")),
    ("2026-03-30 00:15:00", ("kathmandu 30",)),
    ("2026-03-29 21:30:00", ()),  # set back over Berlin's midnight
    ("2026-03-30 06:00:00", ("morning 30",)),
    ("2026-03-30 12:00:00", ()),
)


def _library() -> str:
    places = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not places:
        pytest.skip("libfaketime is missing (Debian: apt-get install libfaketime)")
    return str(places[0])


class _Machine:
    """A daemon's process, and the clock that it sees."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self._clock = folder / "clock"
        self._process = process
        self._looks: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def set_clock(self, instant: str) -> None:
        """Set it, and wait for the tick that sees it: the source is asked in each."""
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(_offset(instant))
        fresh.replace(self._clock)
        looks = []
        try:
            while not looks or _minutes(looks[-1]) - _minutes(instant) not in range(3):
                looks.append(self._looks.get(timeout=PATIENCE_S))
        except queue.Empty as exc:
            raise AssertionError(f"{instant} was not seen: {looks} {self.log[-20:]}") from exc

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)

    def _read(self) -> None:
        for line in self._process.stderr or ():
            self.log.append(line)
            found = re.fullmatch(r'\{"ts": "([^"]+)", .*"event": "collected".*\}\n', line)
            if found:
                self._looks.put(found[1])


def _offset(instant: str) -> str:
    """What libfaketime adds to the machine's clock, so that it is that instant now."""
    ahead = datetime.fromisoformat(instant).replace(tzinfo=UTC) - datetime.now(UTC)
    return f"{math.ceil(ahead.total_seconds()):+d}\n"


def _minutes(instant: str) -> int:
    day, clock = int(instant[8:10]), instant[11:16]
    return (24 * day + int(clock[:2])) * 60 + int(clock[3:])


@contextmanager
def _running(folder: Path) -> Iterator[_Machine]:
    (folder / "clock").write_text(_offset(STEPS[0][0]))
    faked = {
        "LD_PRELOAD": _library(),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "TZ": "UTC",
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "digest", "run"],
        cwd=folder,
        env=os.environ | faked,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield _Machine(folder, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_for(sink: Sink, count: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while len(sink.received) < count and time.monotonic() < until:
        time.sleep(0.05)
    assert len(sink.received) == count


def _papers() -> str:
    lines = (
        {
            "id": str(n),
            "title": f"Continual learning, part {n}",
            "abstract": f"We study continual learning, part {n}.",
            "arxiv": f"2603.{n:05d}",
        }
        for n in range(1, 20)
    )
    return "".join(f"{json.dumps(line)}\n" for line in lines)


@pytest.mark.slow
def test_process_whose_clock_is_moved_mails_each_reader_once_per_local_date(
    desk: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    _library()
    monkeypatch.setenv("DIGEST_RANKING__TIER", "core")
    desk.write("papers.jsonl", _papers())
    desk.write(
        "config.toml",
        '[daemon]\ntick_s = 1\n[log]\nformat = "json"\n'
        '[[sources]]\nname = "papers"\nkind = "jsonl"\npath = "papers.jsonl"\nevery_minutes = 5\n',
    )
    for name, zone, hour in READERS:
        desk.ok(
            "subscribers", "add", f"{name}@example.com", "-i", "continual learning", "--tz", zone,
            "--hour", str(hour), "--max-papers", "2", "--confirmed", "--now", "2026-03-28T20:00Z",
        )  # fmt: skip
    came = []
    with _running(desk.folder) as machine:
        for instant, expected in STEPS:
            before = len(sink.received)
            machine.set_clock(instant)
            came.append(len(sink.received))
            _wait_for(sink, before + len(expected))
        machine.stop()
    ours = [line for line in machine.log if line.startswith("{")]
    assert all(json.loads(line) for line in ours), "one object a line, whichever thread writes"
    rows = desk.ok("deliveries", "list", "--limit", "0", "--json").json
    digests = {row["message_id"]: row for row in rows if row["kind"] == "digest"}
    assert {row["state"] for row in digests.values()} == {"sent"}, machine.log
    names = [digests[str(message_from_bytes(one.content)["Message-ID"])] for one in sink.received]
    found = [f"{row['email'].partition('@')[0]} {row['digest_on'][8:]}" for row in names]
    so_far: list[str] = []
    for number, (_instant, expected) in enumerate(STEPS):
        assert sorted(found[len(so_far) :][: len(expected)]) == sorted(expected)
        assert came[number] >= len(so_far), "all that was due before has come"
        so_far += expected
        assert came[number] <= len(so_far), "and nothing that was not due"
    assert Counter(found) == Counter(so_far)
