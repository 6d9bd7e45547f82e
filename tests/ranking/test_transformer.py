"""A small random BERT against torch's figures and against the formulas written out slowly."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import erf

from digest.errors import InvalidInput
from digest.ranking import transformer
from digest.ranking.transformer import Transformer, assemble, blocks, encode
from tests.ranking.bert import small_bert

Array = NDArray[np.float64]

# transformers 5.23's BertModel (torch 2.13, double precision) with the weights of `small_bert`
TORCH = {
    (1, 5, 9, 2): [
        0.183696, -0.047522, -0.306487, -0.0419, 0.845518, -0.325105, -0.147886, -0.160758,
    ],
    (1, 3, 2): [
        0.147689, -0.038688, -0.265447, 0.016217, 0.824668, -0.446369, -0.10219, -0.127283,
    ],
    (1, 7, 7, 8, 19, 0, 4, 2): [
        0.193403, 0.027619, -0.339354, -0.011401, 0.809076, -0.378128, -0.192218, -0.109589,
    ],
}  # fmt: skip


def slow(tensors: dict[str, NDArray[np.float32]], ids: list[int], heads: int, layers: int) -> Array:
    """One text's unit vector in double precision, as the papers write it."""
    t = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}

    def dense(x: Array, name: str) -> Array:
        return np.einsum("li,oi->lo", x, t[f"{name}.weight"]) + t[f"{name}.bias"]

    def norm(x: Array, name: str) -> Array:
        centred = x - x.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-12)
        return scaled * t[f"{name}.weight"] + t[f"{name}.bias"]

    place = t["embeddings.position_embeddings.weight"][: len(ids)]
    kind = t["embeddings.token_type_embeddings.weight"][0]
    x = norm(t["embeddings.word_embeddings.weight"][ids] + place + kind, "embeddings.LayerNorm")
    for number in range(layers):
        name = f"encoder.layer.{number}"
        q, k, v = (
            dense(x, f"{name}.attention.self.{part}").reshape(len(ids), heads, -1)
            for part in ("query", "key", "value")
        )
        scores = np.einsum("ihd,jhd->hij", q, k) / math.sqrt(q.shape[2])
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        mixed = np.einsum("hij,jhd->ihd", weights, v).reshape(len(ids), -1)
        x = norm(
            x + dense(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm"
        )
        hidden = dense(x, f"{name}.intermediate.dense")
        hidden = hidden * 0.5 * (1 + erf(hidden / math.sqrt(2)))
        x = norm(x + dense(hidden, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    mean = x.mean(axis=0)
    unit: Array = mean / np.linalg.norm(mean)
    return unit


def model(
    tensors: dict[str, NDArray[np.float32]], *, heads: int = 2, layers: int = 2
) -> Transformer:
    return assemble(tensors, layers=layers, heads=heads, epsilon=1e-12)


def test_vectors_are_those_of_torch() -> None:
    found = encode(model(small_bert()), list(TORCH))
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array(list(TORCH.values())), abs=1e-5)


def test_vectors_are_those_of_the_formulas_for_many_lengths() -> None:
    tensors = small_bert(tokens=90, width=48, hidden=96, layers=3, positions=300)
    rng = np.random.default_rng(1)
    texts = [rng.integers(0, 90, size).tolist() for size in (1, 2, 2, 2, 7, 30, 30, 129, 300)]
    found = encode(model(tensors, heads=4, layers=3), texts)
    expected = np.array([slow(tensors, ids, heads=4, layers=3) for ids in texts])
    assert np.abs(found - expected).max() < 1e-5


def test_a_text_has_the_same_vector_whatever_stands_beside_it() -> None:
    bert = model(small_bert())
    texts = [[1, 5, 9, 2], [1, 3, 2], [1, 7, 2], [1, 7, 7, 8, 19, 0, 4, 2], [4]]
    together = encode(bert, texts)
    assert encode(bert, texts[::-1])[::-1] == pytest.approx(together, abs=1e-6)
    for ids, vector in zip(texts, together, strict=True):
        assert encode(bert, [ids])[0] == pytest.approx(vector, abs=1e-6)


@pytest.mark.parametrize("scores", [1, 40, 1000])
def test_how_much_attention_is_done_at_once_changes_nothing(
    scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bert = model(small_bert())
    texts = [[3, 4, 5]] * 5 + [[1, 2, 3, 4, 5, 6]] * 3
    expected = encode(bert, texts)
    monkeypatch.setattr(transformer, "_SCORES", scores)
    monkeypatch.setattr(transformer, "_FEED_ROWS", 4)
    monkeypatch.setattr(transformer, "_GELU_ROWS", 3)
    assert encode(bert, texts) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("part", ["query", "key"])
def test_attention_scores_beyond_what_exponentials_hold_are_no_fault(part: str) -> None:
    tensors = small_bert()
    for number in range(2):
        tensors[f"encoder.layer.{number}.attention.self.{part}.weight"] *= 300
    bert = model(tensors)
    for ids in ([1, 5, 9, 2], *([word] for word in range(20))):  # one word alone: all may be tiny
        expected = slow(tensors, ids, heads=2, layers=2)
        assert encode(bert, [ids])[0] == pytest.approx(expected, abs=1e-4)


def test_weights_that_are_no_numbers_give_zeros_and_never_nan() -> None:
    tensors = small_bert()
    tensors["encoder.layer.1.output.dense.weight"][:] = np.nan
    tensors["encoder.layer.0.intermediate.dense.bias"][:] = np.inf
    assert encode(model(tensors), [[1, 5, 9, 2]]).tolist() == [[0.0] * 8]


def test_gelu_is_within_a_few_millionths_everywhere() -> None:
    x = np.concatenate((np.linspace(-9, 9, 20001), [-1e4, -50, 50, 1e4])).astype(np.float32)
    found = x.copy()
    transformer._double_gelu(found)
    expected = x * (1 + erf(x.astype(np.float64) / math.sqrt(2)))
    assert np.abs(found - expected).max() < 1e-5


def test_blocks_hold_every_text_once_shortest_first_within_the_bound() -> None:
    lengths = [5, 1, 9, 3, 3, 20, 2]
    found = list(blocks(lengths, tokens=10))
    assert found == [[1, 6, 3, 4], [0], [2], [5]]
    assert list(blocks([], tokens=10)) == []


def test_a_missing_or_misshapen_tensor_is_named() -> None:
    tensors = small_bert()
    del tensors["encoder.layer.1.intermediate.dense.bias"]
    with pytest.raises(InvalidInput, match=r"layer\.1\.intermediate\.dense\.bias is missing"):
        model(tensors)
    tensors = small_bert()
    tensors["encoder.layer.0.attention.self.key.weight"] = np.zeros((8, 7), np.float32)
    with pytest.raises(InvalidInput, match=r"self\.key\.weight has the shape \(8, 7\)"):
        model(tensors)
    with pytest.raises(InvalidInput, match="3 attention heads"):
        model(small_bert(), heads=3)
