"""Sparklines: what bars say of figures."""

from digest.domain.sparkline import sparkline


def test_nothing_is_the_least_bar_and_the_largest_the_highest():
    assert sparkline([0, 1, 50, 100], 10) == "▁▂▅█"


def test_little_is_seen_beside_much():
    assert sparkline([0, 1, 1_000_000], 10) == "▁▂█"


def test_plain_bars_are_ascii_and_tell_the_same():
    assert sparkline([0, 1, 50, 100], 10, plain=True) == "_.=#"
    assert sparkline([0, 0], 10, plain=True) == "__"


def test_a_long_row_is_drawn_together_by_means():
    assert sparkline([0] * 50 + [8] * 50, 2) == "▁█"
    assert len(sparkline(list(range(366)), 48)) == 48
    assert sparkline([], 10) == ""
