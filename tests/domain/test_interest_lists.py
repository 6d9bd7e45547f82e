"""Interests as people type them into one field."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.domain.interest_lists import parse_interests
from digest.domain.interests import InterestKind, interest, written
from digest.errors import InvalidInput


def texts(typed):
    return [written(one) for one in parse_interests(typed)]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", []),
        (" \n,;,\r\n ", []),
        ("continual learning\ngraphs", ["continual learning", "graphs"]),
        ("rl, graphs; -survey", ["rl", "graphs", "-survey"]),
        ("强化学习、图神经网络，推荐", ["强化学习", "图神经网络", "推荐"]),
        ('"graphs, trees; woods"^2, rl', ['"graphs, trees; woods"^2', "rl"]),
        ("author:Y. LeCun AND cat:cs.LG", ["author:Y. LeCun AND cat:cs.LG"]),
        ("RL, rl", ["rl"]),
    ],
)
def test_lines_commas_and_semicolons_part_interests_but_not_within_quotes(typed, expected):
    assert texts(typed) == expected


def test_what_cannot_be_read_is_named_with_its_line():
    with pytest.raises(InvalidInput, match=r"^line 3: interest "):
        parse_interests(f"graphs\n\nrl, {'x' * 65}")


def test_fifty_interests_are_taken_and_no_more():
    lines = [f"topic {n}" for n in range(51)]
    assert len(parse_interests("\n".join(lines[:50]))) == 50
    with pytest.raises(InvalidInput, match="51 interests: at most 50"):
        parse_interests("\n".join(lines))


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_in_one_line(typed):
    try:
        found = parse_interests(typed)
    except InvalidInput as exc:
        assert "\n" not in str(exc)
    else:
        assert all(interest(written(one)) == one for one in found)
        assert all(isinstance(one.kind, InterestKind) for one in found)


def test_thousands_of_quotes_that_never_end_are_read_in_bounded_time() -> None:
    started = time.process_time()
    with pytest.raises(InvalidInput):
        parse_interests('"\\' * 24_000)

    assert time.process_time() - started < 5  # a quadratic rule takes ten
