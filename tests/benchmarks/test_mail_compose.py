"""From a row of the ledger to signed bytes, beside what most people would write: `make bench`.

Both put ten papers, with a reason for each, into text and HTML for one reader, and sign them with
RSA-2048 (RFC 6376). The bar of the project is 900 messages per CPU-second.
"""

import json
import time
from pathlib import Path

import pytest

from tests.benchmarks.mail.obvious import Stack
from tests.benchmarks.mail.ours import composed
from tests.benchmarks.mail.plans import Wanted, write_plan
from tests.benchmarks.mail.runs import Cost, environment, told
from tests.benchmarks.mail.world import Ledgers

OURS = 5_000
THEIRS = 100
BAR = 900


@pytest.mark.bench
def test_cost_of_composing_and_signing(ledgers: Ledgers, signing_key: Path, tmp_path: Path) -> None:
    store = ledgers.sqlite(OURS)
    settings = environment(store, 25, tmp_path, 10, signing_key)
    cost, again, ready = composed(settings, OURS)
    signed = all(b"dkim-signature:" in mail.content[:4_000].lower() for mail in ready)
    print()
    told(f"ours, {'signed' if signed else 'NOT signed'}, from a fresh start", cost)
    told(f"  the same again: all papers known (bar {BAR}/CPU-s)", again)
    plan = write_plan(
        tmp_path / "plan.json", store, Wanted(mails=THEIRS, size=cost.size, key=signing_key)
    )
    other = _obvious(plan)
    told("Jinja2 + EmailMessage + dkimpy", other)
    print(f"ours / theirs: {cost.per_cpu_s / other.per_cpu_s:.1f} ×")
    assert len(ready) == OURS


def _obvious(plan: Path) -> Cost:
    words = json.loads(plan.read_text())
    stack = Stack(words)
    cpu, began = time.process_time(), time.perf_counter()
    sizes = [len(stack.bytes_of(mail)) for mail in words["mails"]]
    spent, wall = time.process_time() - cpu, time.perf_counter() - began
    return Cost(messages=len(sizes), cpu_s=spent, wall_s=wall, size=sum(sizes) / len(sizes))
