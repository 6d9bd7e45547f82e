"""Interest profiles: what papers about an interest talk of, learned from those that match it best.

    profile = the mean of its M best matches' features, weighed by (score / best score) ^ 3,
              less the mean of all papers, the 200 strongest terms kept, at unit length
              + 0.3 × the interest's own words

This is Rocchio's formula (in Salton, The SMART Retrieval System, 1971, ch. 14) with the best
matches in the place of papers that someone judged: pseudo-relevance feedback. A paper's likeness to
a profile is their cosine; it finds papers that never use the phrase but talk of the same things.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

MATCHES = 20
POWER = 3
TERMS = 200
OWN_WORDS = 0.3

Scores = NDArray[np.float64]


class Profiles:
    """Makes profiles from the features of papers (papers, features), rows of unit length."""

    def __init__(self, vectors: sparse.csr_matrix) -> None:
        self._vectors = vectors
        held = max(vectors.shape[0], 1)
        self._mean = np.asarray(vectors.sum(axis=0)).ravel() / held

    def of(self, scores: sparse.csr_matrix, asked: sparse.csr_matrix) -> sparse.csr_matrix:
        """Profiles (interests, features) from scores (interests, papers) and the interests' own
        words as features (interests, features); a row is empty where nothing is known.
        """
        rows = [
            self._profile(*_best(scores, number), asked[[number]])
            for number in range(scores.shape[0])
        ]
        return sparse.vstack(rows, format="csr") if rows else sparse.csr_matrix(asked.shape)

    def _profile(
        self, papers: NDArray[np.int32], values: Scores, asked: sparse.csr_matrix
    ) -> sparse.csr_matrix:
        if not len(papers):
            return asked
        weights = (values / values.max()) ** POWER
        mean = sparse.csr_matrix(weights / weights.sum()) @ self._vectors[papers]
        mean.data -= self._mean[mean.indices]
        _keep_strongest(mean, TERMS)
        profile = _unit(mean) + OWN_WORDS * asked
        return _unit(sparse.csr_matrix(profile))


def likeness(profiles: sparse.csr_matrix, vectors: sparse.csr_matrix) -> Scores:
    """The cosine of each profile and each paper (profiles, papers), 0 where it would be below."""
    product = vectors @ profiles.T
    found: Scores = np.maximum(product.toarray().T, 0.0)
    return found


def _best(scores: sparse.csr_matrix, number: int) -> tuple[NDArray[np.int32], Scores]:
    """The best-scored papers of one interest, and their scores."""
    first, past = scores.indptr[number], scores.indptr[number + 1]
    papers, values = scores.indices[first:past], scores.data[first:past]
    if len(values) > MATCHES:
        # by score, then by number: which of equals are taken must not depend on the run
        kept = np.lexsort((papers, -values))[:MATCHES]
        papers, values = papers[kept], values[kept]
    return papers, values


def _keep_strongest(row: sparse.csr_matrix, most: int) -> None:
    """Drop all but the `most` largest values above 0."""
    least = 0.0
    if row.nnz > most:
        least = max(least, float(np.partition(row.data, -most)[-most]))
    row.data[(row.data < least) | (row.data <= 0)] = 0.0
    row.eliminate_zeros()


def _unit(row: sparse.csr_matrix) -> sparse.csr_matrix:
    length = float(np.sqrt((row.data**2).sum()))
    return row / length if length else row
