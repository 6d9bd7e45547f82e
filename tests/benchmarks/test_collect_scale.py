"""Collecting a day into a large store, on both engines, in a process of its own: `make bench`.

The bar of the project: a day of 2,000 papers into a store of 500,000 within 30 seconds. `make
bench` takes a store of 20,000, of which the ranker then learns too; the bar's size is measured with

    DIGEST_BENCH_PAPERS=500000 python -m pytest -s tests/benchmarks/test_collect_scale.py
"""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from digest.domain.papers import Attention, Listing
from tests.benchmarks.scale import archive, shelves
from tests.benchmarks.scale.bulk import settle
from tests.builders import NOON, a_batch, an_arxiv_alias
from tests.conftest import SHARED

ROOT = Path(__file__).resolve().parents[2]
PAPERS = int(os.environ.get("DIGEST_BENCH_PAPERS", "20000"))
DAY = 2_000
REPEATED = 500  # of the day's listings that the store has: another version, other upvotes
MOST_S = 30.0
LEARNT = 20_000  # a larger store takes minutes to learn

Steps = list[dict[str, float | str]]


@pytest.mark.bench
def test_a_day_into_a_large_store(store_url: str, tmp_path: Path) -> None:
    texts = shelves.shelf(SHARED if SHARED.is_dir() else None, 5_000)
    archive.add_archive(store_url, texts, PAPERS, NOON)
    settle(store_url)
    path = tmp_path / "day"
    first, again = day_of(texts, 10), day_of(texts, 25)
    later = NOON + timedelta(hours=1)
    path.write_bytes(
        pickle.dumps(
            [
                ("a day of 2,000", a_batch(*first), NOON),
                ("the day once more, an hour later", a_batch(*again, fetched_at=later), later),
            ]
        )
    )
    steps = collected(store_url, path)
    engine = "PostgreSQL" if store_url.startswith("postgresql") else "SQLite"
    print()
    for step in steps:
        told(f"{PAPERS:,} papers, {engine}: {step['what']}", step)
    day, same = steps[:2]
    assert (day["listed"], day["new"], day["rejected"]) == (DAY, DAY - REPEATED, 0)
    assert (same["new"], same["known"]) == (0, DAY)
    assert float(day["wall_s"]) <= MOST_S


def day_of(texts: Sequence[Listing], upvotes: int) -> list[Listing]:
    """What one day lists: new papers, and some of the last days' again."""
    repeated = [_listed(texts, number, upvotes) for number in range(PAPERS - REPEATED, PAPERS)]
    new = [_listed(texts, PAPERS + number, upvotes) for number in range(1, DAY - REPEATED + 1)]
    return repeated + new


def _listed(texts: Sequence[Listing], number: int, upvotes: int) -> Listing:
    arxiv = archive.arxiv_of(number)
    return replace(
        texts[number % len(texts)],
        title=archive.title_of(texts, number),
        aliases=(an_arxiv_alias(arxiv),),
        url=f"https://arxiv.org/abs/{arxiv}",
        attention=Attention(upvotes=upvotes + number % 60),
    )


def collected(url: str, path: Path) -> Steps:
    command = [sys.executable, "-m", "tests.benchmarks.scale.collect", url, str(path)]
    command += ["learn"] if PAPERS <= LEARNT else []
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def told(what: str, step: dict[str, float | str]) -> None:
    cost = f"{step['cpu_s']:6.1f} CPU-s {step['wall_s']:6.1f} s, peak {step['peak_mb']:4.0f} MB"
    print(f"{what:66} {cost}, load {step['load']:.1f}")
