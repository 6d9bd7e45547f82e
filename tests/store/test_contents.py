"""What a delivery holds, read by pieces that many readers share."""

from datetime import date

import pytest

from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.papers import PaperId
from digest.errors import StoreError
from digest.store.contents import content_from_json, content_to_json

DAY = date(2026, 3, 12)


def a_pick(number, words=("graphs",)):
    reason = Reason(where=Where.TITLE, interest=words[0], words=words, upvotes=3)
    return Pick(paper_id=PaperId(number), score=0.5, relevance=0.25, trend=0.125, reason=reason)


@pytest.mark.parametrize("trending_only", [False, True])
@pytest.mark.parametrize(
    "words", [("graphs",), ("a},{b", "}]}"), ('"},{"p":9', "\\"), ('}],"trending_only":true}',)]
)
def test_picks_come_back_whatever_their_words_are(words, trending_only):
    digest = Digest(
        digest_on=DAY,
        picks=(a_pick(1, words), a_pick(2), a_pick(3, words)),
        trending_only=trending_only,
    )
    assert content_from_json(content_to_json(digest), DAY) == digest


def test_readers_of_the_same_pick_share_it():
    first = content_from_json(content_to_json(Digest(digest_on=DAY, picks=(a_pick(7),))), DAY)
    both = Digest(digest_on=DAY, picks=(a_pick(8), a_pick(7)))
    assert content_from_json(content_to_json(both), DAY).picks[1] is first.picks[0]


def test_what_later_versions_add_is_passed_over():
    pick = '{"p":1,"s":1,"r":1,"t":0,"w":"title","z":[{"a":1},{"b":2}]}'
    plain = '{"p":2,"s":1,"r":1,"t":0,"w":"title"}'
    text = f'{{"picks":[{pick},{plain}],"later":[{{"c":3}}]}}'
    assert [found.paper_id for found in content_from_json(text, DAY).picks] == [1, 2]


@pytest.mark.parametrize("text", ['{"picks":[{"p":1}]}', '{"picks":[{}]}', '{"picks":[{"p":1]}'])
def test_what_was_never_written_is_an_error(text):
    with pytest.raises(StoreError, match="unreadable"):
        content_from_json(text, DAY)
