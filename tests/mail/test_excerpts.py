"""Marks, summaries and shortening."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.excerpts import (
    Segment,
    authors_line,
    cut,
    marked,
    plain,
    shortened,
    split_sentences,
    summary,
)
from tests.mail.mails import ABSTRACT


def marks(text: str, *words: str) -> list[str]:
    return [segment.text for segment in marked(text, words) if segment.marked]


def test_whole_words_are_marked_whatever_their_case() -> None:
    assert marks("RAG for Dragons: why rag drags", "rag") == ["RAG", "rag"]


def test_the_longest_phrase_is_marked_as_one() -> None:
    assert marks("Deep Reinforcement Learning", "learning", "reinforcement learning") == [
        "Reinforcement Learning"
    ]


def test_words_with_signs_and_words_without_spaces_are_marked() -> None:
    assert marks("Faster C++ for all", "c++") == ["C++"]
    assert marks("基于强化学习的方法", "强化学习") == ["强化学习"]


def test_nothing_is_marked_without_words() -> None:
    assert marked("Tides", ()) == (Segment(text="Tides"),)
    assert marked("", ("tides",)) == ()
    assert marked("Tides", ("", "  ")) == (Segment(text="Tides"),)


@given(st.text(max_size=80), st.lists(st.text(max_size=6), max_size=4))
def test_marked_segments_join_to_the_text(text: str, words: list[str]) -> None:
    assert "".join(segment.text for segment in marked(text, words)) == text


@given(st.text(max_size=200), st.integers(2, 60))
def test_shortened_text_keeps_to_its_room(text: str, most: int) -> None:
    assert len(shortened(text, most)) <= most
    assert shortened(text, most) == text or shortened(text, most).endswith("…")


def test_text_is_cut_at_the_end_of_a_word() -> None:
    assert shortened("Learning to wait, and to forget", 18) == "Learning to wait…"
    assert shortened("x" * 30, 10) == "x" * 9 + "…"


def test_segments_are_cut_across_marks() -> None:
    segments = marked("We study tides, again and again", ("tides",))
    assert [s.text for s in cut(segments, 20)] == ["We study ", "tides", ", aga…"]
    assert cut(segments, 0) == ()
    assert cut(segments, 100) == segments


@pytest.mark.parametrize(
    ("authors", "line"),
    [
        ((), ""),
        (("Ada Lovelace",), "Ada Lovelace"),
        (("Ada Lovelace", "Alan Turing"), "Ada Lovelace and Alan Turing"),
        (("A One", "B Two", "C Three"), "A One, B Two and C Three"),
        (("A One", "B Two", "C", "D", "E"), "A One, B Two and 3 more"),
        ((" ", "Ada\nLovelace"), "Ada Lovelace"),
    ],
)
def test_authors_are_shortened(authors: tuple[str, ...], line: str) -> None:
    assert authors_line(authors) == line


def test_abbreviations_and_decimals_end_no_sentence() -> None:
    text = "We follow A. Turing et al. and use e.g. Fig. 3 with 2.5 points. It works! Does it? Yes."
    assert split_sentences(text) == [
        "We follow A. Turing et al. and use e.g. Fig. 3 with 2.5 points.",
        "It works!",
        "Does it?",
        "Yes.",
    ]


def test_the_summary_begins_with_the_sentence_that_announces_the_contribution() -> None:
    assert summary(ABSTRACT, (), 120) == (
        "We propose Tidepool, a method for continual learning that forgets on purpose."
    )


def test_the_summary_prefers_sentences_with_matched_words() -> None:
    text = (
        "Tides are old and well understood by many people. "
        "Moons are older than tides and pull the water around. "
        "Sand is everywhere on the beach and between the toes."
    )
    assert summary(text, ("sand",), 60) == "Sand is everywhere on the beach and between the toes."


def test_sentences_apart_are_joined_by_an_ellipsis() -> None:
    text = (
        "We propose a tide table for small harbours. The moon moves on as it always did before. "
        "We show that the boats of the harbour come home."
    )
    assert summary(text, (), 100) == (
        "We propose a tide table for small harbours. "
        "… We show that the boats of the harbour come home."
    )


def test_where_the_code_lies_is_no_summary() -> None:
    assert "Code is available" not in summary(ABSTRACT, (), 1000)


@given(st.text(max_size=400), st.integers(20, 200))
def test_a_summary_keeps_to_its_room_whatever_the_abstract(text: str, most: int) -> None:
    assert len(summary(text, ("a",), most)) <= most


def test_plain_text_has_no_control_or_direction_characters() -> None:
    assert plain("a\x00b\x1b[31m\u202ec\r\nd\ud800\u2066e\u00ad") == "a b [31m c d e"


@pytest.mark.parametrize(
    ("opening", "rest"),
    [
        ("To address these issues, we propose", "We propose"),
        ("To this end, we introduce", "We introduce"),
        ("In this paper, we study", "We study"),
        ("Building on this insight, we present", "We present"),
        ("To keep boats dry, we propose", "To keep boats dry, we propose"),  # this tells something
        ("In this paper, boats propose", "In this paper, boats propose"),
    ],
)
def test_an_opening_that_only_leads_over_is_left_out(opening: str, rest: str) -> None:
    text = f"{opening} a tide table for small and large harbours."
    assert summary(text, (), 200) == f"{rest} a tide table for small and large harbours."


def test_the_summary_tells_what_came_of_it() -> None:
    text = (
        "Harbours are dull places for most people who live there. "
        "We propose Moonlog, a tide table for small harbours. "
        "It has three parts which are described in detail below. "
        "Moonlog outperforms older tables by 12% on nine harbours. "
        "Code and data are publicly available."
    )
    assert summary(text, (), 170, title="Moonlog: Tides for Small Harbours") == (
        "We propose Moonlog, a tide table for small harbours. "
        "… Moonlog outperforms older tables by 12% on nine harbours."
    )


def test_the_sentence_with_the_works_own_name_is_told_first() -> None:
    text = (
        "We introduce a new notion of what it means to be late. "
        "We introduce Moonlog, which knows when to be early."
    )
    assert summary(text, (), 60, title="Moonlog: On Time") == (
        "We introduce Moonlog, which knows when to be early."
    )
    assert summary(text, (), 60, title="On Time").startswith("We introduce a new notion")


def test_background_and_lesser_steps_tell_less_than_the_contribution() -> None:
    text = (
        "However, existing tide tables reduce boats to mere numbers. "
        "We further show that the moon is far away from everything. "
        "This paper introduces a tide table that boats can read."
    )
    assert summary(text, (), 70) == "This paper introduces a tide table that boats can read."


def test_a_letter_at_a_sentences_end_is_no_initial() -> None:
    assert split_sentences("It all depends on T. We propose to forget T. Smith agrees.") == [
        "It all depends on T.",
        "We propose to forget T. Smith agrees.",
    ]


def test_real_abstracts_are_summed_up_by_their_contribution(shared: Path) -> None:
    told, all_of_them = 0, 0
    for file in sorted((shared / "feeds/hf").glob("*.json")):
        for entry in json.loads(file.read_text("utf-8")):
            paper = entry["paper"]
            text = summary(paper.get("summary", ""), (), 340, title=paper["title"])
            assert len(text) <= 340
            all_of_them += 1
            told += bool(re.search(r"\b(?:we|our|this (?:paper|work|survey|report))\b", text, re.I))
    assert told / all_of_them >= 0.9


def test_a_sentence_that_leans_on_an_absent_one_is_not_told() -> None:
    text = (
        "We show that small boats add up to a large fleet of boats. "
        "After five years nobody in the harbour counts them any more. "
        "This sand is invisible to the usual tests of water and wind."
    )
    assert "This sand" not in summary(text, ("sand",), 170)
    assert "This paper" in summary(text.replace("This sand", "This paper on sand"), ("sand",), 170)


def test_a_short_best_sentence_is_followed_by_what_stands_behind_it() -> None:
    text = (
        "We show that boats add up to a fleet. After five years nobody counts them any more. "
        "Code is publicly available in the harbour."
    )
    assert summary(text, (), 200) == (
        "We show that boats add up to a fleet. After five years nobody counts them any more."
    )
