"""The reason for a pick: the interest that brought it, where it stands, and the trend facts."""

from typing import TYPE_CHECKING

from digest.domain.digests import Part, Reason, Where
from digest.domain.interests import Interest
from digest.domain.trends import Trend

if TYPE_CHECKING:
    from digest.ranking.match import Matcher

_Found = tuple[Where, tuple[str, ...], tuple[Part, ...]]


class Explainer:
    """Says why; what was found for an interest in a paper is kept for the next subscriber."""

    def __init__(self, matcher: "Matcher") -> None:
        self._matcher = matcher
        self._found: dict[tuple[str, str, int], _Found] = {}

    def matched(self, interest: Interest, number: int, trend: Trend) -> Reason:
        """The reason of a paper that matches the interest; the interest as its owner wrote it."""
        key = (interest.kind, interest.text, number)
        if key not in self._found:
            parts = self._matcher.parts(interest, number)
            self._found[key] = (*self._matcher.found(interest, number), parts)
        where, words, parts = self._found[key]
        return Reason(
            where=where,
            interest=interest.label,
            words=words,
            upvotes=trend.upvotes,
            rising=trend.rising,
            parts=parts,
        )


def trends_alone(trend: Trend) -> Reason:
    """The reason of a paper that is there because it trends."""
    return Reason(where=Where.TRENDING, upvotes=trend.upvotes, rising=trend.rising)
