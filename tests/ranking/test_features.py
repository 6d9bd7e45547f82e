"""Features: the figures by hand, and what makes two papers alike."""

from math import log

import numpy as np
import pytest

from digest.ranking.features import COLUMNS, PAIR_WEIGHT, features, spelled_terms
from digest.ranking.statistics import Statistics

NOTHING_KNOWN = Statistics.of(())


def cosine(one: tuple[str, str], other: tuple[str, str], statistics=NOTHING_KNOWN) -> float:
    vectors = features([one, other], statistics)
    return float((vectors[0] @ vectors[1].T).toarray()[0, 0])


def test_weights_are_those_of_the_formula() -> None:
    corpus = Statistics.of([("graphs", ""), ("graphs", ""), ("bees", ""), ("", "cats dance")])
    common, rare = (log(1 + (4 - n + 0.5) / (n + 0.5)) for n in (2, 1))
    pair = log(1 + (4 - 1 + 0.5) / (1 + 0.5))
    vector = features([("Graphs", "The cats dance")], corpus)
    # "the" is a stop word: neither a term nor half of a pair; a title counts three times
    values = [(1 + log(3)) * common, rare, rare, PAIR_WEIGHT * pair]
    expected = np.sort(np.array(values) / np.linalg.norm(values))
    assert np.sort(vector.data) == pytest.approx(expected)
    assert vector.shape == (1, COLUMNS)


def test_rows_have_length_one_and_an_empty_paper_has_no_feature() -> None:
    vectors = features(
        [("A graph of bees", "Bees fly."), ("", ""), ("Of the", "?!")], NOTHING_KNOWN
    )
    assert np.linalg.norm(vectors[0].toarray()) == pytest.approx(1)
    assert vectors[0].data.min() > 0
    assert vectors[1].nnz == vectors[2].nnz == 0
    assert np.isfinite(vectors.data).all()


def test_no_papers_give_no_rows() -> None:
    assert features([], NOTHING_KNOWN).shape == (0, COLUMNS)


def test_neighbours_tell_more_than_the_same_words_apart() -> None:
    asked = ("continual learning", "")
    assert cosine(asked, ("continual learning", "")) == pytest.approx(1)
    assert cosine(asked, ("learning continual", "")) < 0.95


def test_no_pair_spans_title_and_abstract_or_two_papers() -> None:
    apart = features([("continual", "learning"), ("graphs", "")], NOTHING_KNOWN)
    assert [row.nnz for row in apart] == [2, 1]


def test_vectors_made_apart_can_be_compared() -> None:
    one = features([("Video diffusion", "")], NOTHING_KNOWN)
    other = features([("Bees", ""), ("video diffusion", "")], NOTHING_KNOWN)
    assert (one @ other.T).toarray()[0] == pytest.approx([0, 1])


@pytest.mark.parametrize("text", ["持续学习的方法", "🐝 🐝 🐝", "непрерывное обучение", "x" * 5000])
def test_any_script_gives_finite_features(text: str) -> None:
    vectors = features([(text, text)], NOTHING_KNOWN)
    assert np.isfinite(vectors.data).all()


def test_terms_are_spelled_as_the_paper_spells_them_most_often() -> None:
    found = spelled_terms(("Diffusion for LoRA", "A diffusion model; Diffusion. In-context 2024"))
    spelled = {spelling for _, spelling in found.values()}
    assert {"Diffusion", "LoRA", "diffusion model", "model", "context"} <= spelled
    assert not {"2024", "model; Diffusion", "for"} & spelled
    columns = set(features([("Diffusion for LoRA", "")], NOTHING_KNOWN).indices.tolist())
    assert columns == {found["diffus",][0], found["lora",][0]}
    pairs = features([("diffusion model", "")], NOTHING_KNOWN).indices.tolist()
    assert found["diffus", "model"][0] in pairs
