"""Related phrases: what goes with a phrase more than chance, once each, as papers spell it."""

import math
import random
from pathlib import Path

import pytest

from digest.errors import InvalidInput
from digest.ranking.phrases import phrases
from digest.ranking.suggest import PhraseBook, Related, Suggestion
from digest.sources.formats import parse_bytes
from tests.builders import NOON

FILLERS = [
    "graph colouring", "protein folding", "speech synthesis", "traffic lights", "tea leaves",
    "weather radar", "music scores", "solar panels", "bird songs", "stone bridges",
]  # fmt: skip


def _others(number: int) -> list[tuple[str, str]]:
    """Papers about other things, each topic in several."""
    topics = [FILLERS[n % len(FILLERS)] for n in range(number)]
    return [(f"On {topic}", f"We consider {topic}, and what follows.") for topic in topics]


def _related(texts: list[tuple[str, str]], phrase: str, limit: int = 0) -> Related:
    return PhraseBook(texts).related(phrase, limit)


def _phrases(found: Related) -> list[str]:
    return [one.phrase for one in found.suggestions]


FORGETTING = [
    ("Continual learning", "It suffers from catastrophic forgetting, and we show it."),
    ("Continual learning again", "The catastrophic forgetting of networks is measured."),
    ("Still continual learning", "To avoid catastrophic forgetting, a replay buffer is kept."),
    ("More continual learning", "A replay buffer, and nothing else."),
]


def test_what_goes_with_a_phrase_comes_with_its_counts() -> None:
    found = _related([*FORGETTING, *_others(36)], "continual learning")
    assert (found.papers, found.holders) == (40, 4)
    best = found.suggestions[0]
    assert (best.phrase, best.papers, best.together) == ("catastrophic forgetting", 3, 3)
    assert ("replay buffer", 2, 2) in [(s.phrase, s.papers, s.together) for s in found.suggestions]


def test_score_is_the_log_likelihood_ratio_of_the_four_counts() -> None:
    # both 3, asked alone 1, other alone 0, neither 36: G² = 2 Σ n ln(n N / (row × column))
    expected = 2 * (
        3 * math.log(3 * 40 / (3 * 4))
        + 1 * math.log(1 * 40 / (37 * 4))
        + 36 * math.log(36 * 40 / (37 * 36))
    )
    best = _related([*FORGETTING, *_others(36)], "continual learning").suggestions[0]
    assert best.score == pytest.approx(expected)


def test_phrase_that_is_everywhere_is_no_companion() -> None:
    texts = [(title, f"{text} Then gradient descent.") for title, text in FORGETTING]
    rest = [(title, f"{text} Then gradient descent.") for title, text in _others(36)]
    assert "gradient descent" not in _phrases(_related([*texts, *rest], "continual learning"))


def test_phrase_that_avoids_the_other_is_no_companion() -> None:
    texts = [*FORGETTING, *_others(36)]
    assert not set(FILLERS) & set(_phrases(_related(texts, "continual learning")))


@pytest.mark.parametrize(
    "asked",
    ["continual learning", "Continual Learning", "continual-learning", "continual learnings"],
)
def test_spellings_of_the_phrase_asked_about_are_the_same(asked: str) -> None:
    assert _related([*FORGETTING, *_others(36)], asked).holders == 4


@pytest.mark.parametrize("asked", ["metalearning", "meta-learning", "meta learning"])
def test_compound_is_found_as_one_word_and_as_two(asked: str) -> None:
    texts = [("Metalearning", ""), ("Meta-learning", ""), ("Meta learning", ""), *_others(20)]
    assert _related(texts, asked).holders == 3


def test_plural_hyphen_and_part_of_a_suggestion_are_folded_into_it() -> None:
    texts = [
        ("Robots", "It needs a world model."),
        ("Robots too", "It has world models."),
        ("Robots three", "It lacks a world-model."),
        ("Robots four", "A large world model."),
    ]
    found = _phrases(_related([*texts, *_others(36)], "robots"))
    assert [p for p in found if "world" in p] == ["world model"]


def test_no_other_form_of_the_phrase_asked_about_is_suggested() -> None:
    texts = [
        (f"Vision transformers {n}", "A vision transformer, for transformers.") for n in "abcd"
    ]
    assert _phrases(_related([*texts, *_others(36)], "vision transformers")) == []


def test_suggestion_is_spelled_as_most_papers_spell_it() -> None:
    texts = [
        ("Sequences A", "Hidden Markov Models, of old."),
        ("Sequences B", "We like hidden Markov models, truly."),
        ("Sequences C", "We know hidden Markov models, too."),
    ]
    assert "hidden Markov models" in _phrases(_related([*texts, *_others(36)], "sequences"))


def test_acronym_is_a_suggestion_though_it_is_one_short_word() -> None:
    texts = [(f"Large language models {n}", "They are LLMs, in short.") for n in "abcd"]
    assert "LLMs" in _phrases(_related([*texts, *_others(36)], "large language models"))


