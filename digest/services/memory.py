"""Memory that is not needed any more goes back to the system."""

import ctypes
import gc

_ARENA_MAX = -8  # M_ARENA_MAX of mallopt(3)
_ARENAS = 2


def few_arenas() -> None:
    """Have all threads share two heaps, where the C library keeps one for each otherwise: Python's
    threads take turns anyway, and what each heap keeps for later adds up.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Collect what is garbage, and have the C library give its free pages back, where it can.

    glibc keeps what was freed for later (malloc_trim(3)): after hours of idling that is nobody's.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
