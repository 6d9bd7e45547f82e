"""Which papers of a pool are looked at closely for a phrase: none that holds evidence is missed."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.ranking.evidence import evidence
from digest.ranking.postings import Postings
from tests.ranking.texts import a_page, a_phrase

WORDS = ("state", "of", "the", "art", "states", "RAG", "ragged", "learning", "learned", "一")
TEXT = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)
PHRASE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)


@settings(max_examples=300)
@given(papers=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), text=PHRASE)
@example(papers=[("the art of a state", "")], text="state of the art")
@example(papers=[("", "art"), ("", "the state of the art")], text="state of the art")
@example(papers=[("art", "state")], text="state art")
def test_no_paper_with_evidence_is_missed(papers: list[tuple[str, str]], text: str) -> None:
    pages = [a_page(*paper) for paper in papers]
    phrase = a_phrase(text)
    candidates = Postings(pages).candidates(phrase)
    with_evidence = [n for n, page in enumerate(pages) if evidence(page, phrase)]
    assert set(with_evidence) <= set(candidates)
    assert candidates == sorted(set(candidates))


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("continual learning", "learning is continual", "Continual: so much on learning"),
        ("a survey of", "see a survey of that", "of what a survey tells"),
    ],
)
def test_papers_that_hold_the_words_here_and_there_are_not_looked_at(
    text: str, near: str, far: str
) -> None:
    pages = [a_page("A title", far), a_page("Other", near), a_page("None", "of both")]
    assert Postings(pages).candidates(a_phrase(text)) == [1]


def test_what_was_forgotten_is_found_again() -> None:
    postings = Postings([a_page("Continual learning", "")])
    phrase = a_phrase("continual learning")
    first = postings.candidates(phrase)
    postings.forget()
    assert first == postings.candidates(phrase) == [0]


def test_a_word_is_known_by_form_and_by_stem() -> None:
    postings = Postings([a_page("Reasons", "")])
    assert "reason" in postings
    assert "proteins" not in postings
