"""Named places where a test makes this program die, stop or fail; otherwise they do nothing.

`DIGEST_FAULT=NAME[:NTH[:HOW]]` acts when the point NAME is reached for the NTH time (1 unless
told), in this process; HOW is `kill` (SIGKILL to itself, the default), `stop` (SIGSTOP) or `raise`
(OSError). `DIGEST_FAULT_TRACE=FILE` appends the name of each point that is reached, one to a line,
so that a sweep knows where it can die.
"""

import os
import signal
from collections import Counter
from pathlib import Path

_WANTED, _, _REST = os.environ.get("DIGEST_FAULT", "").partition(":")
_NTH, _, _HOW = _REST.partition(":")
_TRACE = os.environ.get("DIGEST_FAULT_TRACE")
_ARMED = bool(_WANTED or _TRACE)
_SIGNALS = {"": signal.SIGKILL, "kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Say that the point `name` is reached; OSError where the variable asks for one."""
    if _ARMED:
        _act(name)


def _act(name: str) -> None:
    if _TRACE:
        with Path(_TRACE).open("a", encoding="utf-8") as trace:
            trace.write(f"{name}\n")
    _reached[name] += 1
    if name != _WANTED or _reached[name] != int(_NTH or 1):
        return
    if _HOW == "raise":
        raise OSError(f"fault point {name}")
    os.kill(os.getpid(), _SIGNALS[_HOW])
