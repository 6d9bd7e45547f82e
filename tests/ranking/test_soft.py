"""The soft score: its formula by hand, what counts as evidence, and no text that breaks it."""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from digest.ranking.corpus import Sense, Understanding, Weight
from digest.ranking.meaning import Vectors
from digest.ranking.soft import LEAST_LIKENESS, soft_scores
from digest.ranking.static_vectors import unit_rows
from digest.ranking.statistics import Text
from tests.ranking.corpora import DECODING, FOREIGN, UNNAMED, corpus_of


def a_corpus(
    lexical: Sequence[float], likeness: Sequence[float], *senses: tuple[float, Sequence[float]],
    is_sentence: bool = False,
) -> Any:  # fmt: skip
    """A corpus that was asked for one phrase and found this; senses as weight and nearness."""
    look = SimpleNamespace(
        lexical=sparse.csr_matrix([[*lexical, 0.9]]),  # the last is an earlier paper
        likeness=np.array([likeness], np.float64),
        nearness=[np.array([nearness], np.float64) for _, nearness in senses],
        is_sentence=np.array([is_sentence]),
    )
    weights = [Weight(name=weight, sentence=2 * weight) for weight, _ in senses]
    understanding = Understanding(
        profile=Weight(name=0.5, sentence=0.25),
        senses=tuple(Sense(meaning=Initials(), weight=weight) for weight in weights),
    )
    size = len(likeness)
    return SimpleNamespace(look=lambda _phrases: look, size=size, understanding=understanding)


class Initials:
    """A meaning: how often the first letters of the alphabet stand in a text."""

    def of_papers(self, texts: Iterable[Text]) -> Vectors:
        return self.of_phrases([" ".join(text) for text in texts])

    def of_phrases(self, phrases: Sequence[str]) -> Vectors:
        rows = [[phrase.count(letter) for letter in "abc"] for phrase in phrases]
        return unit_rows(np.array(rows, np.float32).reshape(-1, 3))


def test_the_score_of_words_and_profile_is_the_formula_worked_out_by_hand() -> None:
    scored = soft_scores(a_corpus([0.6, 0.2], [0.4, 0.8]), ["x"])
    assert scored.total == pytest.approx(np.array([[0.8 / 1.5, 0.6 / 1.5]]))
    assert scored.lexical.tolist() == [[0.6, 0.2]]
    assert scored.nearness.tolist() == [[0, 0]]


def test_each_sense_adds_its_nearness_by_its_weight() -> None:
    corpus = a_corpus([0.6], [0.4], (0.2, [0.5]), (0.8, [0.25]))
    scored = soft_scores(corpus, ["x"])
    assert scored.total[0, 0] == pytest.approx((0.6 + 0.2 + 0.1 + 0.2) / 2.5)
    assert scored.nearness[0, 0] == pytest.approx(0.375)


def test_a_sentence_is_weighed_as_a_sentence() -> None:
    corpus = a_corpus([0.6], [0.4], (0.2, [0.5]), is_sentence=True)
    expected = (0.6 + 0.25 * 0.4 + 0.4 * 0.5) / 1.65
    assert soft_scores(corpus, ["x"]).total[0, 0] == pytest.approx(expected)


def test_without_a_word_of_the_phrase_likeness_must_be_beyond_chance() -> None:
    little, enough = LEAST_LIKENESS - 0.01, LEAST_LIKENESS
    corpus = a_corpus([0, 0, 1e-9], [little, enough, little])
    assert (soft_scores(corpus, ["x"]).total[0] > 0).tolist() == [False, True, True]


def test_or_nearness_must() -> None:
    corpus = a_corpus([0] * 12, [0] * 12, (1, [0.9, *[0.1, 0.2] * 5, 0.1]))
    assert np.flatnonzero(soft_scores(corpus, ["x"]).total[0]).tolist() == [0]


def test_a_paper_about_the_phrase_is_scored_below_those_that_name_it_and_foreign_ones_not() -> None:
    total = soft_scores(corpus_of(DECODING), ["speculative decoding"]).total[0]
    assert 0 < total[UNNAMED] < total[:UNNAMED].min()
    assert not total[list(FOREIGN)].any()


@pytest.mark.parametrize("phrase", ["", "of the", "🦙", "我" * 64, "quantum owls" * 40])
def test_a_phrase_that_says_nothing_known_finds_nothing(phrase: str) -> None:
    assert not soft_scores(corpus_of(DECODING[:3]), [phrase]).total.any()


def test_every_paper_holding_the_commonest_phrase_is_scored() -> None:
    texts = [(f"Language models {n}", "language models") for n in range(30)]
    total = soft_scores(corpus_of(texts), ["language models", "models"]).total
    assert (total > 0).all()


@pytest.mark.parametrize("phrase", ["RAG", "LoRA", "agents"])
def test_one_word_is_an_interest_and_parts_of_words_are_not_met(phrase: str) -> None:
    texts = [
        (f"{phrase} at work", "We look."),
        ("Fragments of floral reagents", "Storage of tea."),
        ("Of tea", f"It is {phrase} that we use."),
    ]
    total = soft_scores(corpus_of(texts), [phrase]).total[0]
    assert total[0] > 0 and total[2] > 0 and total[1] == 0


_texts = st.text(st.sampled_from("abc é持🦙-\n."), max_size=25)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(_texts, _texts), max_size=5),
    st.lists(st.tuples(_texts, _texts), max_size=3),
    st.lists(_texts, max_size=3),
)
def test_scores_lie_in_0_to_1_for_any_text(
    texts: list[Text], earlier: list[Text], asked: list[str]
) -> None:
    sense = Sense(meaning=Initials(), weight=Weight(name=0.3, sentence=0.2))
    for understanding in (Understanding(), Understanding(senses=(sense,))):
        corpus = corpus_of(texts, earlier=earlier, understanding=understanding)
        total = soft_scores(corpus, asked).total
        assert total.shape == (len(asked), len(texts))
        assert ((total >= 0) & (total <= 1 + 1e-9)).all()


def test_the_order_of_papers_does_not_change_their_scores() -> None:
    shuffled = sorted(range(len(DECODING)), key=lambda number: number * 7 % 5 + number / 99)
    sense = Sense(meaning=Initials(), weight=Weight(name=0.3, sentence=0.2))
    understanding = Understanding(senses=(sense,))
    asked = ["speculative decoding", "rain", "how is the latency of a large model cut"]
    one = soft_scores(corpus_of(DECODING, understanding=understanding), asked)
    texts = [DECODING[number] for number in shuffled]
    other = soft_scores(corpus_of(texts, understanding=understanding), asked)
    assert other.total == pytest.approx(one.total[:, shuffled], abs=1e-9)
