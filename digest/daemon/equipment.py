"""Whether the ranker can be had as it is set, found out without keeping it in memory."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context

from digest.domain.tiers import Tier


@contextmanager
def looking(tier: Tier) -> Iterator[Callable[[], str | None]]:
    """Begin to look, while the caller does something else; what this gives waits for what is
    missing for a better ranking, None where nothing is.

    That raises UsageError for a tier that is not installed, WeightsError where its files are
    damaged.
    """
    if tier is Tier.CORE:
        yield lambda: None
    elif sys.platform != "linux" or threading.active_count() > 1:
        yield partial(_note, tier)
    else:
        # a copy of this process loads it all, and takes its hundred megabytes with it when it ends
        with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
            yield pool.submit(_note, tier).result


def _note(tier: Tier) -> str | None:
    from digest.services.tiers import equip

    return equip(tier).note
