"""What counts as evidence for a phrase, and how much."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.domain.digests import Where
from digest.ranking.evidence import evidence, holds
from digest.ranking.statistics import Statistics
from digest.ranking.vocabulary import tokens
from tests.ranking.texts import a_page, a_phrase

DEFAULT_THRESHOLD = 0.25
COMMON = Statistics.of([("Reasoning of agents", "")] * 400 + [("Proteins", "")] * 600)


def relevance(text: str, title: str, abstract: str = "", known: Statistics | None = None) -> float:
    phrase = a_phrase(text, known) if known else a_phrase(text)
    found = evidence(a_page(title, abstract), phrase)
    return found.relevance if found else 0.0


def test_a_phrase_in_the_title_gives_three_quarters() -> None:
    assert relevance("continual learning", "On Continual Learning") == pytest.approx(0.75)


def test_a_rare_phrase_once_in_the_abstract_gives_one_half() -> None:
    assert relevance("continual learning", "A", "On continual learning.") == pytest.approx(0.5)


def test_more_evidence_never_lowers_relevance() -> None:
    steps = [
        relevance("continual learning", "A", "We learn in a continual way"),
        relevance("continual learning", "A", "It continually learns"),
        relevance("continual learning", "A", "On continual learning"),
        relevance("continual learning", "A", "continual learning is continual learning"),
        relevance("continual learning", "Continual learning", ""),
        relevance("continual learning", "Continual learning", "of continual learning"),
    ]
    assert steps == sorted(steps) and len(set(steps)) == len(steps)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("few-shot", "Few Shot Transfer"),
        ("few shot", "Few‑Shot Transfer"),
        ("RAG", "Better RAGs"),
        ("rag", "RAG at scale"),
        ("aids", "AIDS research"),
        ("language models", "A Language-Model Survey"),
        ("GPT-4", "GPT 4 as a judge"),
        ("3D", "3D scenes"),
        ("持续学习", "关于持续学习的研究"),
        ("state of the art", "The State-of-the-Art in Sleep"),
    ],
)
def test_variants_of_a_phrase_match(text: str, title: str) -> None:
    assert relevance(text, title) >= 0.75


@pytest.mark.parametrize(
    ("text", "title", "abstract"),
    [
        ("RAG", "A fragment of ragged drag", "storage"),
        ("continual learning", "Deep learning", "We study learning; it is a continual effort here"),
        ("language models", "World models", "a language of thought " + "x " * 20 + "models"),
        ("language models", "Models", "language"),
        ("language models", "Vision-Language-Action Models", ""),
        ("world models", "World-Ego State Modeling", "the world of large models"),
        ("graph neural networks", "Neural networks", "neural networks of many kinds"),
        ("持续学习", "学习", "持 续 学"),
        ("the", "The title of the paper", "the the the"),
        ("of the", "Of the people", ""),
        ("AIDS", "Hearing aids", "an aid"),
    ],
)
def test_a_stray_word_is_no_match(text: str, title: str, abstract: str) -> None:
    assert relevance(text, title, abstract) < DEFAULT_THRESHOLD


def test_one_mention_of_a_common_word_in_an_abstract_is_not_enough() -> None:
    assert relevance("reasoning", "Sleep", "It needs reasoning.", COMMON) < DEFAULT_THRESHOLD
    assert relevance("reasoning", "On Reasoning", "", COMMON) >= 0.75
    assert relevance("speculative decoding", "A", "speculative decoding", COMMON) == 0.5


def test_a_stem_alone_tells_less_than_the_word() -> None:
    assert relevance("reasoning", "For that reason") < relevance("reasoning", "On reasoning")


def test_words_near_each_other_match_in_any_order_but_tell_less() -> None:
    near = relevance("diffusion models", "Diffusion Language Models")
    assert DEFAULT_THRESHOLD <= near < relevance("diffusion models", "Diffusion Models")


def test_three_words_scattered_over_an_abstract_tell_a_little() -> None:
    abstract = "protein " + "x " * 9 + "structure " + "y " * 9 + "prediction"
    assert 0 < relevance("protein structure prediction", "A", abstract) < 0.3
    assert relevance("protein structure prediction", "A", abstract.replace("protein", "z")) == 0


def test_evidence_says_where_and_which_words() -> None:
    found = evidence(a_page("On Few-Shot Learning", "A few shot each."), a_phrase("few shot"))
    assert found is not None
    assert (found.where, found.title, found.abstract) == (Where.TITLE, ((1, 3),), ((1, 3),))
    other = evidence(a_page("A", "A few shots."), a_phrase("few shot"))
    assert other is not None and other.where is Where.ABSTRACT


def test_an_exclusion_needs_the_phrase_itself() -> None:
    phrase = a_phrase("diffusion model")
    assert holds(a_page("Fast Diffusion-Models"), phrase)
    assert holds(a_page("A", "of diffusion models."), phrase)
    assert not holds(a_page("Models of diffusion", "diffuse modelling"), phrase)
    assert not holds(a_page("Sleep", "diffusion"), phrase)
    assert not holds(a_page("The the"), a_phrase("the"))


_VOCABULARY = ["deep", "learn", "learning", "models", "model", "of", "graph"]
_words = st.lists(st.sampled_from(_VOCABULARY), max_size=12)


@settings(max_examples=150, deadline=None)
@given(_words, _words, st.lists(st.sampled_from(["deep", "learning", "models", "of"]), min_size=1,
                                max_size=4))  # fmt: skip
def test_relevance_lies_in_0_to_1_and_without_its_words_it_is_gone(
    title: list[str], abstract: list[str], asked: list[str]
) -> None:
    phrase = a_phrase(" ".join(asked))
    found = evidence(a_page(" ".join(title), " ".join(abstract)), phrase)
    if found is None:
        return
    assert 0 < found.relevance < 1
    spans = [title[a:b] for a, b in found.title] + [abstract[a:b] for a, b in found.abstract]
    named = {_stem(word) for span in spans for word in span}
    rest = [[w for w in words if _stem(w) not in named] for words in (title, abstract)]
    assert evidence(a_page(" ".join(rest[0]), " ".join(rest[1])), phrase) is None


def _stem(word: str) -> str:
    return tokens(word)[0].stem
