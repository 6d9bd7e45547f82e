"""BM25 over words and pairs of words: the soft score, which ranks partial matches too.

    score(q, p) = Σ view  weight(view) Σ term of q  idf f (k1 + 1) / (f + k1 (1 - b + b l / L))

The terms are the phrase's words and its neighbouring pairs. Views of a paper, for a phrase that is
a name: title and abstract by the forms of their words; the abstract alone by stems, where an
inflected word still tells something. For a sentence: title and abstract by stems, for there is no
name to keep. f counts a title's words three times, as does the length l, which makes it BM25F
(Robertson, Zaragoza & Taylor, CIKM 2004); pairs are those of Metzler & Croft's sequential
dependence (SIGIR 2005). k1 = 1.2; b = .75 for words and, as a phrase is no less telling in a long
text, .3 for pairs. idf is by stems, from the whole corpus, whose mean length is L. Each view's sum
is given as a part of its ceiling, the limit for endless f, and the views' weights add up to 1, so a
score lies in 0 to 1 for any query. docs/ranking.md has the measurements behind the weights.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from digest.ranking.statistics import TITLE_WEIGHT, Statistics
from digest.ranking.vocabulary import STOP_WORDS, Token

K1 = 1.2
B_WORDS = 0.75
B_PAIRS = 0.3
NAME_WORDS = 5  # a query of more words is a sentence, whose stop words mean nothing
_GAP = -1

_T = TypeVar("_T")

Name = tuple[str, str]
"""Form and stem of one word."""
Fields = tuple[Sequence[Name], Sequence[Name]]
"""Title and abstract of one paper."""
Positions = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Query:
    """A phrase as features: how often each word and each neighbouring pair stands in it."""

    words: Counter[Name]
    pairs: Counter[tuple[Name, Name]]
    is_sentence: bool = False

    @classmethod
    def of(cls, words: Sequence[Token]) -> "Query":
        """The query of a phrase's tokens.

        Stop words count within the pairs of a short phrase, which is a name (`out of
        distribution`), but neither alone nor in a sentence.
        """
        is_sentence = len(words) > NAME_WORDS
        telling = [word for word in words if word.form not in STOP_WORDS]
        paired = [
            (a, b)
            for a, b in pairwise(words)
            if not is_sentence or {a.form, b.form}.isdisjoint(STOP_WORDS)
        ]
        return cls(
            words=Counter((word.form, word.stem) for word in telling),
            pairs=Counter(((a.form, a.stem), (b.form, b.stem)) for a, b in paired),
            is_sentence=is_sentence,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Views:
    """What each view counts; together 1."""

    form_words: float
    form_pairs: float
    stem_words: float
    stem_pairs: float
    of_sentences: bool = False


NAME = Views(form_words=0.2, form_pairs=0.5, stem_words=0.12, stem_pairs=0.18)
SENTENCE = Views(form_words=0, form_pairs=0, stem_words=0.77, stem_pairs=0.23, of_sentences=True)


class Lexical:
    """An index of papers, numbered in the given order."""

    def __init__(self, papers: Iterable[Fields], statistics: Statistics) -> None:
        self._statistics = statistics
        forms, stems = _Words(), _Words()
        for title, abstract in papers:
            forms.add([form for form, _ in title], [form for form, _ in abstract])
            stems.add([stem for _, stem in title], [stem for _, stem in abstract])
        self._forms = _Stream(forms, statistics.mean_length)
        self._stems = _Stream(stems, statistics.mean_length)
        self._abstracts = _Stream(stems, statistics.mean_length, title_weight=0)
        self.papers = self._forms.papers

    def score(self, queries: Sequence[Query]) -> sparse.csr_matrix:
        """Scores (queries, papers) in 0 to 1; a paper without evidence has no entry."""
        result = sparse.csr_matrix((len(queries), self.papers))
        for views in (NAME, SENTENCE):
            rows = [n for n, query in enumerate(queries) if query.is_sentence is views.of_sentences]
            if rows:
                ones = sparse.csr_matrix(
                    (np.ones(len(rows)), (rows, range(len(rows)))), shape=(len(queries), len(rows))
                )
                result += ones @ self._viewed([queries[n] for n in rows], views)
        return sparse.csr_matrix(result)

    def _viewed(self, queries: Sequence[Query], views: "Views") -> sparse.csr_matrix:
        words = sorted({word for query in queries for word in query.words})
        pairs = sorted({pair for query in queries for pair in query.pairs})
        of_words = self._asked([query.words for query in queries], words, self._word_idf(words))
        of_pairs = self._asked([query.pairs for query in queries], pairs, self._pair_idf(pairs))
        stems = self._stems if views.of_sentences else self._abstracts
        total = sparse.csr_matrix((len(queries), self.papers))
        if views.form_words or views.form_pairs:
            forms = self._forms
            total += views.form_words * (of_words @ forms.words([form for form, _ in words]))
            total += views.form_pairs * (of_pairs @ forms.pairs([(a[0], b[0]) for a, b in pairs]))
        total += views.stem_words * (of_words @ stems.words([stem for _, stem in words]))
        total += views.stem_pairs * (of_pairs @ stems.pairs([(a[1], b[1]) for a, b in pairs]))
        return total

    def _word_idf(self, words: Sequence[Name]) -> Values:
        return self._statistics.idf([self._statistics.stems[stem] for _, stem in words])

    def _pair_idf(self, pairs: Sequence[tuple[Name, Name]]) -> Values:
        held = [self._statistics.papers_with((a[1], b[1])) for a, b in pairs]
        return self._statistics.idf(held)

    @staticmethod
    def _asked(
        queries: Sequence[Counter[Name]] | Sequence[Counter[tuple[Name, Name]]],
        features: Sequence[object],
        idf: Values,
    ) -> sparse.csr_matrix:
        """What each feature adds to a query's score at most, all together 1 (queries, features)."""
        columns = {feature: column for column, feature in enumerate(features)}
        data, indices, indptr = [], [], [0]
        for query in queries:
            for feature, count in query.items():
                indices.append(columns[feature])
                data.append(float(count))
            indptr.append(len(indices))
        shape = (len(queries), len(columns))
        asked = sparse.csr_matrix((data, indices, indptr), shape=shape) @ sparse.diags(idf)
        total = np.maximum(np.asarray(asked.sum(axis=1)).ravel(), 1e-9)
        return sparse.csr_matrix(sparse.diags(1 / (total * (K1 + 1))) @ asked)


