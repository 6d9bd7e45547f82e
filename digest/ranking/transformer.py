"""A BERT encoder's forward pass in numpy: token ids → one unit vector per text.

Devlin et al. 2019, arXiv:1810.04805; pooled as sentence-transformers does: the mean over a text's
tokens. Texts lie end to end in one block of rows, so nothing is spent on padding, and a block is
small enough for its activations to stay in cache.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Self

import numpy as np
from numpy.typing import NDArray

from digest.errors import InvalidInput
from digest.ranking.static_vectors import Vectors, unit_rows

Tensors = Mapping[str, NDArray[np.generic]]
"""Arrays by name, as a weights file holds them."""

BLOCK_TOKENS = 1024

_FEED_ROWS = 256  # 1.5 MB of hidden states at 1536 columns: what second-level caches hold
_GELU_ROWS = 32  # small enough for the intermediate results to be near at hand
_SCORES = 1 << 17  # attention scores at a time, half a megabyte
_LEAST_TOTAL, _MOST_TOTAL = 1e-25, 1e25  # between these a sum of exponentials lost nothing

# Φ(x) = ½ (1 + tanh p(x)) with p odd: coefficients of x, x³, … fitted so that the largest error of
# x Φ(x) is least, 3e-6. Far cheaper than erf, and exact in both tails.
_GELU = (7.978281364e-1, 3.646878881e-2, -1.248601318e-4, -3.058131922e-5, 1.119100964e-6)


@dataclass(frozen=True, kw_only=True, slots=True)
class Norm:
    """Layer normalisation (Ba et al. 2016, arXiv:1607.06450): gain and shift (dimensions,)."""

    gain: Vectors
    shift: Vectors
    epsilon: np.float32

    def apply(self, rows: Vectors) -> None:
        """Normalise `rows` (rows, dimensions) in place."""
        rows -= rows.mean(axis=1, keepdims=True)
        variance = np.einsum("ij,ij->i", rows, rows) / np.float32(rows.shape[1])
        rows *= (1 / np.sqrt(variance + self.epsilon))[:, None]
        rows *= self.gain
        rows += self.shift


@dataclass(frozen=True, kw_only=True, slots=True)
class Dense:
    """A linear map: weight (inputs, outputs), bias (outputs,)."""

    weight: Vectors
    bias: Vectors

    def of(self, rows: Vectors, room: Vectors) -> Vectors:
        """The map's (rows, outputs) for (rows, inputs), in the first rows of `room`."""
        result = np.matmul(rows, self.weight, out=room[: len(rows)])
        result += self.bias
        return result


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """Attention, then feed-forward, each followed by a residual sum and a norm.

    `qkv` gives queries (already divided by √ of a head's width), keys and values side by side;
    `down` holds the ½ of GELU.
    """

    qkv: Dense
    out: Dense
    out_norm: Norm
    up: Dense
    down: Dense
    down_norm: Norm


