"""Static sentence vectors: the mean of a text's token vectors, whatever their order.

In a SentencePiece vocabulary a token holds the mark of a space at its beginning only, so a word has
the same tokens wherever it stands: each distinct word is encoded once.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Vectors = NDArray[np.float32]
Encode = Callable[[str], Sequence[int]]
"""A text → the ids of its tokens."""

SPACE = "\u2581"
"""What stands for a space in a SentencePiece vocabulary."""

_HELD_TOKENS = 1 << 20
_JOINED_WORDS = 256


class WordTokens:
    """The tokens of texts, from those of their words; what is known of words is bounded.

    `first` (tokens,) says which tokens begin a word. Every run of white space counts as one space.
    """

    def __init__(self, encode: Encode, first: NDArray[np.bool_]) -> None:
        self._encode = encode
        self._first = first
        self._known: dict[str, list[int]] = {}
        self._held = 0

    def of(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, in order."""
        if self._held > _HELD_TOKENS:
            self._known = {}  # a new one: another thread may still be reading the old
            self._held = 0
        known = self._known
        split = [text.replace(SPACE, " ").split() for text in texts]
        self._learn(known, dict.fromkeys(chain.from_iterable(split)))
        return [list(chain.from_iterable([known[word] for word in words])) for words in split]

    def _learn(self, known: dict[str, list[int]], words: Iterable[str]) -> None:
        new = [word for word in words if word not in known]
        for start in range(0, len(new), _JOINED_WORDS):
            joined = new[start : start + _JOINED_WORDS]
            ids = np.asarray(self._encode(" ".join(joined)), np.int64)
            starts = np.flatnonzero(self._first[ids])
            spans = pairwise((*starts.tolist(), len(ids)))
            for word, (one, other) in zip(joined, spans, strict=True):
                known[word] = ids[one:other].tolist()
            self._held += len(ids)


def mean_vectors(table: Vectors, tokens: Sequence[Sequence[int]]) -> Vectors:
    """The mean of the rows of `table` (tokens, dimensions) that each text names, at unit length.

    Ids beyond the table count as its first or last row. A text without tokens gives zeros.
    """
    return unit_rows(token_sums(table, tokens))


def token_sums(table: Vectors, tokens: Sequence[Sequence[int]]) -> Vectors:
    """The sum of the rows of `table` that each text names, of any length."""
    ends = np.cumsum([0, *map(len, tokens)])
    ids = np.fromiter(chain.from_iterable(tokens), np.int64, int(ends[-1]))
    np.clip(ids, 0, len(table) - 1, out=ids)
    counts = csr_array((np.ones(len(ids), np.float32), ids, ends), shape=(len(tokens), len(table)))
    sums: Vectors = counts @ table
    return sums


def unit_rows(vectors: Vectors) -> Vectors:
    """The rows at unit length, in place; a row that is zero or holds what is no number is zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    sound = np.isfinite(norms) & (norms > 0)
    vectors[~sound] = 0.0
    vectors /= np.where(sound, norms, 1)[:, None]
    return vectors
