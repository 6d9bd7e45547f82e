"""Features: papers as weighted vectors of words and pairs of words, so that likeness is a product.

    w(word, paper) =   (1 + ln f) idf(word)      f counts a title's words three times
    w(pair, paper) = ½ (1 + ln f) idf(pair)      neighbouring words

and each paper's vector has length 1, so that the product of two is their cosine: `ltc` in Salton &
Buckley, "Term-weighting approaches in automatic text retrieval" (IPM 24(5), 1988). Words are taken
by their stems, stop words left out. Each term has a column by hash, so that vectors made apart can
be compared without a shared vocabulary (Weinberger et al., "Feature hashing", ICML 2009).
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from digest.ranking.statistics import TITLE_WEIGHT, Statistics, Text, pair_slots
from digest.ranking.vocabulary import STOP_WORDS, Token, names, tokens

COLUMNS = 1 << 18
PAIR_WEIGHT = 0.5

_FOLD = 4  # bits by which a pair's slot in the statistics is longer than a column's number

Term = tuple[str, ...]
"""One stem, or two neighbouring ones."""


def features(texts: Iterable[Text], statistics: Statistics) -> sparse.csr_matrix:
    """Vectors (papers, COLUMNS) of length 1, none below 0; a paper without words has an empty one.

    `statistics` are those of the whole corpus.
    """
    stems: list[str] = []
    telling = bytearray()
    sizes = array("q")
    for fields in texts:
        for text in fields:
            named = names(text)
            stems += [stem for _, stem in named]
            telling += bytes([form not in STOP_WORDS for form, _ in named])
            sizes.append(len(named))
    spans = np.array(sizes, np.int64)
    kept = np.frombuffer(bytes(telling), np.bool_)
    rows = _words(stems, kept, spans, statistics) + _pairs(stems, kept, spans, statistics)
    return _of_length_one(rows)


def spelled_terms(text: Text) -> dict[Term, tuple[int, str]]:
    """The column of each term of a paper, and how the term is spelled there most often.

    Without bare numbers, and of pairs only those with a space or a hyphen between them.
    """
    columns: dict[Term, int] = {}
    counts: Counter[tuple[Term, str]] = Counter()
    for part in text:
        words = tokens(part)
        slots = (pair_slots([word.stem for word in words]) >> _FOLD).tolist()
        alone = [word for word in words if _tells(word) and not word.form.isdigit()]
        pairs = list(zip(pairwise(words), slots, strict=True)) if slots else []
        pairs = [(both, slot) for both, slot in pairs if _is_pair(*both, part)]
        columns |= {(word.stem,): _column(word.stem) for word in alone}
        columns |= {(one.stem, other.stem): slot for (one, other), slot in pairs}
        counts.update(((word.stem,), part[word.start : word.end]) for word in alone)
        counts.update(((a.stem, b.stem), part[a.start : b.end]) for (a, b), _ in pairs)
    # rarest first, so that the most frequent spelling is left; of two as frequent the small one
    ranked = sorted(counts.items(), key=lambda item: (item[1], item[0][1]))
    return {term: (columns[term], spelling) for (term, spelling), _ in ranked}


def _words(
    stems: Sequence[str], kept: NDArray[np.bool_], spans: NDArray[np.int64], statistics: Statistics
) -> Any:
    numbers: dict[str, int] = {}
    stream = np.array([numbers.setdefault(stem, len(numbers)) for stem in stems], np.int64)
    counts = _counts(stream, kept, spans, len(numbers))
    idf = statistics.idf([statistics.stems[stem] for stem in numbers])
    columns = np.array([_column(stem) for stem in numbers], np.int64)
    values = (1 + np.log(counts.data)) * idf[counts.indices]
    return _hashed(values, columns[counts.indices], counts.indptr)


def _pairs(
    stems: Sequence[str], kept: NDArray[np.bool_], spans: NDArray[np.int64], statistics: Statistics
) -> Any:
    field = np.repeat(np.arange(len(spans)), spans)
    begins = np.zeros(len(stems), np.bool_)  # whether a pair begins here
    begins[:-1] = kept[:-1] & kept[1:] & (field[:-1] == field[1:])
    slots = np.zeros(len(stems), np.int64)
    slots[:-1] = pair_slots(stems)
    counts = _counts(slots, begins, spans, len(statistics.pairs))
    idf = statistics.idf(statistics.pairs[counts.indices].astype(np.int64))
    values = PAIR_WEIGHT * (1 + np.log(counts.data)) * idf
    return _hashed(values, counts.indices >> _FOLD, counts.indptr)


def _counts(
    stream: NDArray[np.int64], kept: NDArray[np.bool_], spans: NDArray[np.int64], terms: int
) -> Any:
    """How often each term stands in each paper (papers, terms), in a title three times over."""
    papers = len(spans) // 2
    rows = np.repeat(np.repeat(np.arange(papers), 2), spans)[kept]
    weights = np.repeat(np.tile((float(TITLE_WEIGHT), 1.0), papers), spans)[kept]
    return sparse.coo_matrix((weights, (rows, stream[kept])), shape=(papers, terms)).tocsr()


def _hashed(values: NDArray[np.float64], columns: NDArray[np.int64], indptr: Any) -> Any:
    hashed = sparse.csr_matrix((values, columns, indptr), shape=(len(indptr) - 1, COLUMNS))
    hashed.sum_duplicates()  # two terms in one column
    return hashed


def _of_length_one(rows: Any) -> sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    rows.data /= np.repeat(lengths, np.diff(rows.indptr))  # an empty row's length is never read
    return rows


def _column(stem: str) -> int:
    return crc32(stem.encode()) % COLUMNS


def _tells(word: Token) -> bool:
    return word.form not in STOP_WORDS


def _is_pair(one: Token, other: Token, text: str) -> bool:
    return text[one.end : other.start] in (" ", "-") and _tells(one) and _tells(other)
