"""Means of token vectors, worked out by hand, and words encoded once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.ranking import static_vectors
from digest.ranking.static_vectors import WordTokens, mean_vectors, unit_rows

TABLE = np.array([[3, 0], [0, 4], [1, 1]], np.float32)


class Letters:
    """Encodes as SentencePiece would: a word's first letter is another token than inside a word."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, text: str) -> list[int]:
        self.seen += text.split(" ")
        return [
            2 * (ord(letter) % 100) + (place == 0)
            for word in text.split(" ")
            for place, letter in enumerate(word)
        ]


FIRST = np.arange(200) % 2 == 1


def test_a_vector_is_the_mean_of_its_tokens_at_unit_length() -> None:
    found = mean_vectors(TABLE, [[0, 1], [0, 0, 0], [2, 0], []])
    assert found.dtype == np.float32
    assert found == pytest.approx(
        np.array([[0.6, 0.8], [1, 0], [4 / 17**0.5, 1 / 17**0.5], [0, 0]])
    )
    assert mean_vectors(TABLE, []).shape == (0, 2)


def test_ids_beyond_the_table_count_as_its_ends() -> None:
    assert mean_vectors(TABLE, [[99], [-5]]) == pytest.approx(mean_vectors(TABLE, [[2], [0]]))


def test_rows_without_a_length_become_zero() -> None:
    rows = np.array([[0, 0], [np.nan, 1], [np.inf, 1], [3, 4]], np.float32)
    assert unit_rows(rows) == pytest.approx(np.array([[0, 0], [0, 0], [0, 0], [0.6, 0.8]]))


@given(st.lists(st.text("abcxyz \n\t\u2581", max_size=40), max_size=8))
def test_tokens_word_by_word_are_those_of_the_whole_text(texts: list[str]) -> None:
    expected = [Letters()(" ".join(text.replace("\u2581", " ").split())) for text in texts]
    assert WordTokens(Letters(), FIRST).of(texts) == expected


def test_a_word_is_encoded_once_until_too_much_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = Letters()
    words = WordTokens(letters, FIRST)
    first = words.of(["deep nets", "deep deep nets"])
    assert words.of(["deep nets", "deep deep nets"]) == first
    assert letters.seen == ["deep", "nets"]
    monkeypatch.setattr(static_vectors, "_HELD_TOKENS", 5)
    assert words.of(["nets"]) == [first[0][4:]]
    assert letters.seen == ["deep", "nets", "nets"]
