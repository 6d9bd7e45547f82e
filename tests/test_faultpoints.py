"""Fault points act when told to, at the right one, and are nothing otherwise."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """
from digest.faultpoints import caller, reach

def within():
    return caller(0)

for _ in range(3):
    reach("room.point")
    reach("room.other", "step")
print(within() or "unarmed")
"""


def _run(**variables: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("DIGEST_")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=bare | variables,
        check=False,
        capture_output=True,
        text=True,
    )


def test_points_do_nothing_unless_told() -> None:
    ended = _run()
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "unarmed\n", "")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("room.point", -signal.SIGKILL),
        ("room.other.step:3", -signal.SIGKILL),
        ("room.point:3:kill", -signal.SIGKILL),
        ("room.point:2:raise", 1),
        ("room.point:4", 0),
        ("room.nowhere", 0),
    ],
)
def test_point_acts_when_it_is_reached_for_the_time_that_was_asked(fault: str, code: int) -> None:
    ended = _run(DIGEST_FAULT=fault)
    assert ended.returncode == code
    assert ("OSError: fault point room.point" in ended.stderr) == fault.endswith("raise")


def test_trace_names_what_is_reached_in_order(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    ended = _run(DIGEST_FAULT_TRACE=str(trace), DIGEST_FAULT="room.point:2")
    assert ended.returncode == -signal.SIGKILL
    assert trace.read_text().splitlines() == ["room.point", "room.other.step", "room.point"]