@dataclass(frozen=True, kw_only=True, slots=True)
class _Room:
    """Where a block's intermediate results go: fresh memory at each step costs as much as the sums.

    `qkv` (rows, 3 x dimensions), `mixed` and `result` (rows, dimensions), `hidden` (some rows,
    hidden width), `scores` flat.
    """

    qkv: Vectors
    mixed: Vectors
    result: Vectors
    hidden: Vectors
    scores: Vectors

    @classmethod
    def of(cls, model: "Transformer", rows: int, longest: int) -> Self:
        width = model.words.shape[1]
        hidden = max((layer.up.weight.shape[1] for layer in model.layers), default=0)
        return cls(
            qkv=np.empty((rows, 3 * width), np.float32),
            mixed=np.empty((rows, width), np.float32),
            result=np.empty((rows, width), np.float32),
            hidden=np.empty((min(rows, _FEED_ROWS), hidden), np.float32),
            scores=np.empty(max(_SCORES, longest**2), np.float32),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Transformer:
    """An encoder: word vectors (tokens, dimensions), position vectors (positions, dimensions)."""

    words: Vectors
    positions: Vectors
    norm: Norm
    layers: tuple[Layer, ...]
    heads: int


def assemble(tensors: Tensors, *, layers: int, heads: int, epsilon: float) -> Transformer:
    """The encoder from tensors named as in BERT. Raises InvalidInput where one does not fit."""
    words = _tensor(tensors, "embeddings.word_embeddings.weight", None, None)
    width = words.shape[1]
    if heads < 1 or width % heads:
        raise InvalidInput(f"{heads} attention heads do not share {width} dimensions evenly")
    kinds = _tensor(tensors, "embeddings.token_type_embeddings.weight", None, width)
    return Transformer(
        words=words,
        positions=_tensor(tensors, "embeddings.position_embeddings.weight", None, width) + kinds[0],
        norm=_norm(tensors, "embeddings.LayerNorm", width, epsilon),
        layers=tuple(_layer(tensors, number, width, heads, epsilon) for number in range(layers)),
        heads=heads,
    )


def blocks(lengths: Sequence[int], tokens: int = BLOCK_TOKENS) -> Iterator[list[int]]:
    """Numbers of texts, shortest first, in blocks of at most `tokens` tokens (or one text)."""
    block: list[int] = []
    size = 0
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if block and size + lengths[number] > tokens:
            yield block
            block, size = [], 0
        block.append(number)
        size += lengths[number]
    if block:
        yield block


def encode(model: Transformer, texts: Sequence[Sequence[int]]) -> Vectors:
    """Unit vectors (texts, dimensions) of one block of texts, each at least one token id.

    Fastest where texts of one length stand together. Memory grows with the sum of lengths.
    """
    lengths = [len(ids) for ids in texts]
    starts = np.cumsum([0, *lengths])[:-1]
    rows = model.words[np.concatenate([np.asarray(ids, np.int64) for ids in texts])]
    rows += model.positions[np.concatenate([np.arange(length) for length in lengths])]
    room = _Room.of(model, len(rows), max(lengths))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        model.norm.apply(rows)
        for layer in model.layers:
            layer.qkv.of(rows, room.qkv)
            _attend(room, lengths, model.heads)
            rows += layer.out.of(room.mixed, room.result)
            layer.out_norm.apply(rows)
            _feed(rows, layer, room)
            layer.down_norm.apply(rows)
        return unit_rows(np.add.reduceat(rows, starts, axis=0))


def _attend(room: _Room, lengths: Sequence[int], heads: int) -> None:
    """Every text's tokens attend to one another: from `room.qkv` into `room.mixed`."""
    width = room.mixed.shape[1]
    start = 0
    for length, same in groupby(lengths):
        texts = len(list(same))
        rows = slice(start, start + texts * length)
        start = rows.stop
        shape = (texts, length, -1, heads, width // heads)
        q, k, v = room.qkv[rows].reshape(shape).transpose(2, 0, 3, 1, 4)
        (mixed,) = room.mixed[rows].reshape(shape).transpose(2, 0, 3, 1, 4)
        texts_at_once = max(1, _SCORES // (heads * length**2))
        heads_at_once = min(heads, max(1, _SCORES // length**2))
        for text in range(0, texts, texts_at_once):
            for head in range(0, heads, heads_at_once):
                part = np.s_[text : text + texts_at_once, head : head + heads_at_once]
                _mix(q[part], k[part], v[part], mixed[part], room.scores)


def _mix(q: Vectors, k: Vectors, v: Vectors, mixed: Vectors, room: Vectors) -> None:
    """softmax(q kᵀ) v, all (texts, heads, length, width of a head), into `mixed`."""
    shape = (*q.shape[:-1], q.shape[-2])
    scores = np.matmul(q, k.swapaxes(-1, -2), out=room[: math.prod(shape)].reshape(shape))
    np.exp(scores, out=scores)
    ones = np.ones((shape[-1], 1), np.float32)
    total = scores @ ones  # a product is several times as fast as sum() along rows
    if not (total.min() > _LEAST_TOTAL and total.max() < _MOST_TOTAL):
        # Rare: only here are the scores so large that they need the row's largest taken off first.
        np.matmul(q, k.swapaxes(-1, -2), out=scores)
        scores -= scores.max(axis=-1, keepdims=True)
        total = np.exp(scores, out=scores) @ ones
    np.divide(scores @ v, total, out=mixed)


def _feed(rows: Vectors, layer: Layer, room: _Room) -> None:
    """Add the feed-forward network's result to `rows`, in place."""
    for start in range(0, len(rows), _FEED_ROWS):
        part = rows[start : start + _FEED_ROWS]
        hidden = layer.up.of(part, room.hidden)
        for first in range(0, len(hidden), _GELU_ROWS):
            _double_gelu(hidden[first : first + _GELU_ROWS])
        part += layer.down.of(hidden, room.result)


def _double_gelu(x: Vectors) -> None:
    """2 x Φ(x) in place (Hendrycks and Gimpel 2016, arXiv:1606.08415)."""
    first, *others, last = (np.float32(number) for number in _GELU)
    square = x * x
    curve = square * last
    for coefficient in reversed(others):
        curve += coefficient
        curve *= square
    curve += first
    curve *= x
    np.tanh(curve, out=curve)
    curve += np.float32(1)
    x *= curve


def _layer(tensors: Tensors, number: int, width: int, heads: int, epsilon: float) -> Layer:
    name = f"encoder.layer.{number}"
    q, k, v = (
        _dense(tensors, f"{name}.attention.self.{part}", width, width)
        for part in ("query", "key", "value")
    )
    scale = np.float32((width / heads) ** -0.5)
    up = _dense(tensors, f"{name}.intermediate.dense", width, None)
    down = _dense(tensors, f"{name}.output.dense", up.weight.shape[1], width)
    return Layer(
        qkv=Dense(
            weight=np.concatenate((q.weight * scale, k.weight, v.weight), axis=1),
            bias=np.concatenate((q.bias * scale, k.bias, v.bias)),
        ),
        out=_dense(tensors, f"{name}.attention.output.dense", width, width),
        out_norm=_norm(tensors, f"{name}.attention.output.LayerNorm", width, epsilon),
        up=up,
        down=Dense(weight=down.weight * np.float32(0.5), bias=down.bias),
        down_norm=_norm(tensors, f"{name}.output.LayerNorm", width, epsilon),
    )


def _dense(tensors: Tensors, name: str, inputs: int, outputs: int | None) -> Dense:
    weight = _tensor(tensors, f"{name}.weight", outputs, inputs)
    bias = _tensor(tensors, f"{name}.bias", len(weight))
    return Dense(weight=np.ascontiguousarray(weight.T), bias=bias)


def _norm(tensors: Tensors, name: str, width: int, epsilon: float) -> Norm:
    gain = _tensor(tensors, f"{name}.weight", width)
    shift = _tensor(tensors, f"{name}.bias", width)
    return Norm(gain=gain, shift=shift, epsilon=np.float32(epsilon))


def _tensor(tensors: Tensors, name: str, *shape: int | None) -> Vectors:
    """The tensor of that name in single precision; None in `shape` stands for any size above 0."""
    if name not in tensors:
        raise InvalidInput(f"tensor {name} is missing")
    found = tensors[name]
    fits = len(found.shape) == len(shape) and all(
        size > 0 and wanted in (None, size) for size, wanted in zip(found.shape, shape, strict=True)
    )
    if not fits:
        raise InvalidInput(f"tensor {name} has the shape {found.shape}, which does not fit")
    return np.ascontiguousarray(found, np.float32)
