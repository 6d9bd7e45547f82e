"""Meaning: how near a phrase and a paper are where they share no word.

A text becomes a vector: from static vectors of its words, weighed as in TF-IDF and added up, or
from a model that reads whole sentences. Weighing words by their rarity before adding them is the
baseline of Arora, Liang & Ma ("A simple but tough-to-beat baseline", ICLR 2017).
"""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from digest.ranking.static_vectors import unit_rows
from digest.ranking.statistics import TITLE_WEIGHT, Statistics, Text
from digest.ranking.vocabulary import STOP_WORDS, word_names

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
"""Texts → vectors (texts, dimensions), zeros for a text that says nothing."""

_GRID = 2.0**22
_BLOCK = 8_192

_WORD = re.compile(r"[^\W_]+(?:\.\d+)*")


class Meaning(Protocol):
    """Turns texts into vectors of unit length, of which a product is the likeness, -1 to 1."""

    def of_papers(self, texts: Iterable[Text]) -> Vectors:
        """Vectors (papers, dimensions) of titles with abstracts."""
        ...

    def of_phrases(self, phrases: Sequence[str]) -> Vectors:
        """Vectors (phrases, dimensions)."""
        ...


class WordMeaning:
    """Texts as sums of their words' vectors, each word weighed by (1 + ln f) idf."""

    def __init__(self, embed_words: Embed, statistics: Statistics) -> None:
        """`embed_words` gives one vector for each word; more than unit length weighs more."""
        self._embed = embed_words
        self._statistics = statistics

    def of_papers(self, texts: Iterable[Text]) -> Vectors:
        return self._vectors(texts)

    def of_phrases(self, phrases: Sequence[str]) -> Vectors:
        return self._vectors(("", phrase) for phrase in phrases)

    def _vectors(self, texts: Iterable[Text]) -> Vectors:
        numbers: dict[str, int] = {}
        counts, words, ends = array("d"), array("q"), array("q", [0])
        for title, abstract in texts:
            held = Counter(_words(abstract))
            for word in _words(title):
                held[word] += TITLE_WEIGHT
            words.extend(numbers.setdefault(word, len(numbers)) for word in held)
            counts.extend(held.values())
            ends.append(len(words))
        if not numbers:
            return np.zeros((len(ends) - 1, self._embed(["a"]).shape[1]), np.float32)
        stems = [word_names(word)[1] for word in numbers]
        idf = self._statistics.idf([self._statistics.stems[stem] for stem in stems])
        columns = np.frombuffer(words, np.int64)
        weights = (1 + np.log(np.frombuffer(counts))) * idf[columns]
        shape = (len(ends) - 1, len(numbers))
        weighed = sparse.csr_matrix((weights.astype(np.float32), columns, ends), shape=shape)
        return unit_rows(weighed @ self._embed(list(numbers)))


class SentenceMeaning:
    """Texts read whole by a model."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed

    def of_papers(self, texts: Iterable[Text]) -> Vectors:
        return self._embed([f"{title}. {abstract}" for title, abstract in texts])

    def of_phrases(self, phrases: Sequence[str]) -> Vectors:
        return self._embed(phrases)


def on_grid(vectors: Vectors) -> Vectors:
    """The same to 22 binary places, which is about what 32 bits hold."""
    kept: Vectors = (np.round(vectors * np.float32(_GRID)) / np.float32(_GRID)).astype(np.float32)
    return kept


def cosines(phrases: Vectors, papers: Vectors | NDArray[np.float64]) -> NDArray[np.float64]:
    """The cosine of each phrase and each paper (phrases, papers), both `on_grid` at unit length.

    To the last bit the same however many phrases are asked at once: products of such numbers, and
    their sums, have 44 binary places at most, which 64 bits hold exactly, so the order in which a
    library adds them up, which the shape decides, is of no account. Sums of 32 bits differ in the
    seventh place; to round those apart differ again, wherever a value lies near the edge.
    """
    found = np.empty((len(phrases), len(papers)))
    asked = phrases.astype(np.float64)
    for start in range(0, len(papers), _BLOCK):
        block = papers[start : start + _BLOCK].astype(np.float64, copy=False)
        np.matmul(asked, block.T, out=found[:, start : start + _BLOCK])
    return found


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if word.lower() not in STOP_WORDS]
