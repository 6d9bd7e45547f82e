"""`python -m tests.benchmarks.scale.collect URL LISTINGS [learn]` merges a day into a store.

LISTINGS is a file of pickled batches, which are merged one after the other; with `learn` the ranker
then learns what the store teaches, as composing does. Prints a line of JSON for each step.
"""

import json
import os
import pickle
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from digest.domain.papers import Batch
from digest.domain.tiers import Tier
from digest.services.collect import Collected, keep
from digest.services.knowledge import Knowledge
from digest.store.database import open_engine, reading

Told = dict[str, float | str]


def main(url: str, path: Path, *, learning: bool) -> None:
    batches: list[tuple[str, Batch, datetime]] = pickle.loads(path.read_bytes())
    engine = open_engine(url)
    for what, batch, now in batches:
        with measured(what) as told:
            told.update(_counts(keep(engine, batch, now)))
    if learning:
        learn(engine, batches)


def learn(engine: Engine, batches: list[tuple[str, Batch, datetime]]) -> None:
    knowledge = Knowledge(Tier.CORE)
    at = batches[-1][2]
    for what in ("learn the whole store", "learn again, nothing new"):
        with measured(what), reading(engine) as session:
            knowledge.learn(session, at)
    _, batch, now = batches[0]
    keep(engine, batch, now + timedelta(hours=2))
    with measured("learn after the next reading"), reading(engine) as session:
        knowledge.learn(session, at)


@contextmanager
def measured(what: str) -> Iterator[Told]:
    told: Told = {"what": what}
    began, cpu = time.perf_counter(), time.process_time()
    yield told
    told |= {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - began,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "load": os.getloadavg()[0],
    }
    print(json.dumps(told), flush=True)


def _counts(done: Collected) -> Told:
    return {
        "listed": done.listed,
        "new": done.new,
        "known": done.known,
        "changed": done.changed_signals,
        "rejected": len(done.rejected),
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), learning="learn" in sys.argv)
