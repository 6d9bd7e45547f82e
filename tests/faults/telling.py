"""What a fault cost, for who runs pytest with -s, and for docs/reliability.md."""

import sys

from tests.faults.village import Figures
from tests.reliability import record


def told(fault: str, figures: Figures) -> None:
    """One line, and one row."""
    sys.stdout.write(f"\n{fault}: {figures}\n")
    record(
        "hosts under fire",
        fault,
        deliveries=figures.deliveries,
        lost=figures.lost,
        duplicates=figures.duplicates,
        in_doubt=figures.doubtful,
        drained_s=float(figures.drain_s),
    )
