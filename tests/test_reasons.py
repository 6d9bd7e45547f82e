"""The reason of an interest that joins several terms, from the ledger to the reader."""

import json
import sys
from datetime import date

import pytest

from digest.cli.output import point
from digest.domain.digests import Digest, Part, Pick, Reason, Where, why
from digest.domain.papers import PaperId
from digest.mail.links import Site
from digest.mail.views import joined, paper_view
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
