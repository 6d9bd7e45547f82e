"""A BERT encoder's forward pass in numpy: token ids → one unit vector per text.

Formulas: Devlin et al. 2019 (arXiv:1810.04805); GELU: Hendrycks and Gimpel 2016 (1606.08415).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from digest.ranking.static_vectors import Vectors, unit_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    qkv: Vectors
    qkv_bias: Vectors
    out: Vectors
    out_bias: Vectors
    out_gain: Vectors
    out_shift: Vectors
    up: Vectors
    up_bias: Vectors
    down: Vectors
    down_bias: Vectors
    gain: Vectors
    shift: Vectors


@dataclass(frozen=True, kw_only=True, slots=True)
class Transformer:
    words: Vectors
    positions: Vectors
    gain: Vectors
    shift: Vectors
    layers: tuple[Layer, ...]
    heads: int
    epsilon: float


def encode(model: Transformer, tokens: Sequence[Sequence[int]]) -> Vectors:
    """Mean-pooled unit vectors (texts, dimensions)."""
    result = np.zeros((len(tokens), model.words.shape[1]), np.float32)
    for row, ids in enumerate(tokens):
        if len(ids):
            result[row] = _states(model, np.asarray(ids)).mean(axis=0)
    return unit_rows(result)


def _states(model: Transformer, ids: NDArray[np.int64]) -> Vectors:
    x = model.words[ids] + model.positions[: len(ids)]
    x = _norm(x, model.gain, model.shift, model.epsilon)
    for layer in model.layers:
        x = _norm(x + _attend(x, layer, model.heads), layer.out_gain, layer.out_shift, model.epsilon)
        h = x @ layer.up + layer.up_bias
        h *= 0.5 * (1 + erf(h * np.float32(0.5**0.5)))
        x = _norm(x + h @ layer.down + layer.down_bias, layer.gain, layer.shift, model.epsilon)
    return x


def _attend(x: Vectors, layer: Layer, heads: int) -> Vectors:
    length, width = x.shape
    q, k, v = (x @ layer.qkv + layer.qkv_bias).reshape(length, 3, heads, -1).transpose(1, 2, 0, 3)
    scores = q @ k.swapaxes(1, 2) / np.float32((width / heads) ** 0.5)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = (scores @ v).transpose(1, 0, 2).reshape(length, width)
    return mixed @ layer.out + layer.out_bias


def _norm(x: Vectors, gain: Vectors, shift: Vectors, epsilon: float) -> Vectors:
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(epsilon)) * gain + shift
