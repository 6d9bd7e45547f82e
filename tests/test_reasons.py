"""The reason of an interest that joins several terms, or that votes moved, from the ledger to the
reader.
"""

import json
import sys
from dataclasses import replace
from datetime import date

import pytest

from digest.cli.output import point
from digest.domain.digests import Digest, Part, Pick, Reason, Taste, Where, reason_sentence, why
from digest.domain.papers import PaperId
from digest.errors import StoreError
from digest.mail.entries import joined, paper_view
from digest.mail.excerpts import Segment
from digest.mail.links import Site
from digest.store.contents import content_from_json, content_to_json, without_person
from tests.builders import a_paper

DAY = date(2026, 3, 12)
REASON = Reason(
    where=Where.TITLE,
    interest="owls AND cat:cs.LG AND venue:ICML",
    words=("Owls", "cs.LG"),
    parts=(
        Part(where=Where.TITLE, text="owls"),
        Part(where=Where.CATEGORY, text="cs.LG"),
        Part(where=Where.VENUE, text="ICML"),
    ),
)
PICK = Pick(paper_id=PaperId(1), score=0.5, relevance=0.5, trend=0.5, reason=REASON)


def test_the_ledger_keeps_the_parts_and_an_erased_person_leaves_none() -> None:
    kept = content_to_json(Digest(digest_on=DAY, picks=(PICK,)))
    assert content_from_json(kept, DAY).picks == (PICK,)
    assert "owls" not in without_person(kept)
    (bare,) = content_from_json(without_person(kept), DAY).picks
    assert (bare.reason.parts, bare.reason.interest) == ((), None)


def test_a_digest_from_before_has_no_parts() -> None:
    old = json.dumps([{"p": 1, "s": 0.5, "r": 0.5, "t": 0.5, "w": "title", "i": "owls"}])
    (pick,) = content_from_json(old, DAY).picks
    assert why(pick.reason) == "matches owls in the title"


def test_the_mail_marks_what_the_reader_asked_for() -> None:
    view = paper_view(PICK, a_paper("On Owls"), 1, site=Site(url="https://d.example"), room=200)
    assert joined(view.reason) == 'matches "owls" in the title, in cs.LG, listed under ICML'
    assert [part.text for part in view.reason if part.marked] == ["owls", "cs.LG", "ICML"]
    assert [part.text for part in view.title if part.marked] == ["Owls"]


def test_a_mark_under_the_place_is_for_terminals(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    point("a AND", "  ^")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    point("a\x1b[31m AND", "  ^")
    assert capsys.readouterr().err == "  a [31m AND\n    ^\n"


LIKED = Taste(words=("diffusion", "video"), raised=True)
DISLIKED = Taste(words=("tea",), raised=False)
WORLDS = Reason(where=Where.TITLE, interest="world models", upvotes=63)


def liked(taste: Taste | None = LIKED, reason: Reason = WORLDS) -> Pick:
    return PICK._replace(reason=replace(reason, taste=taste))


def test_a_reason_tells_evidence_then_votes_then_attention() -> None:
    assert reason_sentence(liked().reason) == (
        "matches world models in the title · more like papers you liked: diffusion, video"
        " · 63 upvotes"
    )
    assert reason_sentence(liked(DISLIKED).reason) == (
        "matches world models in the title · like papers you want fewer of: tea · 63 upvotes"
    )
    assert reason_sentence(WORLDS) == "matches world models in the title · 63 upvotes"


@pytest.mark.parametrize("taste", [LIKED, DISLIKED, None])
def test_the_ledger_keeps_what_votes_did_and_an_erased_person_leaves_none(
    taste: Taste | None,
) -> None:
    kept = content_to_json(Digest(digest_on=DAY, picks=(liked(taste),)))
    assert content_from_json(kept, DAY).picks == (liked(taste),)
    bare = without_person(kept)
    assert "tea" not in bare and "diffusion" not in bare
    (left,) = content_from_json(bare, DAY).picks
    assert left.reason == Reason(where=Where.TITLE, upvotes=63)


def test_without_votes_the_ledger_is_as_before() -> None:
    kept = json.loads(content_to_json(Digest(digest_on=DAY, picks=(liked(None),))))
    assert set(kept["picks"][0]) == set("psrtwiu")


def test_words_in_the_ledger_that_are_no_list_are_an_error() -> None:
    spoilt = json.dumps([{"p": 1, "s": 0.5, "r": 0.5, "t": 0.5, "w": "title", "l": 7}])
    with pytest.raises(StoreError, match="restore a backup"):
        content_from_json(spoilt, DAY)


def test_the_mail_tells_of_votes_behind_the_evidence_and_marks_only_the_interest() -> None:
    pick = liked(Taste(words=("world models", "video"), raised=True))
    view = paper_view(pick, a_paper("World models"), 1, site=Site(url="https://d.example"), room=9)
    assert view.badge == "63 upvotes"
    assert view.reason == (
        Segment(text="matches "),
        Segment(text="world models", marked=True),
        Segment(text=" in the title"),
        Segment(text=" · more like papers you liked: world models, video"),
    )


def test_an_endless_word_of_a_paper_voted_on_does_not_fill_the_mail() -> None:
    pick = liked(Taste(words=("x" * 5_000,), raised=True))
    view = paper_view(pick, a_paper("Owls"), 1, site=Site(url="https://d.example"), room=9)
    assert len(joined(view.reason)) < 200
