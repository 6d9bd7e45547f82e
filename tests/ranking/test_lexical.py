"""BM25 over words and pairs, and the statistics it stands on."""

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from digest.ranking.lexical import NAME, SENTENCE, Lexical, Query
from digest.ranking.statistics import Statistics, pair_slots
from digest.ranking.vocabulary import names, tokens

TEXTS = [
    ("Continual learning of graphs", "We study learning without forgetting."),
    ("Graph neural networks", "Continual progress; learning is hard."),
    ("Protein folding", "Structures of proteins."),
]


def scores(
    texts: list[tuple[str, str]], *queries: str, statistics: Statistics | None = None
) -> NDArray[np.float64]:
    fields = [(names(title), names(abstract)) for title, abstract in texts]
    lexical = Lexical(fields, statistics or Statistics.of(texts))
    found: NDArray[np.float64] = lexical.score(
        [Query.of(tokens(query)) for query in queries]
    ).toarray()
    return found


def saturated(count: float, length: float, *, b: float = 0.75) -> float:
    """f / (f + k1 (1 - b + b l / L)), the part of its ceiling that a count reaches; k1 is 1.2."""
    return count / (count + 1.2 * (1 - b + b * length))


def test_views_add_up_to_1_for_both_kinds_of_queries() -> None:
    for views in (NAME, SENTENCE):
        together = views.form_words + views.form_pairs + views.stem_words + views.stem_pairs
        assert together == pytest.approx(1)
    assert SENTENCE.of_sentences and not NAME.of_sentences


def test_the_score_of_one_word_is_the_formula_worked_out_by_hand() -> None:
    texts = [("alpha beta", ""), ("gamma", "delta alpha"), ("delta", "")]
    # lengths 6, 5, 3; mean 14/3; alpha thrice in the first (title), once in the second, whose
    # abstract alone has length 2
    mean = 14 / 3
    first = 0.2 * saturated(3, 6 / mean)
    second = 0.2 * saturated(1, 5 / mean) + 0.12 * saturated(1, 2 / mean)
    assert scores(texts, "alpha")[0] == pytest.approx([first, second, 0])


def test_the_score_of_a_name_adds_up_words_and_pairs_by_form_and_by_stem() -> None:
    texts = [("", "graphs learn much"), ("", "graph learning")]
    mean, idf = 2.5, log(1 + 0.5 / 2.5)
    one, both = 3 / mean, 2 / mean
    # of the forms `graph` and `learn` both stand in the first; as stems in both papers
    first = (
        0.2 * saturated(1, one) + 0.5 * saturated(1, one, b=0.3)
        + 0.12 * saturated(1, one) + 0.18 * saturated(1, one, b=0.3)
    )  # fmt: skip
    second = (
        0.2 * saturated(1, both) * idf / (2 * idf)
        + 0.12 * saturated(1, both) + 0.18 * saturated(1, both, b=0.3)
    )  # fmt: skip
    assert scores(texts, "graph learn")[0] == pytest.approx([first, second])


def test_the_score_of_a_sentence_weighs_each_stem_by_how_often_it_is_asked() -> None:
    texts = [("alphas", "of beta"), ("beta", ""), ("gamma", "alpha")]
    # lengths 5, 3, 4; mean 4; alpha in two papers of three, beta in two: the same idf for both
    first = 0.77 * (2 * saturated(3, 5 / 4) + saturated(1, 5 / 4)) / 3
    second, third = 0.77 * saturated(3, 3 / 4) / 3, 0.77 * 2 * saturated(1, 1) / 3
    found = scores(texts, "is the alpha of the alpha in beta")[0]
    assert found == pytest.approx([first, second, third])


def test_the_rarer_word_counts_more() -> None:
    texts = [("rare", ""), *[("common", "")] * 9]
    found = scores(texts, "rare common")[0]
    assert found[0] / found[1] == pytest.approx(log(1 + 9.5 / 1.5) / log(1 + 1.5 / 9.5))


def test_the_form_that_was_asked_for_outranks_another_of_the_same_stem() -> None:
    texts = [("learning", ""), ("learned", ""), ("", "learned"), ("", "learning")]
    title, other_title, other_abstract, abstract = scores(texts, "learning")[0]
    assert title > 0 and abstract > other_abstract > other_title == 0
    sentence = "what is the one of it all so very learning"
    title, other_title, other_abstract, abstract = scores(texts, sentence)[0]
    assert title == other_title > abstract == other_abstract > 0


def test_pairs_are_met_in_order_only() -> None:
    together, reverse = scores([("alpha beta", ""), ("beta alpha", "")], "alpha beta")[0]
    words = 0.2 * saturated(3, 1)
    assert reverse == pytest.approx(words)
    assert together == pytest.approx(words + 0.5 * saturated(3, 1, b=0.3))


def test_names_and_sentences_asked_together_get_what_they_get_alone() -> None:
    asked = ["graph networks", "how hard is the learning of graphs", "proteins"]
    alone = np.vstack([scores(TEXTS, query) for query in asked])
    assert np.array_equal(scores(TEXTS, *asked), alone)


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
    assert (("out", "out"), ("of", "of")) in name.pairs and ("of", "of") not in name.words
    assert not name.is_sentence and sentence.is_sentence
    assert not sentence.pairs and ("of", "of") not in sentence.words


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
