"""Interests as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.domain.interests import InterestKind, distinct, interest, written
from digest.errors import InvalidInput


@pytest.mark.parametrize(
    ("typed", "text", "weight"),
    [
        ("continual learning", "continual learning", 1),
        ("  continual \t\n learning ", "continual learning", 1),
        ("continual learning^2", "continual learning", 2),
        ("rl ^ 0.5", "rl", 0.5),
        ("rl^.5", "rl", 0.5),
        ("C^2^1", "C^2", 1),
        ("x^y", "x^y", 1),
        ("^2", "^2", 1),
        ("a\x00b\x1b[31mc\u200bd", "a b [31mc d", 1),
        ("日本語", "日本語", 1),
        ("C++", "C++", 1),
        ("x" * 64, "x" * 64, 1),
    ],
)
def test_an_interest_is_read_as_it_is_typed(typed, text, weight):
    found = interest(typed)
    assert (found.text, found.weight, found.excluded) == (text, weight, False)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "no letter"),
        ("^^;", "no letter"),
        ("\x00\u200b", "no letter"),
        ("x" * 65, "65 characters"),
        ("x^0", "weight"),
        ("x^-1", "weight"),
        ("x^10.1", "weight"),
        ("x^" + "9" * 400, "weight"),
    ],
)
def test_a_bad_interest_is_refused_with_its_rule(typed, why):
    with pytest.raises(InvalidInput, match=why):
        interest(typed)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Few-Shot", "few-shot"), ("ＧＰＵ", "gpu"), ("Straße", "STRASSE"), ("a\u00a0b", "A b")],
)
def test_spellings_of_one_interest_share_a_key(one, other):
    assert interest(one).key == interest(other).key


@given(
    st.text(min_size=1, max_size=40).filter(lambda text: any(c.isalnum() for c in text)),
    st.floats(1e-9, 10),
)
def test_what_is_written_reads_the_same(text, weight):
    try:
        first = interest(f"{text}^{weight:.20f}")
    except InvalidInput:
        return
    assert interest(written(first)) == first


def test_repeats_count_once_and_the_last_wins_in_place_of_the_first():
    found = distinct(
        (
            interest("rl"),
            interest("graphs"),
            interest("RL^3"),
            interest("rl", excluded=True),
            interest("rl", InterestKind.AUTHOR),
        )
    )
    assert [(i.text, i.weight) for i in found] == [("RL", 3), ("graphs", 1), ("rl", 1), ("rl", 1)]


def test_fifty_are_enough():
    many = tuple(interest(f"topic {n}") for n in range(51))
    assert len(distinct(many[:50])) == 50
    with pytest.raises(InvalidInput, match="at most 50"):
        distinct(many)
