"""Waiting for what other processes do: bounded, and it says what did not come."""

import time
from collections.abc import Callable

PATIENCE_S = 60.0
LOOK_S = 0.05


def until(
    reached: Callable[[], bool], what: str, patience_s: float = PATIENCE_S, look_s: float = LOOK_S
) -> float:
    """Look again and again; the seconds that it took. Fails where it takes longer."""
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < patience_s, f"not within {patience_s:g} s: {what}"
        time.sleep(look_s)
    return time.monotonic() - began
