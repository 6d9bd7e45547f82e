"""Whether the ranker can be had as it is set, found out without keeping it in memory."""

import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from digest.domain.tiers import Tier


def missing_for(tier: Tier) -> str | None:
    """What is missing for a better ranking, None where nothing is.

    Raises UsageError for a tier that is not installed, WeightsError where its files are damaged.
    """
    if tier is Tier.CORE:
        return None
    if sys.platform != "linux" or threading.active_count() > 1:
        return _note(tier)
    # a copy of this process loads it all, and takes its hundred megabytes with it when it ends
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        return pool.submit(_note, tier).result()


def _note(tier: Tier) -> str | None:
    from digest.services.tiers import equip

    return equip(tier).note
