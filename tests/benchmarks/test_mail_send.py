"""From the ledger to Postfix's smtp-sink, beside what people would pick instead: `make bench`.

Every sender has two processes of ten connections, mails of one size, each for its reader, signed
with RSA-2048. Ours also records each; its CPU-seconds are those of all its processes, less what a
run with an empty queue takes. The sink's and the store's own are not counted. Bars of the project:
650 messages per CPU-second, three times nodemailer, fifteen times the obvious stack.
"""

import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.mail import runs
from tests.benchmarks.mail.ours import composed
from tests.benchmarks.mail.plans import Wanted, write_plan
from tests.benchmarks.mail.runs import Cost, environment, told
from tests.benchmarks.mail.servers import Missing, sink, tool
from tests.benchmarks.mail.world import Ledgers

MAILS = 5_000
PROCESSES = 2
CONNECTIONS = 10
NODE_MAILS = 1_500
OBVIOUS_MAILS = 300
DIFFERENT = 300
BAR = 650
TIMES = {"nodemailer": 3, "Jinja2 + EmailMessage + dkimpy + aiosmtplib": 15}


@pytest.mark.bench
def test_ledger_to_sink_beside_what_others_reach(
    ledgers: Ledgers, durable_postgres: str, signing_key: Path, tmp_path: Path
) -> None:
    postgres = ledgers.postgres(durable_postgres, MAILS)
    size = _size(ledgers, signing_key, tmp_path)
    wanted = Wanted(mails=DIFFERENT, size=size, key=signing_key)
    plan = write_plan(tmp_path / "plan.json", ledgers.sqlite(MAILS), wanted)
    print()
    with sink() as port:
        ours = {}
        for name, store in (("SQLite", ledgers.sqlite(MAILS)), ("PostgreSQL", postgres)):
            ours[name] = _ours(store, port, tmp_path, signing_key)
            told(f"ours on {name} (bar {BAR}/CPU-s)", replace(ours[name], size=size))
        node = _others(runs.nodemailer, plan, port, NODE_MAILS)
        obvious = _others(runs.obvious, plan, port, OBVIOUS_MAILS)
        _ceiling(port, round(size))
    for (other, times), cost in zip(TIMES.items(), (node, obvious), strict=True):
        if cost:
            told(other, cost)
            _compared(ours, other, cost, times)


def _size(ledgers: Ledgers, key: Path, folder: Path) -> float:
    settings = environment(ledgers.sqlite(MAILS), 25, folder, CONNECTIONS, key)
    return composed(settings, 100)[1].size


def _ours(store: str, port: int, folder: Path, key: Path) -> Cost:
    settings = environment(store, port, folder, CONNECTIONS, key)
    cost = runs.delivered(settings, folder, PROCESSES)
    assert cost.messages == MAILS
    return cost


def _others(command: Callable[..., list[str]], plan: Path, port: int, count: int) -> Cost | None:
    try:
        asked = command(plan, port, count // PROCESSES, CONNECTIONS)
    except Missing as exc:
        print(f"{exc}, so it is not measured")
        return None
    return runs.side_by_side([asked] * PROCESSES)


def _ceiling(port: int, size: int) -> None:
    """The same number of ready messages by Postfix's own generator, in C."""
    connections = str(PROCESSES * CONNECTIONS)
    amount = ["-l", str(size), "-m", str(MAILS), "-s", connections]
    command = [tool("smtp-source"), *amount, "-f", "a@b.example", f"127.0.0.1:{port}"]
    cpu, began = runs.children_cpu_s(), time.perf_counter()
    subprocess.run(command, check=True)
    wall = time.perf_counter() - began
    spent = runs.children_cpu_s() - cpu
    told("smtp-source, the ceiling", Cost(messages=MAILS, cpu_s=spent, wall_s=wall, size=size))


def _compared(ours: dict[str, Cost], other: str, cost: Cost, times: int) -> None:
    for name, mine in ours.items():
        by_cpu, by_wall = mine.per_cpu_s / cost.per_cpu_s, mine.per_s / cost.per_s
        print(
            f"  ours on {name} / {other}: {by_cpu:.1f} × per CPU-s,"
            f" {by_wall:.1f} × per s (bar {times} ×)"
        )
