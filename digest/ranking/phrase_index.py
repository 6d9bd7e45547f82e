"""In which papers phrases stand: each word a number, and runs of numbers compared."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from digest.ranking.phrases import Gram
from digest.ranking.statistics import Text
from digest.ranking.vocabulary import spelled, word_names

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth, TAOCP 3, §6.4

Counts = Mapping[Gram, tuple[int, int]]
"""By phrase: how many papers hold it, and how many of those hold the one asked about."""


class _Numbers(dict[str, int]):
    """Numbers of words as they are spelled, from 1; one number for all with the same form."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, int] = {}
        self.by_stem: dict[str, set[int]] = defaultdict(set)

    def __missing__(self, word: str) -> int:
        form, stem = word_names(word)
        number = self[word] = self.forms.setdefault(form, len(self.forms) + 1)
        self.by_stem[stem].add(number)
        return number


class PhraseIndex:
    """Counts phrases, given by the forms of their words; punctuation between words is not seen."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self.papers = len(texts)
        self._numbers = _Numbers()
        number = self._numbers.__getitem__
        words = array("i")
        lengths: list[int] = []
        for pair in texts:
            before = len(words)
            for text in pair:
                words.extend(map(number, spelled(text)))
                words.append(0)  # no word: phrases end with their text
            lengths.append(len(words) - before)
        self._words = np.frombuffer(words, np.int32) if words else np.zeros(0, np.int32)
        self._owner = np.repeat(np.arange(len(texts), dtype=np.int64), lengths)

    def holding(self, grams: Iterable[Gram]) -> NDArray[np.bool_]:
        """Which papers hold one of these phrases, (papers,)."""
        held = np.zeros(self.papers, np.bool_)
        for _, papers in self._found(list(grams)):
            held[papers] = True
        return held

    def having(self, stem: str) -> NDArray[np.bool_]:
        """Which papers hold a word of that stem, (papers,)."""
        wanted = np.zeros(len(self._numbers.forms) + 1, np.bool_)
        wanted[list(self._numbers.by_stem.get(stem, ()))] = True
        held = np.zeros(self.papers, np.bool_)
        held[self._owner[wanted[self._words]]] = True
        return held

    def counts(self, grams: Iterable[Gram], held: NDArray[np.bool_]) -> Counts:
        """In how many papers each phrase stands, and in how many of those that are `held`."""
        listed = list(grams)
        total = np.zeros(len(listed), np.int64)
        together = np.zeros(len(listed), np.int64)
        for which, papers in self._found(listed):
            total += np.bincount(which, minlength=len(listed))
            together += np.bincount(which[held[papers]], minlength=len(listed))
        return dict(zip(listed, zip(total.tolist(), together.tolist(), strict=True), strict=True))

    def _found(
        self, grams: Sequence[Gram]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Pairs (number of the phrase, paper that holds it), each once, by length of phrase."""
        forms = self._numbers.forms
        by_length: dict[int, list[int]] = defaultdict(list)
        for number, gram in enumerate(grams):
            if all(form in forms for form in gram):
                by_length[len(gram)].append(number)
        for length, numbers in by_length.items():
            wanted = np.array([[forms[f] for f in grams[n]] for n in numbers], np.int64)
            which, at = self._occurrences(wanted, length)
            pairs = np.unique(which * self.papers + self._owner[at])
            found, papers = np.divmod(pairs, self.papers)
            yield np.array(numbers, np.int64)[found], papers

    def _occurrences(
        self, wanted: NDArray[np.int64], length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where rows of `wanted` (phrases, length) stand: the row and the place of each."""
        begins = np.zeros(len(self._numbers.forms) + 1, np.bool_)
        begins[wanted[:, 0]] = True
        words = self._words
        at = np.flatnonzero(begins[words[: max(0, len(words) - length + 1)]])
        hashes = _hashed([words[at + n] for n in range(length)])
        keys = _hashed(list(wanted.T))
        order = np.argsort(keys)
        place = np.searchsorted(keys[order], hashes)
        place[place == len(keys)] = 0
        hit = keys[order][place] == hashes
        return order[place[hit]], at[hit]


def _hashed(columns: Sequence[NDArray[np.int32] | NDArray[np.int64]]) -> NDArray[np.uint64]:
    """One number for each row of words; that two rows share one is less likely than a bit flip."""
    result = columns[0].astype(np.uint64)
    for column in columns[1:]:
        result = (result ^ (result >> np.uint64(29))) * _MIX + column.astype(np.uint64)
    return result
