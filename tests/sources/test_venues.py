"""Where a paper was taken, from the sources that know."""

import json

import pytest

from digest.sources import arxiv, jsonl
from tests.builders import NOON

ENTRY = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom">
<title>results</title><entry><id>http://arxiv.org/abs/2603.00001v1</id><title>Owls</title>
<summary>On owls.</summary><published>2026-03-11T00:00:00Z</published>
<updated>2026-03-11T00:00:00Z</updated><arxiv:comment>{comment}</arxiv:comment>{more}
</entry></feed>"""


def venue_of(comment: str, more: str = "") -> str | None:
    body = ENTRY.format(comment=comment, more=more).encode()
    (listing,) = arxiv.parse_api(body, NOON).listings
    return listing.venue


@pytest.mark.parametrize(
    ("comment", "venue"),
    [
        ("Accepted to ICML 2026", "ICML 2026"),
        (
            "12 pages. Accepted at the NeurIPS 2025 main track; code available",
            "NeurIPS 2025 main track",
        ),
        ("Accepted to appear in ACL 2026, 9 pages", "ACL 2026"),
        ("To appear in Proceedings of CVPR 2026.", "Proceedings of CVPR 2026"),
        ("Accepted for publication in Nature Communications", "Nature Communications"),
        ("Accepted as a spotlight at ICLR (2026)", "ICLR (2026)"),
        ("Accepted by IEEE TPAMI", "IEEE TPAMI"),
        ("Submitted to ICML 2026", None),
        ("Under review at ICLR", None),
        ("12 pages, 5 figures", None),
        ("accepted", None),
        ("accepted to " + "X" * 100_000, "X" * 100),
        ("Published in 2019; presented in two parts", None),
        ("", None),
    ],
)
def test_authors_say_in_the_comments_where_a_paper_was_taken(comment, venue):
    assert venue_of(comment) == venue


def test_the_journal_reference_goes_before_the_comment():
    journal = "<arxiv:journal_ref>Nature 1 (2026)</arxiv:journal_ref>"
    assert venue_of("Accepted to ICML 2026", journal) == "Nature 1 (2026)"


def test_json_lines_may_name_the_venue():
    lines = "".join(
        json.dumps({"title": "Owls", "venue": v}) + "\n" for v in ("ICML 2026", 7, None)
    )
    found = jsonl.parse(lines.encode(), NOON).listings
    assert [one.venue for one in found] == ["ICML 2026", None, None]
