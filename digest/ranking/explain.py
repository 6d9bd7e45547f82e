"""The reason for a pick: the interest that brought it, where it stands, and the trend facts."""

from typing import TYPE_CHECKING

from digest.domain.digests import Reason, Where
from digest.domain.interests import Interest
from digest.domain.trends import Trend

if TYPE_CHECKING:
    from digest.ranking.match import Matcher


def matched(matcher: "Matcher", interest: Interest, number: int, trend: Trend) -> Reason:
    """The reason of a paper that matches the interest; the interest as its owner wrote it."""
    where, words = matcher.found(interest, number)
    return Reason(
        where=where,
        interest=interest.label,
        words=words,
        upvotes=trend.upvotes,
        rising=trend.rising,
        parts=matcher.parts(interest, number),
    )


def trends_alone(trend: Trend) -> Reason:
    """The reason of a paper that is there because it trends."""
    return Reason(where=Where.TRENDING, upvotes=trend.upvotes, rising=trend.rising)
