"""Interest profiles: what papers about an interest talk of, learned from those that match it best.

    profile = the mean of its M best matches' features, weighed by (score / best score) ^ 3,
              less the mean of all papers, the 200 strongest terms kept, at unit length
              + 0.3 × the interest's own words

This is Rocchio's formula (in Salton, The SMART Retrieval System, 1971, ch. 14) with the best
matches in the place of papers that someone judged: pseudo-relevance feedback. A paper's likeness to
a profile is their cosine; it finds papers that never use the phrase but talk of the same things.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

MATCHES = 20
POWER = 3
TERMS = 200
OWN_WORDS = 0.3

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One interest's profile: features by column, ascending, at unit length.

    `papers` are the matches it was made of, the best first, and `likeness` their cosine with the
    profile as it would be had they been left out.
    """

    columns: NDArray[np.int64]
    values: Scores
    papers: NDArray[np.int64]
    likeness: Scores


class Profiles:
    """Makes profiles from the features of papers (papers, features), rows of unit length."""

    def __init__(self, vectors: sparse.csr_matrix) -> None:
        self._vectors = vectors
        held = max(vectors.shape[0], 1)
        self._mean = np.asarray(vectors.sum(axis=0)).ravel() / held

    def of(self, scores: sparse.csr_matrix, asked: sparse.csr_matrix) -> list[Profile]:
        """Profiles from scores (interests, papers) and the interests' own words as features
        (interests, features); without any match a profile is those words alone.
        """
        return [
            self._profile(*_best(scores, number), *_row(asked, number))
            for number in range(scores.shape[0])
        ]

    def _profile(
        self,
        papers: NDArray[np.int64],
        scores: Scores,
        own_columns: NDArray[np.int64],
        own_values: Scores,
    ) -> Profile:
        columns, of_row, values, starts = _gathered(self._vectors, papers, own_columns)
        weights = (scores / scores.max()) ** POWER if len(scores) else scores
        weights = weights / max(float(weights.sum()), 1e-12)
        spread = np.repeat(weights, np.diff(np.append(starts, len(values))))
        mean = np.bincount(of_row, values * spread, minlength=len(columns))
        strong = _strongest(np.where(mean > 0, mean - self._mean[columns], 0.0))
        own = np.zeros(len(columns))
        own[np.searchsorted(columns, own_columns)] = own_values
        profile = _unit(_unit(strong) + (OWN_WORDS * own if len(papers) else own))
        return Profile(
            columns=columns,
            values=profile,
            papers=papers,
            likeness=_sums(values * profile[of_row], starts)
            * _without_self(_sums(values * mean[of_row], starts), weights),
        )


def likeness(profiles: Sequence[Profile], papers: sparse.csr_matrix) -> Scores:
    """The cosine of each profile and each paper (profiles, papers); none below 0.

    `papers` are their vectors as columns (features, papers): so only the features that a profile
    has are looked at.
    """
    data, columns, ends = array("d"), array("q"), array("q", [0])
    for profile in profiles:
        kept = np.flatnonzero(profile.values)
        data.frombytes(profile.values[kept].tobytes())
        columns.frombytes(profile.columns[kept].tobytes())
        ends.append(len(data))
    arrays = (np.array(data), np.array(columns), np.array(ends))
    rows = sparse.csr_matrix(arrays, shape=(len(profiles), papers.shape[0]))
    found: Scores = (rows @ papers).toarray()
    return found


def _best(scores: sparse.csr_matrix, number: int) -> tuple[NDArray[np.int64], Scores]:
    """The best-scored papers of one interest, and their scores, the best first."""
    papers, values = _row(scores, number)
    # by score, then by number: which of equals are taken must not depend on the run
    kept = np.lexsort((papers, -values))[:MATCHES]
    return papers[kept], values[kept]


def _row(matrix: sparse.csr_matrix, number: int) -> tuple[NDArray[np.int64], Scores]:
    first, past = matrix.indptr[number], matrix.indptr[number + 1]
    return matrix.indices[first:past].astype(np.int64), matrix.data[first:past]


def _gathered(
    vectors: sparse.csr_matrix, papers: NDArray[np.int64], more: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Scores, NDArray[np.int64]]:
    """The papers' rows one after the other: the distinct columns with those of `more`, which of
    them each value belongs to, the values, and where each row starts.
    """
    begins = vectors.indptr[papers].astype(np.int64)
    sizes = vectors.indptr[papers + 1] - begins
    starts = np.cumsum(sizes) - sizes
    places = np.arange(sizes.sum()) + np.repeat(begins - starts, sizes)
    columns, of_row = np.unique(
        np.concatenate((vectors.indices[places], more)), return_inverse=True
    )
    return columns.astype(np.int64), of_row[: len(places)], vectors.data[places], starts


def _strongest(values: Scores) -> Scores:
    """The values with all but the `TERMS` largest, and all below 0, set to 0."""
    least = 0.0
    if len(values) > TERMS:
        least = max(least, float(np.partition(values, -TERMS)[-TERMS]))
    return np.where((values >= least) & (values > 0), values, 0.0)


def _unit(values: Scores) -> Scores:
    length = float(np.sqrt(values @ values))
    return values / length if length else values


def _sums(values: Scores, starts: NDArray[np.int64]) -> Scores:
    """The sum of each stretch; an empty one is 0."""
    ends = np.append(starts[1:], len(values))
    totals = np.concatenate(([0.0], np.cumsum(values)))
    found: Scores = totals[ends] - totals[starts]
    return found


def _without_self(products: Scores, weights: Scores) -> Scores:
    """By what part the cosine of each vector with a mean of them falls when it is left out of it.

    `products` are those of the vectors, of unit length, with the mean; `weights` add up to 1.
    """
    square = float(weights @ products)
    rest = np.sqrt(np.maximum(square - 2 * weights * products + weights**2, 1e-12))
    whole = products / max(float(np.sqrt(square)), 1e-9)
    return np.clip((products - weights) / rest / np.maximum(whole, 1e-9), 0.0, 1.0)
