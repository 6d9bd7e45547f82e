"""Meaning: texts as weighed sums of their words' vectors, worked out by hand."""

from collections.abc import Sequence
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from digest.ranking.meaning import SentenceMeaning, Vectors, WordMeaning
from digest.ranking.static_vectors import unit_rows
from digest.ranking.statistics import Statistics

TABLE = {"dog": (2, 0), "cat": (0, 1), "dogs": (1, 1), "Dog": (0, 0.5)}
TEXTS = [("dog", "cat cat"), ("", "cat of the"), ("🦙", "unknown")]


def embed(texts: Sequence[str]) -> Vectors:
    """Two-dimensional vectors of the words above, zeros for others."""
    return np.array([TABLE.get(text, (0, 0)) for text in texts], np.float32).reshape(-1, 2)


def test_words_weigh_by_how_often_they_stand_there_and_how_rare_they_are() -> None:
    statistics = Statistics.of(TEXTS)
    dog, cat = statistics.idf([1, 2])  # of three papers
    assert (dog, cat) == (pytest.approx(log(1 + 2.5 / 1.5)), pytest.approx(log(1 + 1.5 / 2.5)))
    first = np.array([2 * (1 + log(3)) * dog, (1 + log(2)) * cat])  # a title's words count thrice
    found = WordMeaning(embed, statistics).of_papers(TEXTS)
    assert found == pytest.approx(np.array([first / np.linalg.norm(first), [0, 1], [0, 0]]))


def test_a_word_keeps_its_spelling_as_the_vectors_know_it() -> None:
    statistics = Statistics.of(TEXTS)
    found = WordMeaning(embed, statistics).of_phrases(["dog", "Dog", "dogs"])
    assert found == pytest.approx(np.array([[1, 0], [0, 1], [0.5**0.5, 0.5**0.5]]))


def test_stop_words_say_nothing() -> None:
    asked: list[str] = []

    def watched(texts: Sequence[str]) -> Vectors:
        asked.extend(texts)
        return embed(texts)

    found = WordMeaning(watched, Statistics.of(TEXTS)).of_phrases(["The dog of a cat", "THE of"])
    assert sorted(asked) == ["cat", "dog"]
    assert found[1].tolist() == [0, 0]


def test_versions_stay_whole() -> None:
    asked: list[str] = []

    def watched(texts: Sequence[str]) -> Vectors:
        asked.extend(texts)
        return embed(texts)

    WordMeaning(watched, Statistics.of(TEXTS)).of_phrases(["GPT-4.5, Qwen2.5. Done"])
    assert asked == ["GPT", "4.5", "Qwen2.5", "Done"]


@pytest.mark.parametrize("phrases", [[], [""], ["", "🦙", "of the"]])
def test_nothing_said_gives_zeros_of_the_right_shape(phrases: list[str]) -> None:
    found = WordMeaning(embed, Statistics.of(TEXTS)).of_phrases(phrases)
    assert found.shape == (len(phrases), 2) and not found.any()


def test_a_model_reads_title_and_abstract_as_sentences() -> None:
    read: list[str] = []

    def model(texts: Sequence[str]) -> Vectors:
        read.extend(texts)
        return np.ones((len(texts), 2), np.float32)

    assert SentenceMeaning(model).of_papers(iter(TEXTS[:1])).shape == (1, 2)
    assert SentenceMeaning(model).of_phrases(["a dog"]).shape == (1, 2)
    assert read == ["dog. cat cat", "a dog"]


def test_rows_come_to_unit_length_and_what_has_no_direction_to_zero() -> None:
    values = np.array([[3, 4], [0, 0], [np.nan, 1], [np.inf, 1]], np.float32)
    expected = np.array([[0.6, 0.8], [0, 0], [0, 0], [0, 0]])
    assert unit_rows(values) == pytest.approx(expected)


_numbers = st.sampled_from([0.0, 1.0, -1.0, 1e-30, 1e18])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab é持🦙."), max_size=12), max_size=5), _numbers, _numbers)
def test_no_vector_holds_what_is_no_number(texts: list[str], one: float, other: float) -> None:
    def odd(words: Sequence[str]) -> NDArray[np.float32]:
        return np.tile(np.array([one, other], np.float32), (len(words), 1))

    found = WordMeaning(odd, Statistics.of(TEXTS)).of_phrases(texts)
    assert np.isfinite(found).all()
    assert (np.linalg.norm(found, axis=1) <= 1 + 1e-5).all()
