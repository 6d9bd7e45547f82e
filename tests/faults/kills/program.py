"""The program as the sweep runs it: from the nursery, or as the `digest` command itself."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.commands import SECRETS

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60.0
KILLED = -signal.SIGKILL
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class Running(Protocol):
    """A command that was begun; its code is as `subprocess` gives it, negative for a signal."""

    pid: int

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        """How it ended. Fails where it does not end in time."""

    def has_ended(self) -> bool:
        """Whether it has."""

    def signal(self, which: signal.Signals) -> None:
        """Send it a signal."""


class Program(Protocol):
    """Begins commands."""

    def start(self, arguments: Sequence[str], folder: Path, settings: dict[str, str]) -> Running:
        """Begin a command there; what it says goes to the end of the file `log` of the folder."""


@dataclass(kw_only=True)
class Nursery:
    """Copies of one process that has imported the program."""

    process: subprocess.Popen[str]
    alive: set[int] = field(default_factory=set)

    def start(self, arguments: Sequence[str], folder: Path, settings: dict[str, str]) -> "Copy":
        order = {
            "run": list(arguments),
            "folder": str(folder),
            "settings": SECRETS | settings,
            "log": str(folder / "log"),
        }
        pid = self.ask(order)
        self.alive.add(pid)
        return Copy(pid=pid, nursery=self)

    def ask(self, order: dict[str, object]) -> int:
        """Give an order, and wait for the answer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{json.dumps(order)}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One command of the nursery's."""

    pid: int
    nursery: Nursery

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        assert self._ends(patience_s), f"process {self.pid} did not end within {patience_s:g} s"
        self.nursery.alive.discard(self.pid)
        return self.nursery.ask({"wait": self.pid})

    def has_ended(self) -> bool:
        return self._ends(0)

    def signal(self, which: signal.Signals) -> None:
        os.kill(self.pid, which)

    def _ends(self, patience_s: float) -> bool:
        """Wait for its end without taking notice of how it came; whether it did."""
        handle = os.pidfd_open(self.pid)
        try:
            ready, _, _ = select.select([handle], [], [], patience_s)
        finally:
            os.close(handle)
        return bool(ready)


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery for as long as the block lasts; whatever it began ends with it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.kills.nursery"],
        cwd=ROOT,
        # armed, so that modules whose constants hang on that are as they are where points are
        env=os.environ | _ONE_THREAD | {"DIGEST_FAULT": "none"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    made = Nursery(process=process)
    try:
        assert process.stdout and process.stdout.readline() == "ready\n"
        yield made
    finally:
        for pid in made.alive:
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)


class Command:
    """`python -m digest`, as operators run it."""

    def start(self, arguments: Sequence[str], folder: Path, settings: dict[str, str]) -> "Own":
        own = {"PYTHONPATH": str(ROOT)}
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "digest", *arguments],
                cwd=folder,
                env=_bare_environment() | _ONE_THREAD | SECRETS | own | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return Own(process=process, pid=process.pid)


@dataclass(frozen=True, kw_only=True)
class Own:
    """One command in a process of its own."""

    pid: int
    process: subprocess.Popen[bytes]

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        return self.process.wait(patience_s)

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def signal(self, which: signal.Signals) -> None:
        self.process.send_signal(which)


def _bare_environment() -> dict[str, str]:
    """Ours, without what tests are told."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DIGEST_")}
