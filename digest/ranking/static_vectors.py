"""Static sentence vectors: the mean of a text's token vectors, whatever their order.

A word that a space parts from the next always has the same tokens, so each distinct word is looked
up once and texts are sums over words: one sparse product.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], list[list[int]]]
"""Texts → token ids of each."""


def mean_vectors(table: Vectors, tokens: Sequence[Sequence[int]]) -> Vectors:
    """The mean of the rows of `table` (tokens, dimensions) that each text names, of unit length.

    Ids beyond the table count as its first or last row. A text without tokens gives zeros.
    """
    sizes = np.fromiter(map(len, tokens), np.int64, len(tokens))
    ids = np.fromiter((id_ for text in tokens for id_ in text), np.int64, int(sizes.sum()))
    np.clip(ids, 0, len(table) - 1, out=ids)
    ends = np.concatenate(([0], np.cumsum(sizes)))
    weights = np.ones(len(ids), np.float32)
    shape = (len(tokens), len(table))
    sums = csr_array((weights, ids, ends), shape=shape) @ table
    return unit_rows(sums)


def unit_rows(vectors: Vectors) -> Vectors:
    """The rows at unit length, in place; zero rows stay zero and what is no number becomes zero."""
    np.nan_to_num(vectors, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    vectors /= np.where(norms > 0, norms, 1)[:, None]
    return vectors
