"""Named places where a test makes this program die, stop or fail; otherwise they do nothing.

`DIGEST_FAULT=NAME[:NTH[:HOW]]` acts when the point NAME is reached for the NTH time (1 unless
told), in this process; HOW is `kill` (SIGKILL to itself, the default), `stop` (SIGSTOP) or `raise`
(OSError). `DIGEST_FAULT_TRACE=FILE` appends the name of each point that is reached, one to a line,
so that a sweep knows where it can die. What they are for: docs/faults.md.
"""

import os
import signal
import sys
from collections import Counter
from pathlib import Path

_WANTED, _, _REST = os.environ.get("DIGEST_FAULT", "").partition(":")
_NTH, _, _HOW = _REST.partition(":")
_TRACE = os.environ.get("DIGEST_FAULT_TRACE")
ARMED = bool(_WANTED or _TRACE)
"""Whether any point does anything in this process."""

_SIGNALS = {"": signal.SIGKILL, "kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_reached: Counter[str] = Counter()


def reach(name: str, step: str = "") -> None:
    """Say that the point `name`, or its `step`, is reached; OSError where the variable asks for
    one.
    """
    if ARMED:
        _act(f"{name}.{step}" if step else name)


def caller(above: int) -> str:
    """The function so many calls above the one that asks, such as `services.collect.keep`: whose
    commit it is. Empty where nothing is armed.
    """
    if not ARMED:
        return ""
    frame = sys._getframe(above + 1)
    room = str(frame.f_globals["__name__"]).partition(".")[2]
    return f"{room}.{frame.f_code.co_name.strip('_')}"


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
