"""Memory while a long ledger is sent: `make bench`, of 20,000 mails unless DIGEST_BENCH_MAILS says.

The bar of the project is 300 MB per process, flat, for 100,000 mails.
"""

import os
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.mail.runs import DELIVER, environment
from tests.benchmarks.mail.servers import sink
from tests.benchmarks.mail.world import Ledgers, sent

MAILS = int(os.environ.get("DIGEST_BENCH_MAILS", "20000"))
PROCESSES = 2
EVERY_S = 1.0
SETTLED = 0.3  # the part of a run after which nothing is loaded any more
BAR_MB = 300

Samples = dict[int, list[tuple[float, float]]]  # process → (seconds, MB resident)


@pytest.mark.bench
def test_memory_stays_flat(ledgers: Ledgers, signing_key: Path, tmp_path: Path) -> None:
    store = ledgers.sqlite(MAILS)
    with sink() as port:
        settings = environment(store, port, tmp_path, 10, signing_key)
        samples, wall = _watched(settings, tmp_path)
    print(f"\n{MAILS:,} mails in {wall:.0f} s by {PROCESSES} processes (bar {BAR_MB} MB, flat)")
    for number, taken in sorted(samples.items()):
        peak = max(mb for _, mb in taken)
        print(f"process {number}: peak {peak:.0f} MB, {_growth(taken, wall):+.2f} MB per 10,000")
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
                    samples[number].append((time.perf_counter() - began, mb))
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


def _growth(taken: list[tuple[float, float]], wall: float) -> float:
    """MB per 10,000 mails of the run, once it has settled."""
    late = [(at, mb) for at, mb in taken if at > SETTLED * wall]
    if len(late) < 3:
        return 0.0
    per_second = float(np.polyfit(*zip(*late, strict=True), 1)[0])
    return per_second * wall / MAILS * 10_000