class _Words:
    """The words of all papers one after the other, by number, with a gap after each field."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._growing = array("q")
        self._sizes = array("q")

    def add(self, title: Sequence[str], abstract: Sequence[str]) -> None:
        """Append one paper."""
        numbers = self.numbers
        for words in (title, abstract):
            self._growing.extend([numbers.setdefault(word, len(numbers)) for word in words])
            self._growing.append(_GAP)
            self._sizes.append(len(words) + 1)

    def stream(self) -> tuple[Positions, Positions]:
        """The numbers, and the length of each field with its gap: a title's, an abstract's, …"""
        growing, sizes = self._growing, self._sizes
        if not growing:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        return np.frombuffer(growing, np.int64), np.frombuffer(sizes, np.int64)

    @cached_property
    def places(self) -> "_Places":
        """Where each of them stands, once all are there."""
        return _Places(self.stream()[0], len(self.numbers))


class _Places:
    """By the number of a word, where it stands in a stream: a look-up instead of a search."""

    def __init__(self, stream: Positions, words: int) -> None:
        self._order = np.argsort(stream, kind="stable")
        self._starts = np.searchsorted(stream[self._order], np.arange(words + 1))

    def of(self, number: int | None) -> Positions:
        """The places of a word, ascending; none of an unknown one (None)."""
        if number is None:
            return np.empty(0, np.int64)
        found: Positions = self._order[self._starts[number] : self._starts[number + 1]]
        return found


class _Stream:
    """Where words and pairs stand, and how much that tells."""

    def __init__(
        self, words: _Words, mean_length: float, *, title_weight: float = TITLE_WEIGHT
    ) -> None:
        self._numbers = words.numbers
        self._at, spans = words.stream()
        self._places = words.places
        self.papers = len(spans) // 2
        owners = np.repeat(np.arange(self.papers), 2)
        weights = np.tile((float(title_weight), 1.0), self.papers)
        self._owners = np.repeat(owners, spans)
        self._weights = np.repeat(weights, spans)
        lengths = np.bincount(owners, weights * (spans - 1), minlength=self.papers)
        self._lengths = lengths / mean_length

    def words(self, words: Sequence[str]) -> sparse.csr_matrix:
        """The saturated counts of the words (words, papers)."""
        names, rows_of_word = _grouped(words)
        found = [self._places.of(self._numbers.get(word)) for word in names]
        return self._weighed(found, B_WORDS)[rows_of_word]

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> sparse.csr_matrix:
        """The saturated counts of the pairs (pairs, papers)."""
        names, rows_of_pair = _grouped(pairs)
        found = [self._side_by_side(self._numbers.get(a), self._numbers.get(b)) for a, b in names]
        return self._weighed(found, B_PAIRS)[rows_of_pair]

    def _side_by_side(self, one: int | None, other: int | None) -> Positions:
        """Where the one word stands right before the other, looked for from the rarer one's places.

        A gap follows the last word: nothing is found past the end, nor before the beginning.
        """
        first, second = self._places.of(one), self._places.of(other)
        if len(first) <= len(second):
            begins, holds = first, self._at[first + 1] == other
        else:
            begins, holds = second - 1, self._at[second - 1] == one
        found: Positions = begins[holds]
        return found

    def _weighed(self, places: Sequence[Positions], b: float) -> sparse.csr_matrix:
        """The saturated counts of what stands at each of these places (features, papers)."""
        shape = (len(places), self.papers)
        at = np.concatenate([np.empty(0, np.int64), *places])
        rows = np.repeat(np.arange(len(places)), [len(one) for one in places])
        found = sparse.coo_matrix(
            (self._weights[at], (rows, self._owners[at])), shape=shape
        ).tocsr()
        found.eliminate_zeros()  # of titles that do not count
        norms = K1 * (1 - b + b * self._lengths[found.indices])
        found.data = found.data * (K1 + 1) / (found.data + norms)
        return found


def _grouped(items: Sequence[_T]) -> tuple[list[_T], Positions]:
    """The distinct items, and for each item the number of its own among them."""
    numbers: dict[_T, int] = {}
    places = [numbers.setdefault(item, len(numbers)) for item in items]
    return list(numbers), np.array(places, np.int64)