def test_words_that_every_paper_uses_of_itself_are_in_no_suggestion() -> None:
    text = "We propose a novel method. Extensive experiments show the results. The model works."
    texts = [(f"Tea leaves {n}", text) for n in "abcd"]
    rest = [(f"Stone bridges {n}", "Stone and mortar.") for n in range(36)]
    assert _phrases(_related([*texts, *rest], "tea leaves")) == []


def test_narrower_phrases_do_not_fill_the_list() -> None:
    kinds = ["latent", "discrete", "causal", "masked", "spectral", "quantum", "cold", "wavelet"]
    texts = [(f"Part {n}", f"A {kind} diffusion.") for n, kind in enumerate(kinds * 3)]
    with_noise = [(title, f"{text} The noise schedule.") for title, text in texts]
    found = _phrases(_related([*with_noise, *_others(76)], "diffusion"))
    assert "noise schedule" in found
    assert sum("diffusion" in phrase for phrase in found) <= 1 + len(found) // 3


def test_unknown_phrase_gets_the_phrases_that_share_most_words_with_it() -> None:
    texts = [
        ("Graph neural networks", "A graph neural network."),
        ("Neural networks", "A neural network."),
        *_others(20),
    ]
    found = _related(texts, "hyperbolic graph neural networks")
    assert found.holders == 0
    assert _phrases(found)[0] == "graph neural network"
    assert {s.together for s in found.suggestions} == {0}
    assert {s.score for s in found.suggestions} == {0.0}


@pytest.mark.parametrize("asked", ["zzqx", "量子", "🍵 zz"])
def test_phrase_of_unknown_words_gets_nothing(asked: str) -> None:
    assert _related(_others(20), asked) == Related(papers=20, holders=0, suggestions=())


def test_empty_store_gets_nothing() -> None:
    assert _related([], "continual learning") == Related(papers=0, holders=0, suggestions=())


def test_phrase_longer_than_all_texts_is_unknown() -> None:
    found = _related([("tea", ""), ("", "")], "tea " * 9)
    assert (found.holders, _phrases(found)) == (0, ["tea"])


@pytest.mark.parametrize("asked", ["the", "of the", "", "!?", "with and without"])
def test_phrase_without_a_telling_word_is_refused(asked: str) -> None:
    with pytest.raises(InvalidInput, match="no word that tells papers apart"):
        _related(_others(20), asked)


def test_limit_cuts_the_list_and_zero_gives_all() -> None:
    texts = [*FORGETTING, *_others(36)]
    whole = _related(texts, "continual learning").suggestions
    assert len(whole) >= 2
    assert _related(texts, "continual learning", 1).suggestions == whole[:1]


def test_phrase_in_every_paper_gets_nothing_and_no_nan() -> None:
    texts = [(f"Tea {n}", "Green tea, black tea.") for n in range(10)]
    assert _related(texts, "tea").suggestions == ()


def test_chinese_phrase_is_found_in_running_text() -> None:
    texts = [("强化学习的研究", "我们研究强化学习。"), *_others(20)]
    assert _related(texts, "强化学习").holders == 1


def test_counts_agree_with_a_plain_count() -> None:
    """Random texts over few words: what the arrays count, counted again by hand."""
    dice = random.Random(4)
    words = ["alpha", "beta", "gamma", "delta", "kappa", "omega"]
    texts = [
        (" ".join(dice.choices(words, k=3)), " ".join(dice.choices(words, k=6))) for _ in range(60)
    ]
    found = _related(texts, "alpha beta")

    def holders(phrase: str) -> set[int]:
        return {n for n, pair in enumerate(texts) if any(phrase in text for text in pair)}

    assert found.holders == len(holders("alpha beta"))
    for one in found.suggestions:
        held = holders(one.phrase)
        assert one.papers == len(held)
        assert one.together == len(held & holders("alpha beta"))


def test_every_score_is_finite_and_the_order_is_theirs() -> None:
    found = _related([*FORGETTING, *_others(36)], "continual learning").suggestions
    scores = [one.score for one in found]
    assert all(math.isfinite(value) and value > 0 for value in scores)
    assert scores == sorted(scores, reverse=True)


def test_phrases_are_found_however_many_papers_of_those_that_hold_one_are_read() -> None:
    texts = [("Continual learning", "It suffers from catastrophic forgetting.")] * 290
    book = PhraseBook([*texts, *_others(290)], read_most=60)
    assert book.related("continual learning", 1).suggestions[0].phrase == "catastrophic forgetting"


def test_phrases_end_at_stop_words_punctuation_and_hyphens() -> None:
    found = {
        " ".join(one.forms) for one in phrases("Fast class-incremental learning, of dense maps")
    }
    assert "class incremental learning" in found
    assert not {"incremental learning", "fast class", "learning dense", "incremental"} & found
    assert "dense map" in found


def test_real_listings_suggest_what_a_colleague_would(shared: Path) -> None:
    batches = [
        parse_bytes("page", path.read_bytes(), source="page", now=NOON)
        for path in sorted((shared / "batches").glob("*.txt"))
    ]
    texts = [(one.title, one.abstract) for batch in batches for one in batch.listings]
    found = _phrases(_related(texts, "continual learning", 12))
    assert "catastrophic forgetting" in found
    assert isinstance(_related(texts, "meta-learning", 1).suggestions[0], Suggestion)
