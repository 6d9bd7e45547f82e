"""Subscribers who only say what they do not want get the trending list without it."""

from dataclasses import replace
from datetime import date

import pytest

from digest.domain.digests import Digest, Skip, SkipReason, Where
from digest.domain.interests import interest
from digest.domain.papers import PaperId
from digest.domain.trends import Trend
from digest.ranking.edition import EditionRanker
from digest.ranking.statistics import Statistics
from tests.builders import a_paper, a_subscriber

DAY = date(2026, 3, 12)
POOL = (
    a_paper("Owls asleep", number=1, venue="ICML 2026", authors=("Ada Lovelace",)),
    a_paper("Games of agents", number=2, categories=("cs.GT",), authors=("Y. LeCun",)),
    a_paper("Agents at work", number=3, categories=("cs.CL",), authors=()),
)
TRENDS = {PaperId(n): Trend(score=1 - n / 10, upvotes=n) for n in (1, 2, 3)}


def digest(*texts: str) -> Digest | Skip:
    ranker = EditionRanker(POOL, Statistics.of((p.title, p.abstract) for p in POOL), TRENDS)
    reader = replace(a_subscriber(), interests=tuple(map(interest, texts)))
    return ranker.digest_for(reader, set(), DAY)


@pytest.mark.parametrize(
    ("excluded", "left"),
    [
        (["-owls"], [2, 3]),
        (['-"owls asleep"'], [2, 3]),
        (["-author:Yann LeCun"], [1, 3]),
        (["-cat:cs.*"], []),
        (["-cat:cs.GT", "-venue:ICML"], [3]),
        (["-(agents AND games)"], [1, 3]),
        (["-(agents AND -games)", "-owls"], [2]),
        (["-owl", "-agent"], []),
    ],
)
def test_where_every_interest_is_excluded_the_rest_trends(
    excluded: list[str], left: list[int]
) -> None:
    found = digest(*excluded)
    if not left:
        assert found == Skip(digest_on=DAY, reason=SkipReason.NO_MATCHES)
        return
    assert isinstance(found, Digest) and not found.trending_only
    assert [pick.paper_id for pick in found.picks] == left
    assert {pick.reason.where for pick in found.picks} == {Where.TRENDING}


def test_what_is_excluded_goes_before_what_is_wanted() -> None:
    found = digest("agents AND cat:cs", "venue:ICML", "-(games AND author:LeCun)")
    assert isinstance(found, Digest)
    assert sorted(pick.paper_id for pick in found.picks) == [1, 3]
