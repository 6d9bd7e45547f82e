"""A row of figures as a line of small bars."""

from collections.abc import Sequence
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"
PLAIN = "_.:-=+*#"


def sparkline(values: Sequence[float], most: int, *, plain: bool = False) -> str:
    """One character a value, from the least bar for 0 to the highest for the largest value; longer
    rows are drawn together to at most `most`. `plain` draws in ASCII.

    Whatever is more than nothing is seen: it has at least the second bar.
    """
    bars = PLAIN if plain else BARS
    drawn = _drawn_together(values, most)
    top = max(drawn, default=0)
    return "".join(bars[_height(value, top, len(bars))] for value in drawn)


def _height(value: float, top: float, bars: int) -> int:
    if value <= 0:
        return 0
    return min(1 + int(value / top * (bars - 1)), bars - 1)


def _drawn_together(values: Sequence[float], most: int) -> list[float]:
    """Means of neighbours, so that there are at most so many."""
    if len(values) <= most:
        return list(values)
    edges = [round(place * len(values) / most) for place in range(most + 1)]
    return [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
