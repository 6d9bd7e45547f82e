"""One analysis for papers and interests: spellings of one thing meet, names stay apart."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.ranking.compounds import Compounds
from digest.ranking.vocabulary import is_name, names, stems, tokens
from tests.ranking.texts import compounds_of


def forms(text: str) -> list[str]:
    return [token.form for token in tokens(text)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("few-shot", "few shot"),
        ("Few‑Shot", "few-shot"),  # U+2011
        ("few–shot", "FEW-SHOT"),  # en dash
        ("ＲＡＧ", "RAG"),
        ("ﬁne-tuning", "fine tuning"),
        ("Schrödinger", "schrodinger"),
        ("naïve", "naive"),
        ("Łukasz", "lukasz"),
        ("LLMs", "LLM"),
        ("GANs", "gan"),
        ("language models", "Language Model"),
        ("policies", "policy"),
        ("matrices", "matrix"),
        ("Alzheimer's", "Alzheimer"),
        ("meta\u00adlearning", "metalearning"),  # soft hyphen of a line break
        ("GPT4", "GPT-4"),
        ("Qwen2.5-VL", "Qwen 2.5 VL"),
        ("CIFAR10", "CIFAR-10"),
        ("naïve Llama3.1", "naive llama 3.1"),
        ("CONTINUAL LEARNING OF GRAPHS", "continual learning of graphs"),
    ],
)
def test_spellings_of_one_thing_have_equal_forms(one: str, other: str) -> None:
    assert forms(one) == forms(other) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [("RAG", "fragment"), ("GPT-4", "GPT-3"), ("GPT-4", "GPT-4.5"), ("3D", "2D"), ("C++", "C"),
     ("Qwen2.5", "Qwen2"), ("T5", "T"), ("word2vec", "word vec"),
     ("AIDS", "aid"), ("class", "clas"), ("physics", "physic")],
)  # fmt: skip
def test_different_things_have_different_forms(one: str, other: str) -> None:
    assert forms(one) != forms(other)


def test_stems_go_further_than_forms_but_not_for_names() -> None:
    assert stems("continually learns") == stems("continual learning")
    assert forms("continually learns") != forms("continual learning")
    assert stems("LoRA DALLE GPT-4") == ["lora", "dalle", "gpt", "4"]


def test_words_can_be_shown_as_they_are_spelled() -> None:
    text = "Naïve 3D‑Gaussians: 持续 学习, C++ & GPT-4.5's LLMs."
    shown = [text[token.start : token.end] for token in tokens(text)]
    assert shown == [
        "Naïve", "3D", "Gaussians", "持", "续", "学", "习", "C++", "GPT", "4.5", "s", "LLMs",
    ]  # fmt: skip


def test_a_version_is_tied_to_the_name_before_it() -> None:
    assert [(t.form, t.joined) for t in tokens("Qwen2.5 3D")] == [
        ("qwen", True), ("2.5", False), ("3d", False),
    ]  # fmt: skip
    assert not tokens("学3")[0].joined


def test_text_without_words_has_no_tokens() -> None:
    assert tokens("") == tokens("🦙🔥 … — ___ \x00 \ud800") == []


def test_a_compound_is_taken_apart_once_it_was_seen_with_a_hyphen() -> None:
    compounds = compounds_of("Meta-learning and co-training")
    parted = compounds.parted(tokens("On metalearning"))
    assert [token.form for token in parted] == ["on", "meta", "learning"]
    assert compounds.names("cotraining") == names("co training")
    assert compounds.names("learning") == names("learning")


def test_an_accident_of_hyphenation_is_no_compound() -> None:
    assert compounds_of("in-formation").names("information") == names("information")


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_text_has_tokens_in_order_that_lie_within_it(text: str) -> None:
    found = tokens(text)
    assert all(0 <= t.start < t.end <= len(text) and t.form and t.stem for t in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert [(t.form, t.stem) for t in found] == names(text)


def test_a_word_of_a_megabyte_is_read_in_proportion_to_its_length() -> None:
    word = "a" * 1_000_000  # by the square of the length this would take hours
    assert not is_name(word)
    Compounds().learn_hyphens(word)
    assert forms(f"{word} owls") == [word, "owls"[:-1]]
