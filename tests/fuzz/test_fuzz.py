"""No input made up at random breaks a door; what fuzzing found once is tried ever after."""

import os
import random
import re
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import ROOT, TARGETS
from tests.reliability import record

SECONDS = int(os.environ.get("DIGEST_FUZZ_SECONDS", "3"))  # read before tests clear the environment
DOORS = [name for name in TARGETS if name != "planted"]


def run(target: str, seconds: int) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("atheris", reason="atheris is absent")
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", target, str(seconds)],
        cwd=ROOT, check=False, capture_output=True, text=True, errors="replace",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", DOORS)
def test_no_input_guided_by_coverage_breaks_a_door(name: str) -> None:
    done = run(name, SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    tried, edges = map(int, re.findall(r": (\d+) inputs, (\d+) edges", done.stdout)[-1])
    assert tried > 20
    record("fuzzing", name, seconds=float(SECONDS), inputs=tried, edges=edges, broke=0)


@pytest.mark.slow
def test_a_planted_bug_is_found() -> None:
    done = run("planted", 10)
    assert done.returncode != 0
    assert "AssertionError" in done.stdout


def mutated(data: bytes, words: tuple[str, ...], rng: random.Random) -> bytes:
    """The bytes with a few pieces put in, taken out, doubled or changed."""
    for _ in range(rng.randint(1, 6)):
        at, cut = rng.randint(0, len(data)), rng.choice((0, 0, 1, 8, 60))
        piece = rng.choice((
            rng.choice(words or ("",)).encode() * rng.choice((1, 1, 40)),
            rng.randbytes(rng.randint(0, 9)),
            data[at : at + rng.randint(0, 200)] * rng.choice((1, 2, 20)),
        ))  # fmt: skip
        data = data[:at] + piece + data[at + cut :]
    return data[:10_000]


@pytest.mark.parametrize("name", DOORS)
def test_seeds_and_what_was_found_once_are_harmless_and_quick(name: str) -> None:
    target = TARGETS[name]
    for seed in target.all_seeds():
        started = time.process_time()
        target.check(seed)
        assert time.process_time() - started < 3, seed[:60]


@pytest.mark.parametrize("name", DOORS)
def test_mutations_of_what_a_door_usually_gets_are_harmless(name: str) -> None:
    target = TARGETS[name]
    seeds = target.all_seeds()

    @given(st.sampled_from(seeds), st.integers(0, 2**32))
    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=[*HealthCheck])
    def check(seed: bytes, number: int) -> None:
        target.check(mutated(seed, target.words, random.Random(number)))

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", DOORS)
def test_a_word_said_again_and_again_takes_time_in_proportion(name: str) -> None:
    """What grows with the square is told by repetition, which chance seldom makes."""
    target = TARGETS[name]
    seed = target.all_seeds()[0][:500]
    for word in (*target.words[:20], '"\\', "<", "(", "[", "{", "\n", "a@", "<!--", "\\"):
        data = (word * (10_000 // len(word) + 1)).encode()[:9_500]
        for one in (data, seed + data):
            started = time.process_time()
            target.check(one)
            assert time.process_time() - started < 1, word
