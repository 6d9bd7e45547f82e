"""Feedback: a subscriber's word on a paper, how much it still weighs, and how a reason tells it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from digest.domain.papers import PaperId

HALF_LIFE = timedelta(days=90)
MOST_VOTES = 200  # the newest of one subscriber; older ones weigh little by then


class Opinion(StrEnum):
    """What a vote says: more like this, less like this, or that the reader opened the paper."""

    MORE = "more"
    LESS = "less"
    CLICK = "click"


# a click says that a title was interesting, not that the paper was
_WEIGHTS = {Opinion.MORE: 1.0, Opinion.LESS: 1.0, Opinion.CLICK: 0.3}


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """A subscriber's last word on a paper, with the text that tells what it is about."""

    paper_id: PaperId
    title: str
    abstract: str = ""
    opinion: Opinion
    given_at: datetime


def weight(vote: Vote, now: datetime) -> float:
    """How much a vote counts at `now`, in 0 to 1: halved every 90 days, 0 before it was given."""
    age = now - vote.given_at
    if age < timedelta(0):
        return 0.0
    return float(_WEIGHTS[vote.opinion] * 2 ** -(age / HALF_LIFE))


def taste_sentence(words: Sequence[str], *, raised: bool) -> str:
    """The words that moved a paper as a reason: `more like papers you liked: diffusion, video`.

    Empty without words.
    """
    if not words:
        return ""
    told = "more like papers you liked" if raised else "like papers you want fewer of"
    return f"{told}: {', '.join(words)}"
