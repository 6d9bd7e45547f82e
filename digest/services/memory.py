"""Memory that is not needed any more goes back to the system."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ARENA_MAX = -8  # M_ARENA_MAX of mallopt(3)
_ARENAS = 2
_SELDOM = (100_000, 50, 1_000)  # of gc.set_threshold: containers made, and rounds


def few_arenas() -> None:
    """Have all threads share two heaps, where the C library keeps one for each otherwise: Python's
    threads take turns anyway, and what each heap keeps for later adds up.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for garbage seldom meanwhile: while millions of small things are made, none of which
    hold one another in a circle, the collector walks through all that is known, again and again.
    """
    usual = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def give_back() -> None:
    """Collect what is garbage, and have the C library give its free pages back, where it can.

    glibc keeps what was freed for later (malloc_trim(3)): after hours of idling that is nobody's.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
