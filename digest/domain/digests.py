"""A digest: one subscriber's ordered picks from an edition, or the reason why there is none."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from digest.domain.papers import PaperId


class Where(StrEnum):
    """Where the evidence for a pick stands."""

    TITLE = "title"
    ABSTRACT = "abstract"
    AUTHOR = "author"
    CATEGORY = "category"
    TRENDING = "trending"  # no interest: it is there because it trends


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a pick is in the digest.

    `interest` is the phrase as the subscriber wrote it, None for a trending pick; `words` are the
    spellings found in the paper, to be highlighted; `upvotes` and `rising` are the trend facts at
    the time of composing.
    """

    where: Where
    interest: str | None = None
    words: tuple[str, ...] = ()
    upvotes: int | None = None
    rising: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Pick:
    """One paper of a digest; `score`, `relevance` and `trend` lie in 0 to 1."""

    paper_id: PaperId
    score: float
    relevance: float
    trend: float
    reason: Reason


class SkipReason(StrEnum):
    """Why a subscriber gets no mail for a date."""

    NO_PAPERS = "no_papers"  # the edition holds nothing unsent
    NO_MATCHES = "no_matches"  # fewer matches than `min_matches`, and `empty_day` is `skip`
    LATE = "late"  # the service slept past the date


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """What a subscriber gets for `digest_on` (their local date): picks best first, never empty.

    `trending_only` says that nothing matched and the picks are the trending list instead.
    """

    digest_on: date
    picks: tuple[Pick, ...]
    trending_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Skip:
    """No mail for `digest_on`, and why."""

    digest_on: date
    reason: SkipReason
