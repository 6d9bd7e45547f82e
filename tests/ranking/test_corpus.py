"""A corpus: a pool that is ranked, earlier papers that teach, and phrases looked up in all ways."""

from collections.abc import Iterable, Sequence
from random import Random

import numpy as np
import pytest

from digest.domain.tiers import Tier
from digest.ranking.corpus import Sense, Understanding, Weight
from digest.ranking.meaning import Vectors
from digest.ranking.soft import LEAST_LIKENESS
from digest.ranking.statistics import Statistics, Text
from digest.services.tiers import equip
from tests.ranking.corpora import DECODING, FOREIGN, UNNAMED, corpus_of


class Colours:
    """A meaning of two dimensions: red, and anything else, which is its opposite."""

    def of_papers(self, texts: Iterable[Text]) -> Vectors:
        return self.of_phrases([f"{title} {abstract}" for title, abstract in texts])

    def of_phrases(self, phrases: Sequence[str]) -> Vectors:
        rows = [(1, 0) if "red" in phrase else (-1, 0) for phrase in phrases]
        return np.array(rows, np.float32).reshape(-1, 2)


RED = Understanding(senses=(Sense(meaning=Colours(), weight=Weight(name=1, sentence=1)),))


def test_a_paper_that_never_uses_the_phrase_is_like_those_that_do() -> None:
    look = corpus_of(DECODING).look(["speculative decoding"])
    assert look.lexical[0, UNNAMED] == 0
    assert look.likeness[0, UNNAMED] > LEAST_LIKENESS
    assert look.likeness[0, UNNAMED] > 3 * max(look.likeness[0, number] for number in FOREIGN)


def test_earlier_papers_teach_a_profile_and_are_not_ranked() -> None:
    pool, archive = DECODING[UNNAMED:], DECODING[:UNNAMED]
    untaught = corpus_of(pool).look(["speculative decoding"])
    assert untaught.likeness[0].max() == 0
    taught = corpus_of(pool, earlier=archive).look(["speculative decoding"])
    assert taught.likeness.shape == (1, len(pool))
    assert taught.likeness[0].argmax() == 0 and taught.likeness[0, 0] > LEAST_LIKENESS
    assert taught.lexical.shape == (1, len(DECODING))


def test_a_compound_of_the_phrase_meets_every_spelling() -> None:
    texts = [("A metalearning view", ""), ("Meta-learning", ""), ("Meta learning", "")]
    found = corpus_of(texts).look(["metalearning"]).lexical.toarray()[0]
    assert found[0] > 0 and found[1] == found[2] > 0


def test_nearness_is_the_cosine_cut_off_at_0() -> None:
    look = corpus_of([("red", ""), ("blue", "")], understanding=RED).look(["red", "blue"])
    (nearness,) = look.nearness
    assert nearness.tolist() == [[1, 0], [0, 1]]
    assert nearness.dtype == np.float64


def test_a_sense_is_asked_about_the_pool_alone() -> None:
    found = corpus_of([("red", "")], earlier=[("red", ""), ("blue", "")], understanding=RED)
    assert found.look(["red"]).nearness[0].shape == (1, 1)


def test_each_of_60_phrases_is_found_alone_as_in_a_batch() -> None:
    rng = Random(1)
    words = sorted({word for title, text in DECODING for word in f"{title} {text}".split()})
    texts = [
        (" ".join(rng.sample(words, 5)), " ".join(rng.choices(words, k=60))) for _ in range(300)
    ]
    phrases = [" ".join(rng.sample(words, rng.choice((1, 2, 3, 9)))) for _ in range(60)]
    understanding = equip(Tier.SEMANTIC).understanding(Statistics.of(texts))
    corpus = corpus_of(texts, understanding=understanding)
    batch = corpus.look(phrases)
    for number, phrase in enumerate(phrases):
        alone = corpus.look([phrase])
        assert (alone.lexical != batch.lexical[[number]]).nnz == 0
        assert np.array_equal(alone.likeness[0], batch.likeness[number])
        assert np.array_equal(alone.nearness[0][0], batch.nearness[0][number])


def test_names_and_sentences_have_weights_of_their_own() -> None:
    look = corpus_of(DECODING).look(["speculative decoding", "how is the latency of models cut"])
    assert look.is_sentence.tolist() == [False, True]
    weight = Weight(name=0.5, sentence=0.13).of(look.is_sentence)
    assert weight.tolist() == [[0.5], [0.13]]


@pytest.mark.parametrize("texts", [[], [("", "")]])
@pytest.mark.parametrize("phrases", [[], [""], ["owls", "🦙", "of the"]])
def test_nothing_there_or_nothing_asked_gives_empty_scores(
    texts: list[Text], phrases: list[str]
) -> None:
    look = corpus_of(texts, understanding=RED).look(phrases)
    shape = (len(phrases), len(texts))
    assert look.lexical.shape == look.likeness.shape == look.nearness[0].shape == shape
    assert look.lexical.nnz == 0 and not look.likeness.any()
