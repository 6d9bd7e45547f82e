"""`python -m tests.benchmarks.scale.compose URL DAYS` composes for all who are due, day by day.

Prints a line of JSON for each day: what was composed, the CPU-seconds of this process (user and
system), the seconds, its peak memory so far in MB and what it holds afterwards.
"""

import gc
import json
import os
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path

from digest.domain.tiers import Tier
from digest.services.compose import Composer, Policy, Who
from digest.store.database import open_engine
from tests.builders import NOON

DUE = NOON + timedelta(hours=2)
POLICY = Policy(
    lookback_days=7,
    threshold=0.25,
    domain="papers.example",
    secret="s" * 32,
    beyond=1,
    tier=Tier.AUTO,
)


def main(url: str, days: int) -> None:
    engine = open_engine(url)
    composer = Composer(engine, POLICY)
    for day in range(days):
        began, cpu = time.perf_counter(), time.process_time()
        done = composer.compose(Who(), DUE + timedelta(days=day))
        spent, wall = time.process_time() - cpu, time.perf_counter() - began
        gc.collect()
        print(
            json.dumps(
                {
                    "due": done.due,
                    "papers": done.papers,
                    "composed": done.composed,
                    "skipped": done.skipped.total(),
                    "failed": len(done.failed),
                    "cpu_s": spent,
                    "wall_s": wall,
                    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    "held_mb": resident_mb(),
                    "load": os.getloadavg()[0],
                }
            ),
            flush=True,
        )


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
