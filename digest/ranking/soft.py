"""The soft score: all that speaks for a paper, fused into one number.

    score = (lexical + a × likeness to the phrase's profile + Σ b × nearness) / (1 + a + Σ b)

Sums of the raw figures, each in 0 to 1, did better than sums of z-scores, and both better than
reciprocal ranks (docs/ranking.md, where the weights come from too). A sentence's profile is worth
less than a name's: its best matches share accidents of wording.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.ranking.corpus import Corpus, Scores

# A paper without any word of the phrase needs a likeness beyond what any two papers have, or a
# nearness that stands out: by two standard deviations above the pool's mean.
LEAST_LIKENESS = 0.08
OUTSTANDING = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """Scores (phrases, papers) in 0 to 1, and what they are made of; a `total` of 0 says that there
    is no evidence. `nearness` is the mean over the senses.
    """

    total: Scores
    lexical: Scores
    likeness: Scores
    nearness: Scores


def soft_scores(corpus: Corpus, phrases: Sequence[str]) -> Scored:
    """Scores of the phrases for the papers of the pool."""
    look = corpus.look(phrases)
    lexical = look.lexical[:, : corpus.size].toarray()
    weight = corpus.understanding.profile.of(look.is_sentence)
    total, whole = lexical + weight * look.likeness, 1 + weight
    mean_nearness = np.zeros_like(total)
    for sense, nearness in zip(corpus.understanding.senses, look.nearness, strict=True):
        weight = sense.weight.of(look.is_sentence)
        total, whole = total + weight * nearness, whole + weight
        mean_nearness += nearness / len(look.nearness)
    total /= whole
    found = (lexical > 0) | (look.likeness >= LEAST_LIKENESS) | _outstanding(mean_nearness)
    total[~found] = 0.0
    return Scored(total=total, lexical=lexical, likeness=look.likeness, nearness=mean_nearness)


def _outstanding(nearness: Scores) -> NDArray[np.bool_]:
    if not nearness.size:
        return np.zeros(nearness.shape, np.bool_)
    mean, spread = nearness.mean(axis=1, keepdims=True), nearness.std(axis=1, keepdims=True)
    outstanding: NDArray[np.bool_] = (nearness >= mean + OUTSTANDING * spread) & (spread > 0)
    return outstanding
