"""A daemon with nothing to do: how soon it is ready, what it holds, and what it costs.

1,000 readers and 3,000 papers on SQLite. CPU is the process's own; to be ready is counted in CPU
too, because the wall belongs to whatever else the machine does. Memory is what the process has
resident (`VmRSS`).
"""

import json
import os
import random
import signal
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest
from sqlalchemy import text

from digest.store.database import open_engine, transaction
from tests.commands import Desk

pytestmark = pytest.mark.bench

PAPERS, READERS = 3_000, 1_000
IDLE_S = 60.0
SETTLED_S = 25.0  # a tick and more
MOST_MB, MOST_SHARE, READY_S = 120, 0.005, 2.0
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
STEMS = ("neural", "causal", "sparse", "robust", "visual", "graph", "policy", "token", "speech")
ENDS = ("learning", "inference", "retrieval", "agents", "kernels", "alignment", "memory", "search")


@pytest.fixture
def town(desk: Desk) -> Desk:
    """A store whose readers have all got their digest of today."""
    dice = random.Random(1)

    def words(count: int) -> str:
        return " ".join(dice.choice(STEMS) + " " + dice.choice(ENDS) for _ in range(count))

    papers = [
        {"id": str(n), "title": words(4), "abstract": words(80), "arxiv": f"2603.{n:05d}"}
        for n in range(PAPERS)
    ]
    desk.write("papers.jsonl", "".join(json.dumps(paper) + "\n" for paper in papers))
    readers = "".join(f"r{n}@example.com,{words(1)};{words(1)},active\n" for n in range(READERS))
    desk.write("readers.csv", "email,interests,status\n" + readers)
    source = '[[sources]]\nname = "papers"\nkind = "jsonl"\npath = "papers.jsonl"\n'
    desk.write("config.toml", source)
    desk.ok("fetch")
    desk.ok("subscribers", "import", "readers.csv")
    engine = open_engine(f"sqlite:///{desk.folder / 'digest.sqlite3'}")
    with transaction(engine) as session:
        later = {"later": str((datetime.now(UTC) + timedelta(hours=12)).replace(tzinfo=None))}
        session.execute(text("UPDATE subscribers SET next_digest_at = :later"), later)
        session.execute(text("UPDATE deliveries SET state = 'cancelled'"))
    engine.dispose()
    return desk


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def _resident_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("command", ["run", "worker"])
def test_an_idle_daemon(command: str, town: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_WEB__PORT", str(_free_port()))
    monkeypatch.setenv("NOTIFY_SOCKET", str(town.folder / "told"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(town.folder / "told"))
        told.settimeout(60)
        begun = time.monotonic()
        process = Popen([sys.executable, "-m", "digest", command], cwd=town.folder, stderr=DEVNULL)
        try:
            while b"READY=1" not in told.recv(1000):
                pass
            wall, ready = time.monotonic() - begun, _cpu_s(process.pid)
            time.sleep(SETTLED_S)
            before = _cpu_s(process.pid)
            time.sleep(IDLE_S)
            share = (_cpu_s(process.pid) - before) / IDLE_S
            held = _resident_mb(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    print(
        f"\ndigest {command}: ready after {ready:.2f} CPU-s ({wall:.1f} s); "
        f"idle {held:.0f} MB, {100 * share:.2f} % CPU"
    )
    assert ready < READY_S
    assert held < MOST_MB
    assert share < MOST_SHARE
