"""Acronyms of the papers: what they define is known in both spellings, what is doubtful is not."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.domain.interests import interest
from digest.ranking.acronyms import MOST, Acronyms
from digest.ranking.match import synonym_key

Text = tuple[str, str]


def papers(*abstracts: str) -> list[Text]:
    return [("A title", abstract) for abstract in abstracts]


FIELD = papers(
    "Large language models (LLMs) agree.",
    "We ask large language models (LLMs) with retrieval-augmented generation (RAG).",
    "Retrieval augmented generation (RAG) of a multimodal large language model (MLLM).",
    "Multimodal large language models (MLLMs) and contrastive language-image pre-training (CLIP).",
    "Contrastive Language-Image Pretraining (CLIP) of a clip of a video.",
    "Every clip of vision-language-action (VLA) models.",
    "Vision-language-action models (VLAs) and supervised fine-tuning (SFT).",
    "Supervised finetuning (SFT) by reinforcement learning with verifiable rewards (RLVR).",
    "Reinforcement learning from verifiable rewards (RLVR) of one-off wonders (OOW).",
    "Acquired immune deficiency syndrome (AIDS) and 3D Gaussian Splatting (3DGS).",
    "Acquired immune deficiency syndrome (AIDS), which this method aids by 3D gaussian "
    "splatting (3DGS).",
)
KNOWN = Acronyms.of(FIELD)


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("LLM", ("large language model",)),
        ("LLMs", ("large language model",)),
        ("llms", ("large language model",)),
        ("Large Language Models", ("LLM",)),
        ("large-language model", ("LLM",)),
        ("LLM agents", ("large language model agents",)),
        ("large language model agents", ("LLM agents",)),
        ("LLM-based agents", ("large language model-based agents",)),
        ("multimodal large language models", ("MLLM",)),  # not `multimodal LLM`: the longest
        ("rag", ("retrieval augmented generation",)),
        ("VLA models", ("vision-language-action models",)),
        ("vision language action models", ("VLA models",)),
        ("supervised fine tuning", ("SFT",)),
        ("Supervised finetuning", ("SFT",)),
        ("3dgs", ("3D gaussian splatting",)),
        ("LLM AGENTS AT WORK", ("large language model AGENTS AT WORK",)),
        ("RAG with LLMs", (
            "retrieval augmented generation with large language model",
            "retrieval augmented generation with LLMs",
            "RAG with large language model",
        )),
    ],
)  # fmt: skip
def test_each_spelling_of_a_defined_thing_leads_to_the_other(
    text: str, others: tuple[str, ...]
) -> None:
    assert tuple(map(synonym_key, KNOWN.synonyms(text))) == tuple(map(synonym_key, others))


def test_what_is_put_in_is_spelled_as_the_papers_do() -> None:
    assert KNOWN.synonyms("large language models") == ("LLM",)
    assert KNOWN.synonyms("3DGS") == ("3D gaussian splatting",)


@pytest.mark.parametrize(
    "text", ["", "agents", "持续学习", "🦙", "the of", "\ud800", "OOW", "GPT-4"]
)
def test_what_no_two_papers_define_has_no_synonym(text: str) -> None:
    assert KNOWN.synonyms(text) == ()


def test_a_short_form_that_is_also_a_word_is_meant_only_in_capitals() -> None:
    assert KNOWN.synonyms("CLIP") != ()
    assert KNOWN.synonyms("clip") == KNOWN.synonyms("Clip") == ()
    assert KNOWN.synonyms("AIDS") == ("acquired immune deficiency syndrome",)
    assert KNOWN.synonyms("aids") == ()


def test_nobody_who_spells_it_out_is_sent_an_ordinary_word() -> None:
    assert KNOWN.synonyms("contrastive language-image pretraining") == ()


def test_an_ambiguous_short_form_stands_for_nothing() -> None:
    smoothing = ["Stable diffusion model (SDM)."] * 2
    others = ["A sparse distributed memory (SDM)."] * 2
    assert Acronyms.of(papers(*smoothing)).synonyms("SDM") == ("stable diffusion model",)
    assert Acronyms.of(papers(*smoothing, *others)).synonyms("SDM") == ()
    assert Acronyms.of(papers(*smoothing, *others)).synonyms("stable diffusion model") == ()
    two_to_one = Acronyms.of(papers(*smoothing, others[0]))
    assert two_to_one.synonyms("SDM") == ()
    assert Acronyms.of(papers(*smoothing * 5, *others)).synonyms("SDM") != ()


def test_one_paper_counts_once_however_often_it_defines() -> None:
    text = "Mixture of experts (MoE). " * 5
    assert Acronyms.of(papers(text)).synonyms("MoE") == ()
    wordings = papers("Mixture of experts (MoE), mixture-of-expert (MOE)")
    assert Acronyms.of(wordings).synonyms("MoE") == ()
    assert Acronyms.of(papers(text, text)).synonyms("MoE") == ("mixture of experts",)


def test_wordings_of_one_meaning_vote_together_and_are_both_offered() -> None:
    assert len(KNOWN.synonyms("RLVR")) == 1
    twice = KNOWN + FIELD
    assert set(twice.synonyms("RLVR")) == {
        "reinforcement learning with verifiable rewards",
        "reinforcement learning from verifiable rewards",
    }
    for wording in twice.synonyms("RLVR"):
        assert twice.synonyms(wording) == ("RLVR",)


def test_british_and_american_spellings_vote_together() -> None:
    both = papers(
        "Distributionally robust optimisation (DRO)", "Distributionally robust optimization (DRO)"
    )
    assert len(Acronyms.of(both).synonyms("DRO")) == 1


def test_two_letters_that_many_use_undefined_have_no_known_meaning() -> None:
    defined = papers(*["A neural process (NP)."] * 3)
    assert Acronyms.of(defined).synonyms("NP") == ("neural process",)
    assert Acronyms.of(defined[:2]).synonyms("NP") == ()
    used = papers(*["This is NP-hard."] * 20)
    assert Acronyms.of(defined + used).synonyms("NP") == ()
    assert Acronyms.of(defined * 4 + used).synonyms("NP") == ("neural process",)


def test_an_interest_in_either_spelling_is_given_its_synonyms_by_key() -> None:
    interests = [
        interest(text)
        for text in ("LLMs", "rag AND author:Smith", '"VLA"', "nothing known", "VLA^2")
    ]
    assert KNOWN.as_mapping(interests) == {
        synonym_key("LLM"): ("large language model",),
        synonym_key("RAG"): KNOWN.synonyms("RAG"),
        synonym_key("VLA"): ("vision-language-action",),
    }
    assert KNOWN.as_mapping([interest('"LLM"'), interest("author:LLM")]) == {}


def test_a_keyword_of_many_pages_is_read_in_no_time() -> None:
    text = "LLM agents " * 2_600  # by the square of its length this took minutes
    found = KNOWN.synonyms(text)
    assert found[0] == text.replace("LLM", "large language model")
    assert found[1:] == tuple(
        "LLM agents " * n + "large language model agents " + "LLM agents " * (2_599 - n)
        for n in range(2)
    )


def test_no_papers_teach_nothing() -> None:
    assert Acronyms.of([]).synonyms("LLM") == ()
    assert Acronyms().as_mapping([interest("LLM")]) == {}
    assert Acronyms() + Acronyms() == Acronyms()


_SHORTS = ("LLM", "LLMs", "RAG", "rag", "VLA", "3DGS", "CLIP", "clip")
_LONGS = ("large language models", "retrieval augmented generation", "supervised finetuning")
_PLAIN = ("agents", "for", "-", "robots", "学习")
_PHRASES = st.lists(st.sampled_from(_SHORTS + _LONGS + _PLAIN), max_size=5).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(_PHRASES)
def test_synonyms_are_few_distinct_and_never_the_text_itself(text: str) -> None:
    keys = [synonym_key(other) for other in KNOWN.synonyms(text)]
    assert len(set(keys)) == len(keys) <= MOST
    assert synonym_key(text) not in keys


def test_every_accepted_pair_leads_both_ways_but_for_words() -> None:
    for short, longs in KNOWN.accepted().items():
        assert KNOWN.synonyms(short) == longs
        if short != "CLIP" and short != "AIDS":
            assert all(short in KNOWN.synonyms(long) for long in longs)


@settings(max_examples=60, deadline=None)
@given(st.permutations(FIELD), st.integers(0, len(FIELD)), st.integers(0, len(FIELD)))
def test_parts_added_in_any_order_know_the_same(order: list[Text], one: int, two: int) -> None:
    low, high = sorted((one, two))
    parts = [Acronyms.of(order[:low]), Acronyms.of(order[low:high]), Acronyms.of(order[high:])]
    assert (parts[0] + parts[1]) + parts[2] == parts[2] + (parts[1] + parts[0]) == KNOWN
    assert (parts[0] + order[low:]).accepted() == KNOWN.accepted()


def test_the_rarest_are_forgotten_where_too_many_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.ranking.acronyms._MOST_PAIRS", 3)
    monkeypatch.setattr("digest.ranking.acronyms._MOST_WORDS", 10)
    short = Acronyms.of([*FIELD[:2], *FIELD[:2], *FIELD[5:]])
    assert short.synonyms("LLM") == ("large language model",)
    assert len(short.pairs) <= 3 and len(short.words) <= 10


@pytest.mark.parametrize(
    ("name", "short", "long"),
    [
        ("hf_daily", "LLM", "large language model"),
        ("hf_daily", "RLHF", "reinforcement learning from human feedback"),
        ("openreview_kw", "GNNs", "graph neural network"),
        ("inspec_kw", "CBR", "case-based reasoning"),
    ],
)
def test_real_papers_teach_what_their_readers_know(
    shared: Path, name: str, short: str, long: str
) -> None:
    lines = (shared / "ranking" / name / "papers.jsonl").read_text().splitlines()[:3_000]
    known = Acronyms.of((p["title"], p["abstract"]) for p in map(json.loads, lines))
    assert known.synonyms(short) == (long,)
    assert synonym_key(short) in map(synonym_key, known.synonyms(long))
