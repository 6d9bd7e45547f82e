"""What a fault cost, for who runs pytest with -s."""

import sys

from tests.faults.village import Figures


def told(fault: str, figures: Figures) -> None:
    """One line."""
    sys.stdout.write(f"\n{fault}: {figures}\n")
