"""Profiles: what the best matches of an interest talk of, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from digest.ranking.features import features
from digest.ranking.profiles import MATCHES, TERMS, Profiles, likeness
from digest.ranking.statistics import Statistics


def rows(*values: list[float]) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.array(values, np.float64))


def profiles(
    papers: sparse.csr_matrix, scores: sparse.csr_matrix, asked: sparse.csr_matrix
) -> NDArray[np.float64]:
    """Profiles (interests, features), read off papers of one feature each."""
    made = Profiles(papers).of(scores, asked)
    return likeness(made, sparse.identity(asked.shape[1], format="csr"))


def test_a_profile_is_the_formula_worked_out_by_hand() -> None:
    papers = rows([1, 0, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0])
    scores = rows([0.8, 0.4, 0, 0])
    # weights 1 and (1/2)^3, together 9/8: 8/9 and 1/9
    mean = np.array([8 / 9 + 0.6 / 9, 0.8 / 9, 0, 0])
    # less the mean of all papers where there is something; what falls to 0 or below is dropped
    less = mean - np.array([1.6 / 4, 0.8 / 4, 0, 0])
    assert less[1] < 0
    expected = np.array([1, 0, 0, 0]) + 0.3 * np.array([0, 0, 0, 1])
    profile = profiles(papers, scores, rows([0, 0, 0, 1]))[0]
    assert profile == pytest.approx(expected / np.linalg.norm(expected))


def test_likeness_is_the_cosine() -> None:
    made = Profiles(rows([0, 0])).of(sparse.csr_matrix((2, 1)), rows([0.6, 0.8], [0, 1]))
    found = likeness(made, rows([1, 0], [0, 1], [0, 0]).T.tocsr())
    assert found == pytest.approx(np.array([[0.6, 0.8, 0], [0, 1, 0]]))


def test_an_interest_that_nothing_matches_is_known_by_its_own_words() -> None:
    asked = rows([0, 1, 0], [0, 0, 0])
    found = profiles(rows([1, 0, 0], [0, 0, 1]), sparse.csr_matrix((2, 2)), asked)
    assert np.array_equal(found, asked.toarray())


def test_only_the_best_matches_teach_and_equals_go_by_number() -> None:
    count = MATCHES + 5
    papers, nothing = sparse.identity(count, format="csr"), sparse.csr_matrix((1, count))
    (equal,) = profiles(papers, rows([0.5] * count), nothing)
    assert np.flatnonzero(equal).tolist() == list(range(MATCHES))
    (rising,) = profiles(papers, rows(list(range(1, count + 1))), nothing)
    assert np.flatnonzero(rising).tolist() == [n for n in range(5, count) if rising[n]]
    assert (np.diff(rising[5:]) >= 0).all() and rising[-1] > rising[5]


def test_a_profile_keeps_its_strongest_terms_alone() -> None:
    terms = TERMS + 50
    papers = sparse.csr_matrix(np.vstack([np.linspace(1, 2, terms), np.zeros(terms)]))
    (profile,) = profiles(papers, rows([1, 0]), sparse.csr_matrix((1, terms)))
    assert np.flatnonzero(profile).tolist() == list(range(50, terms))


def test_no_papers_and_no_interests_give_nothing_and_no_failure() -> None:
    nothing = sparse.csr_matrix((0, 7))
    assert not profiles(nothing, sparse.csr_matrix((1, 0)), sparse.csr_matrix((1, 7))).any()
    assert profiles(nothing, sparse.csr_matrix((0, 0)), nothing).shape == (0, 7)
    made = Profiles(nothing).of(sparse.csr_matrix((1, 0)), sparse.csr_matrix((1, 7)))
    assert likeness(made, nothing.T.tocsr()).shape == (1, 0)


_texts = st.text(st.sampled_from("abc é持\n."), max_size=20)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(_texts, _texts), min_size=1, max_size=5),
    st.lists(st.floats(1e-6, 1), min_size=1, max_size=5),
    _texts,
)
def test_likeness_lies_in_0_to_1_for_any_papers(
    texts: list[tuple[str, str]], values: list[float], asked: str
) -> None:
    statistics = Statistics.of(texts)
    vectors = features(texts, statistics)
    scores = np.resize(np.array(values), (1, len(texts)))
    profile = Profiles(vectors).of(sparse.csr_matrix(scores), features([("", asked)], statistics))
    found = likeness(profile, vectors.T.tocsr())
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()


def test_what_taught_a_profile_is_judged_as_if_it_had_not() -> None:
    values = np.random.default_rng(7).random((6, 40))
    papers = sparse.csr_matrix(values / np.linalg.norm(values, axis=1, keepdims=True))
    made = Profiles(papers).of(rows([0.9, 0.8, 0.7, 0, 0, 0]), sparse.csr_matrix((1, 40)))
    assert made[0].papers.tolist() == [0, 1, 2]
    flattered = likeness(made, papers.T.tocsr())[0, :3] - made[0].likeness
    assert (flattered > 0).all() and flattered[0] > flattered[2]  # the best match taught the most
