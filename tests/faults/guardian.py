"""Takes a run's hosts away when the run ends, however it ends: also where it is killed itself.

    python -m tests.faults.guardian NAMESPACE…

Waits until its input is closed, which the end of the run does, and then ends what runs in these
namespaces, by its ids, and removes them.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

SWEEPS = 5  # a process may begin another one while it is being ended


def remove(names: Sequence[str]) -> None:
    """End what runs in these namespaces, and remove them."""
    for name in names:
        for _ in range(SWEEPS):
            if not (ids := _processes(name)):
                break
            for number in ids:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _processes(name: str) -> list[int]:
    said = subprocess.run(
        ["ip", "netns", "pids", name], check=False, capture_output=True, text=True
    ).stdout
    return [int(number) for number in said.split()]


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever ends the run so may mean its group
    sys.stdin.read()
    remove(sys.argv[1:])
