"""BM25 over words and pairs of words: the soft score, which ranks partial matches too.

    score(q, p) = Σ words w of q  idf(w)  f (k1 + 1) / (f + k1 (1 - b  + b  l / L))
            + ½ Σ pairs ab of q   idf(ab) f (k1 + 1) / (f + k1 (1 - b₂ + b₂ l / L))

f counts a title's words three times, as does the length l; L is the corpus's mean. k1 = 1.2,
b = .75 and, because a phrase is no less telling in a long text, b₂ = .3; in a query of more than
five words, a sentence, pairs weigh .3. The weighted f is BM25F's (Robertson, Zaragoza & Taylor,
CIKM 2004), pairs as in Metzler & Croft's sequential dependence (SIGIR 2005). A score is given as a
part of its ceiling, the limit for endless f, and so lies in 0 to 1 for any query.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from digest.ranking.statistics import TITLE_WEIGHT, Statistics
from digest.ranking.vocabulary import STOP_WORDS, Token

K1 = 1.2
B_WORDS = 0.75
B_PAIRS = 0.3
PAIR_WEIGHT = 0.5
SENTENCE_PAIR_WEIGHT = 0.3  # most pairs of a sentence are accidents of grammar
_NAME_WORDS = 5
_GAP = -1

Words = Sequence[Token]
Stems = Sequence[str]
Positions = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Query:
    """A phrase as features: stems by how often they stand, neighbouring pairs by weight."""

    words: Counter[str]
    pairs: dict[tuple[str, str], float]

    @classmethod
    def of(cls, words: Words) -> "Query":
        """The query of a phrase's tokens.

        Stop words count within the pairs of a short phrase, which is a name (`out of
        distribution`), but neither alone nor in a sentence.
        """
        telling = [word for word in words if word.form not in STOP_WORDS]
        if len(words) <= _NAME_WORDS:
            weight, paired = PAIR_WEIGHT, list(pairwise(words))
        else:
            weight = SENTENCE_PAIR_WEIGHT
            paired = [(a, b) for a, b in pairwise(words) if {a.form, b.form}.isdisjoint(STOP_WORDS)]
        counts = Counter((a.stem, b.stem) for a, b in paired)
        return cls(
            words=Counter(word.stem for word in telling or words),
            pairs={pair: weight * count for pair, count in counts.items()},
        )


class Lexical:
    """A batch of papers, ready to be scored against any number of queries at once."""

    def __init__(self, papers: Iterable[tuple[Stems, Stems]], statistics: Statistics) -> None:
        """`papers` are the stems of title and abstract; `statistics` those of the whole corpus."""
        self._statistics = statistics
        self._numbers: dict[str, int] = {}
        stream = array("q")
        sizes = array("q")
        for fields in papers:
            for words in fields:
                stream.extend([self._number(stem) for stem in words])
                stream.append(_GAP)  # no pair spans title and abstract, or two papers
                sizes.append(len(words) + 1)
        self.papers = len(sizes) // 2
        self._stream = np.frombuffer(stream, np.int64) if stream else np.empty(0, np.int64)
        owners = np.repeat(np.arange(self.papers), 2)
        weights = np.tile((float(TITLE_WEIGHT), 1.0), self.papers)
        spans = np.frombuffer(sizes, np.int64) if sizes else np.empty(0, np.int64)
        self._owners = np.repeat(owners, spans)
        self._weights = np.repeat(weights, spans)
        lengths = np.bincount(owners, weights * (spans - 1), minlength=self.papers)
        self._lengths = lengths / statistics.mean_length

    def score(self, queries: Sequence[Query]) -> sparse.csr_matrix:
        """Scores (queries, papers) in 0 to 1; a paper without evidence has no entry."""
        words = sorted({word for query in queries for word in query.words})
        pairs = sorted({pair for query in queries for pair in query.pairs})
        values = np.concatenate((self._word_idf(words), self._pair_idf(pairs)))
        asked = _counts(queries, words, pairs) @ sparse.diags(values)
        found = sparse.vstack(
            (
                self._weighed(*self._of_words(words), len(words), B_WORDS),
                self._weighed(*self._of_pairs(pairs), len(pairs), B_PAIRS),
            )
        )
        ceilings = np.asarray(asked.sum(axis=1)).ravel() * (K1 + 1)
        return sparse.csr_matrix(sparse.diags(1 / np.maximum(ceilings, 1e-9)) @ (asked @ found))

    def _number(self, stem: str) -> int:
        return self._numbers.setdefault(stem, len(self._numbers))

    def _word_idf(self, words: Sequence[str]) -> NDArray[np.float64]:
        return self._statistics.idf([self._statistics.stems[word] for word in words])

    def _pair_idf(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        return self._statistics.idf([self._statistics.papers_with(pair) for pair in pairs])

    def _of_words(self, words: Sequence[str]) -> tuple[Positions, Positions]:
        """Where the words stand in the stream, and which of them stands there."""
        row_of = np.full(len(self._numbers) + 1, -1)  # the last for -1, the gap
        for row, word in enumerate(words):
            if (number := self._numbers.get(word)) is not None:
                row_of[number] = row
        rows = row_of[self._stream]
        at = np.flatnonzero(rows >= 0)
        return at, rows[at]

    def _of_pairs(self, pairs: Sequence[tuple[str, str]]) -> tuple[Positions, Positions]:
        """Where the pairs begin in the stream, and which of them begins there."""
        base = len(self._numbers) + 1
        gap = base - 1
        numbers = self._numbers
        wanted = np.array([numbers.get(a, gap) * base + numbers.get(b, gap) for a, b in pairs], int)
        order = np.argsort(wanted)
        ranked = wanted[order]
        stream = np.where(self._stream < 0, -base * base, self._stream)
        keys = stream[:-1] * base + stream[1:]
        place = np.minimum(np.searchsorted(ranked, keys), max(len(ranked) - 1, 0))
        at = np.flatnonzero(ranked[place] == keys) if len(ranked) else np.empty(0, int)
        return at, order[place[at]]

    def _weighed(self, at: Positions, rows: Positions, count: int, b: float) -> sparse.csr_matrix:
        """The saturated counts (features, papers)."""
        shape = (count, self.papers)
        found = sparse.coo_matrix(
            (self._weights[at], (rows, self._owners[at])), shape=shape
        ).tocsr()
        norms = K1 * (1 - b + b * self._lengths[found.indices])
        found.data = found.data * (K1 + 1) / (found.data + norms)
        return found


def _counts(
    queries: Sequence[Query], words: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> sparse.csr_matrix:
    """The weight of each word and pair in each query (queries, words + pairs)."""
    columns: dict[object, int] = {
        feature: column for column, feature in enumerate((*words, *pairs))
    }
    data, indices, indptr = [], [], [0]
    for query in queries:
        for feature, count in (*query.words.items(), *query.pairs.items()):
            indices.append(columns[feature])
            data.append(float(count))
        indptr.append(len(indices))
    return sparse.csr_matrix((data, indices, indptr), shape=(len(queries), len(columns)))
