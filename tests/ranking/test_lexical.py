"""BM25 over words and pairs, and the statistics it stands on."""

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from digest.ranking.lexical import Lexical, Query
from digest.ranking.statistics import Statistics, pair_slots
from digest.ranking.vocabulary import stems, tokens

TEXTS = [
    ("Continual learning of graphs", "We study learning without forgetting."),
    ("Graph neural networks", "Continual progress; learning is hard."),
    ("Protein folding", "Structures of proteins."),
]


def scores(
    texts: list[tuple[str, str]], *queries: str, statistics: Statistics | None = None
) -> NDArray[np.float64]:
    fields = [(stems(title), stems(abstract)) for title, abstract in texts]
    lexical = Lexical(fields, statistics or Statistics.of(texts))
    found: NDArray[np.float64] = lexical.score(
        [Query.of(tokens(query)) for query in queries]
    ).toarray()
    return found


def test_the_score_of_one_word_is_the_formula_worked_out_by_hand() -> None:
    texts = [("alpha beta", ""), ("gamma", "delta alpha"), ("delta", "")]
    # lengths 6, 5, 3; mean 14/3; alpha thrice in the first (title), once in the second
    mean = 14 / 3
    first = 3 * 2.2 / (3 + 1.2 * (0.25 + 0.75 * 6 / mean)) / 2.2
    second = 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 5 / mean)) / 2.2
    assert scores(texts, "alpha")[0] == pytest.approx([first, second, 0])


def test_a_pair_of_words_counts_beside_the_words() -> None:
    texts = [("alpha beta", ""), ("beta alpha", ""), ("gamma delta", "")]
    together, apart, none = scores(texts, "alpha beta")[0]
    assert together > apart > none == 0


def test_pairs_do_not_span_title_and_abstract_or_two_papers() -> None:
    texts = [("x alpha", "beta y"), ("beta", "alpha"), ("q r", "")]
    split, reverse, _ = scores(texts, "alpha beta")[0]
    only_words = scores(texts, "alpha")[0] + scores(texts, "beta")[0]
    assert split > 0 and reverse > 0
    assert split < only_words[0] and reverse < only_words[1]


def test_title_outranks_abstract_and_whole_words_outrank_partial_matches() -> None:
    found = scores(TEXTS, "continual learning")[0]
    assert found[0] > found[1] > found[2] == 0


def test_stop_words_count_within_a_name_but_not_in_a_sentence() -> None:
    name = Query.of(tokens("out of distribution"))
    sentence = Query.of(tokens("which papers are out of the distribution of the data"))
    assert ("out", "of") in name.pairs and "of" not in name.words
    assert not any("of" in pair for pair in sentence.pairs)


def test_nothing_asked_and_nothing_there_give_no_scores() -> None:
    assert scores(TEXTS, "🦙", "").sum() == 0
    assert scores([], "graphs").shape == (1, 0)
    assert scores(TEXTS).shape == (0, 3)
    assert scores([("", "")], "graphs").sum() == 0


def test_statistics_grow_by_adding_what_is_new() -> None:
    whole = Statistics.of(TEXTS)
    grown = Statistics.of(TEXTS[:1]) + Statistics.of(TEXTS[1:2]) + TEXTS[2:]
    assert (grown.documents, grown.length, grown.stems) == (3, whole.length, whole.stems)
    assert np.array_equal(grown.pairs, whole.pairs)


def test_statistics_count_papers_not_occurrences() -> None:
    found = Statistics.of([("graph graph graph", "graph"), ("a graph of", "graph of")])
    assert found.papers_with(["graph"]) == 2
    assert found.papers_with(["graph", "graph"]) == 1
    assert found.papers_with(["graph", "of"]) == 1
    assert found.papers_with(["never"]) == 0
    assert len(pair_slots(["one"])) == len(pair_slots([])) == 0


@pytest.mark.parametrize("texts", [[], [("a b", "")] * 2, [("graph", "")] * 50])
def test_idf_is_above_zero_in_any_corpus(texts: list[tuple[str, str]]) -> None:
    found = Statistics.of(texts)
    assert (found.idf([0, len(texts), len(texts) + 9]) > 0).all()


def test_idf_is_that_of_lucene() -> None:
    assert Statistics.of(TEXTS).idf([1]) == pytest.approx([log(1 + 2.5 / 1.5)])


def test_in_an_empty_store_every_phrase_passes_for_a_rare_one() -> None:
    assert Statistics.of(()).share(["graph"]) == pytest.approx(0.01)
    assert Statistics.of([("graph", "")] * 950).share(["graph"]) > 0.9


_texts = st.text(st.sampled_from("ab -é持\n."), max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_texts, _texts), max_size=6), st.lists(_texts, max_size=3))
def test_scores_lie_in_0_to_1_for_any_text(texts: list[tuple[str, str]], asked: list[str]) -> None:
    found = scores(texts, *asked, statistics=Statistics.of(texts[:2]))
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()
