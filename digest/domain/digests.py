"""A digest: one subscriber's ordered picks from an edition, or the reason why there is none."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from digest.domain.feedback import taste_sentence
from digest.domain.papers import PaperId


class Where(StrEnum):
    """Where the evidence for a pick stands."""

    TITLE = "title"
    ABSTRACT = "abstract"
    AUTHOR = "author"
    CATEGORY = "category"
    VENUE = "venue"
    RELATED = "related"  # it does not hold the phrase, but talks as the papers do that hold it
    TRENDING = "trending"  # no interest: it is there because it trends
    BEYOND = "beyond"  # no interest either, in a digest whose other picks match


_FACTS = {Where.AUTHOR: "by", Where.CATEGORY: "in", Where.VENUE: "listed under"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One of several terms that an interest joins by AND, and where the paper holds it."""

    where: Where
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Taste:
    """What a subscriber's votes had to do with a pick: the words, as the papers they voted on spell
    them, and whether these brought it up or down.
    """

    words: tuple[str, ...]
    raised: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a pick is in the digest.

    `interest` is the phrase as the subscriber wrote it, None for a trending pick; `words` are the
    spellings found in the paper, to be highlighted; `upvotes` and `rising` are the trend facts at
    the time of composing. `parts` are the terms of an interest that has several, `where` is the
    first one's place. `taste` is None where votes moved the pick little or not at all.
    """

    where: Where
    interest: str | None = None
    words: tuple[str, ...] = ()
    upvotes: int | None = None
    rising: bool = False
    parts: tuple[Part, ...] = ()
    taste: Taste | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """What of the interest the words of `why` hold."""
        return tuple(p.text for p in self.parts) or ((self.interest,) if self.interest else ())


def why(reason: Reason) -> str:
    """The evidence in words, such as `matches continual learning in the title`."""
    if reason.parts:
        return _why_all(reason.parts)
    match reason.where:
        case Where.AUTHOR:
            return f"by {reason.interest}, whom you follow"
        case Where.CATEGORY:
            return f"in {reason.interest}, which you follow"
        case Where.VENUE:
            # a paper may be listed under a venue that has not taken it yet
            return f"listed under {reason.interest}, which you follow"
        case Where.RELATED:
            shared = f": it talks of {_listed(list(reason.words))}" if reason.words else ""
            return f"related to {reason.interest}{shared}"
        case Where.TRENDING:
            return "trending now"
        case Where.BEYOND:
            return "trending beyond your interests"
        case _:
            return f"matches {reason.interest} in the {reason.where.value}"


def _why_all(parts: tuple[Part, ...]) -> str:
    """`matches "world models" and "planning" in the title, in cs.LG`."""
    told: list[str] = []
    for place in (Where.TITLE, Where.ABSTRACT):
        if texts := [f'"{part.text}"' for part in parts if part.where is place]:
            told.append(f"{'' if told else 'matches '}{_listed(texts)} in the {place.value}")
    for place, word in _FACTS.items():
        if names := [part.text for part in parts if part.where is place]:
            told.append(f"{word} {_listed(names)}")
    return ", ".join(told)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def taste_words(reason: Reason) -> str:
    """What votes did in words: `more like papers you liked: diffusion, video`; empty if nothing."""
    taste = reason.taste
    return taste_sentence(taste.words, raised=taste.raised) if taste else ""


def attention_words(reason: Reason) -> str:
    """The trend facts in words, such as `63 upvotes, rising`; empty where there are none."""
    facts = []
    if reason.upvotes:
        facts.append(f"{reason.upvotes:,} upvote{'s' if reason.upvotes != 1 else ''}")
    if reason.rising:
        facts.append("rising")
    return ", ".join(facts)


def reason_sentence(reason: Reason) -> str:
    """Evidence, what votes did, and trend facts: `matches world models in the title · more like
    papers you liked: diffusion, video · 63 upvotes, rising`.
    """
    told = why(reason), taste_words(reason), attention_words(reason)
    return " · ".join(part for part in told if part)


class Pick(NamedTuple):
    """One paper of a digest; `score`, `relevance` and `trend` lie in 0 to 1.

    A named tuple, because ten are made for each reader: it takes a third of a dataclass's time.
    """

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
