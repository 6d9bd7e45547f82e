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
    BEYOND = "beyond"  # no interest either, in a digest whose other picks match


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


def why(reason: Reason) -> str:
    """The evidence in words, such as `matches continual learning in the title`."""
    match reason.where:
        case Where.AUTHOR:
            return f"by {reason.interest}, whom you follow"
        case Where.CATEGORY:
            return f"in {reason.interest}, which you follow"
        case Where.TRENDING:
            return "trending now"
        case Where.BEYOND:
            return "trending beyond your interests"
        case _:
            return f"matches {reason.interest} in the {reason.where.value}"


def attention_words(reason: Reason) -> str:
    """The trend facts in words, such as `63 upvotes, rising`; empty where there are none."""
    facts = []
    if reason.upvotes:
        facts.append(f"{reason.upvotes:,} upvote{'s' if reason.upvotes != 1 else ''}")
    if reason.rising:
        facts.append("rising")
    return ", ".join(facts)


def reason_sentence(reason: Reason) -> str:
    """Evidence and trend facts: `matches continual learning in the title · 63 upvotes, rising`."""
    return " · ".join(part for part in (why(reason), attention_words(reason)) if part)


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
