"""What a text says a short form stands for, and what only looks like it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.ranking.definitions import definitions


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("We study large language models (LLMs).", "LLM", "large language model"),
        ("LLMs (large language models) are", "LLM", "large language model"),
        ("Retrieval-Augmented Generation (RAG)", "RAG", "retrieval-augmented generation"),
        ("by Low-Rank Adaptation (LoRA), which", "LoRA", "low-rank adaptation"),
        ("vision-language-action (VLA) models", "VLA", "vision-language-action"),
        ("vision-language-action models (VLAs)", "VLA", "vision-language-action"),
        ("3D Gaussian Splatting (3DGS)", "3DGS", "3D gaussian splatting"),
        ("chain-of-thought (CoT) prompting", "CoT", "chain-of-thought"),
        ("a mixture of experts (MoE)", "MoE", "mixture of experts"),
        ("Vision Transformers (ViTs)", "ViT", "vision transformer"),
        ("pre-trained language models (PLMs)", "PLM", "pre-trained language model"),
        ("text-to-image (T2I) generation", "T2I", "text-to-image"),
        ("explainable AI (XAI)", "XAI", "explainable AI"),
        ("Out of distribution (OOD) data", "OOD", "out of distribution"),
        ("in-context learning (ICL)", "ICL", "in-context learning"),
        ("AI-generated content (AIGC)", "AIGC", "AI-generated content"),
        ("electroencephalography (EEG)", "EEG", "electroencephalography"),
        ("deoxyribonucleic acid (DNA)", "DNA", "deoxyribonucleic acid"),
        ("Learning with rewards. Reinforcement learning (RL; Sutton)", "RL",
         "reinforcement learning"),
        ("\\textbf{L}arge \\textbf{L}anguage \\textbf{M}odels (\\textbf{LLMs})", "LLM",
         "large language model"),
        ("human--object interaction (HOI)", "HOI", "human-object interaction"),
        ("LARGE LANGUAGE MODELS (LLM)", "LLM", "large language models"),
        ("Fréchet inception distance (FID)", "FID", "fréchet inception distance"),
        ("deep robust reinforcement learning (RL)", "RL", "reinforcement learning"),
    ],
)  # fmt: skip
def test_a_definition_is_read(text: str, short: str, long: str) -> None:
    assert list(definitions(text)) == [(short, long)]


@pytest.mark.parametrize(
    "text",
    [
        "some examples (e.g. this one)",
        "as seen in the figure (Figure 2)",
        "published lately (2024)",
        "reaches state-of-the-art (SOTA)",
        "a conference (ICLR 2024)",
        "on many languages (EN, FR)",
        "a strong teacher model (GPT-4)",
        "vision encoders (CLIP)",
        "case one (II)",
        "We love reading. Language (RL)",  # not within one sentence
        "robust, learned (RL)",
        "reinforcement based modern learning (RL)",  # words without a letter
        "reinforcement learning (RLX)",  # letters without a word
        "of learning machines (OLM)",
        "reinforcement (RL)",
        "()", "(", ")(", "(RL)", " (RL)", "a (RL", "((LLM))",
        "RL (reinforcement, or so)",
        "the model (large language models)",
    ],
)  # fmt: skip
def test_a_parenthesis_that_defines_nothing_is_left_alone(text: str) -> None:
    assert list(definitions(text)) == []


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("aAbB ()-.,;sS$\\{}*_2'\né大\ud800"), max_size=60))
def test_any_text_is_read_and_each_short_form_stands_in_it(text: str) -> None:
    for short, long in definitions(text):
        assert len(short) >= 2 and long
        assert short.lower()[0] in text.lower()
