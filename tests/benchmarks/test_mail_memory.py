"""Memory while a long ledger is sent: `make bench`, of 20,000 mails unless DIGEST_BENCH_MAILS says.

The bar of the project is 300 MB per process, flat, for 100,000 mails.
"""

import os
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.benchmarks.mail.runs import DELIVER, Cost, children_cpu_s, environment, told
from tests.benchmarks.mail.servers import sink
from tests.benchmarks.mail.world import Ledgers, sent

MAILS = int(os.environ.get("DIGEST_BENCH_MAILS", "20000"))
PROCESSES = 2
EVERY_S = 1.0
TOLD = 10
BAR_MB = 300

Samples = dict[int, list[float]]  # process → MB resident, one a second


@pytest.mark.bench
def test_memory_stays_flat(ledgers: Ledgers, signing_key: Path, tmp_path: Path) -> None:
    store = ledgers.sqlite(MAILS)
    with sink() as port:
        settings = environment(store, port, tmp_path, 10, signing_key)
        cpu = children_cpu_s()
        samples, wall = _watched(settings, tmp_path)
        cost = Cost(messages=MAILS, cpu_s=children_cpu_s() - cpu, wall_s=wall)
    print()
    told(f"a long ledger on SQLite, {PROCESSES} processes, start-up and all", cost)
    for taken in samples.values():
        if len(taken) > TOLD:
            peak = max(taken)
            told_at = " ".join(f"{mb:4.0f}" for mb in _over_time(taken))
            print(f"  a process: peak {peak:.0f} MB (bar {BAR_MB}, flat); over time {told_at}")
    assert sent(store) == MAILS


def _watched(settings: dict[str, str], folder: Path) -> tuple[Samples, float]:
    samples: Samples = defaultdict(list)
    began = time.perf_counter()
    command = [*DELIVER, "--processes", str(PROCESSES)]
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(command, env=settings, cwd=folder, stdout=said, stderr=said)
        while process.poll() is None:
            for number in (process.pid, *_children(process.pid)):
                if mb := _resident_mb(number):
                    samples[number].append(mb)
            time.sleep(EVERY_S)
    assert process.returncode == 0, (folder / "said").read_text()
    return samples, time.perf_counter() - began


def _children(number: int) -> list[int]:
    try:
        return [int(n) for n in Path(f"/proc/{number}/task/{number}/children").read_text().split()]
    except OSError:
        return []


def _resident_mb(number: int) -> float:
    """Resident memory; 0 of a process that has ended."""
    try:
        lines = Path(f"/proc/{number}/status").read_text().splitlines()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(found[0]) / 1024 if found else 0.0


def _over_time(taken: list[float]) -> list[float]:
    """The memory after each tenth of the run."""
    return [taken[(len(taken) - 1) * part // TOLD] for part in range(1, TOLD + 1)]
