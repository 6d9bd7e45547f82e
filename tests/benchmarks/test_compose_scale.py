"""Composing for a crowd, on both engines: CPU-seconds and memory of a process of its own.

The bars of the project: 25 CPU-seconds and 700 MB for 100,000 subscribers × 1,000 papers, at most
10.5 times the time and 1.3 times the memory for 1,000,000. `make bench` takes 20,000 and 40,000;
the sizes of the bars are measured with

    DIGEST_BENCH_READERS=100000,1000000 python -m pytest -s tests/benchmarks/test_compose_scale.py
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from digest.services.collect import keep
from digest.store.database import open_engine
from tests.benchmarks.scale import people, shelves
from tests.benchmarks.scale.bulk import settle
from tests.builders import NOON, a_batch
from tests.conftest import SHARED

ROOT = Path(__file__).resolve().parents[2]
SIZES = tuple(map(int, os.environ.get("DIGEST_BENCH_READERS", "20000,40000").split(",")))
DAYS = int(os.environ.get("DIGEST_BENCH_DAYS", "2"))
PAPERS = 1_000
BARRED_FROM = 100_000
MOST_CPU_S, MOST_MB = 25.0, 700.0  # for so many
GROWTH, MORE_MEMORY = 10.5, 1.3  # from 100,000 to 1,000,000

Figures = list[dict[str, float]]  # a day each


@pytest.mark.bench
@pytest.mark.parametrize("readers", SIZES)
def test_composing_for_a_crowd(store_url: str, readers: int) -> None:
    fill(store_url, readers)
    days = composed(store_url)
    print()
    for number, day in enumerate(days, start=1):
        told(f"{readers:,} readers, {_engine(store_url)}, day {number}", day)
    first = days[0]
    assert (first["due"], first["papers"], first["failed"]) == (readers, PAPERS, 0)
    assert first["composed"] == readers
    if readers >= BARRED_FROM:
        room = readers / BARRED_FROM
        assert first["cpu_s"] <= MOST_CPU_S * (1 if room == 1 else GROWTH / 10 * room)
        assert max(day["peak_mb"] for day in days) < MOST_MB * (1 if room == 1 else MORE_MEMORY)


def fill(url: str, readers: int) -> None:
    """A store with the papers of a day, and so many who are due."""
    shared = SHARED if SHARED.is_dir() else None
    listings = shelves.shelf(shared, PAPERS)
    wishes = people.Wishes.of(shelves.shelf(shared, 5 * PAPERS))
    engine = open_engine(url)
    keep(engine, a_batch(*listings), NOON)
    engine.dispose()
    people.add_people(url, wishes, readers, NOON)
    settle(url)


def composed(url: str) -> Figures:
    command = [sys.executable, "-m", "tests.benchmarks.scale.compose", url, str(DAYS)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def told(what: str, day: dict[str, float]) -> None:
    each = day["cpu_s"] / day["due"] * 1e6
    print(
        f"{what:44} {day['cpu_s']:7.1f} CPU-s {day['wall_s']:7.1f} s {each:5.0f} µs each,"
        f" peak {day['peak_mb']:4.0f} MB, then {day['held_mb']:4.0f} MB, load {day['load']:.1f}"
    )


def _engine(url: str) -> str:
    return "PostgreSQL" if url.startswith("postgresql") else "SQLite"
