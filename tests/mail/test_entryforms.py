"""Entries made by forms, beside the same entries printed whole by their templates."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.domain.digests import Where
from digest.domain.papers import Links
from digest.mail.entries import KeptViews, PaperView, paper_view, slimmer
from digest.mail.entryforms import blanked_paper, entry_form, shape_of
from digest.mail.forms import escaped
from digest.mail.fragments import RANK, fragment
from digest.mail.links import Site
from digest.mail.quoted import words
from digest.mail.render import Renderer
from digest.mail.templating import environment
from tests.mail.mails import OUR_SITE, a_digest_view, a_pick, a_reason, a_rich_paper

TEMPLATES = environment()
WORDS = st.text(st.sampled_from("ab .%&<>'\"=é深()s"), max_size=40)
LONG = st.text(st.sampled_from("ab .%&=é"), max_size=400)
ADDRESSES = st.sampled_from([None, "https://example.org/a?b=%20&c='2'", "https://example.org/x"])


@st.composite
def views(draw: st.DrawFn) -> PaperView:
    paper = a_rich_paper(
        title=draw(WORDS),
        abstract=draw(LONG),
        authors=tuple(draw(st.lists(WORDS, max_size=4))),
        categories=tuple(draw(st.lists(WORDS, max_size=2))),
        venue=draw(WORDS),
        tldr=draw(st.none() | LONG),
        url=draw(ADDRESSES),
        links=Links(pdf=draw(ADDRESSES), code=draw(ADDRESSES)),
    )
    where = draw(st.sampled_from([Where.TITLE, Where.RELATED, Where.TRENDING]))
    words = tuple(draw(st.lists(WORDS, max_size=2)))
    upvotes, rising = draw(st.sampled_from([None, 0, 1_234])), draw(st.booleans())
    reason = a_reason(draw(WORDS), where=where, words=words, upvotes=upvotes, rising=rising)
    site = draw(st.sampled_from([OUR_SITE, Site()]))
    feedback = draw(st.booleans())
    view = paper_view(
        a_pick(paper, reason), paper, RANK, site=site, room=draw(st.integers(10, 340)),
        feedback=feedback,
    )  # fmt: skip
    level = draw(st.integers(0, 4))
    return slimmer(view, level) if level else view


def printed(ending: str, paper: PaperView) -> str:
    return TEMPLATES.get_template(f"mail/digest/paper.{ending}").render(paper=paper)


@given(views())
def test_a_form_gives_the_bytes_of_what_its_template_prints(view: PaperView) -> None:
    assert shape_of(view) is not None
    html, text = (entry_form(printed(ending, blanked_paper(view))) for ending in ("html", "txt"))
    assert html.html(view) == fragment(printed("html", view))
    assert text.text(view) == fragment(printed("txt", view))


@given(views(), views())
def test_papers_of_one_shape_share_a_form(one: PaperView, other: PaperView) -> None:
    if shape_of(one) == shape_of(other):
        for ending in ("html", "txt"):
            blank = [printed(ending, blanked_paper(view)) for view in (one, other)]
            assert blank[0] == blank[1]


@given(st.text())
def test_words_are_escaped_as_in_templates(told: str) -> None:
    assert escaped(told) == TEMPLATES.from_string("{{ told }}").render(told=told)


def test_a_paper_whose_rank_is_known_has_no_form() -> None:
    paper = a_rich_paper()
    view = paper_view(a_pick(paper), paper, 1, site=OUR_SITE, room=340)
    assert shape_of(view) is None


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("paper.html", "<p>{{ paper.rank }} {{ paper.title_text|length }}</p>", "html"),
        ("paper.txt", "{{ paper.rank }} {{ paper.title_text|length }}\n", "text"),
    ],
)
def test_an_entry_of_ones_own_may_ask_anything(
    tmp_path: Path, name: str, source: str, expected: str
) -> None:
    path = tmp_path / "mail/digest" / name
    path.parent.mkdir(parents=True)
    path.write_text(source)
    view = a_digest_view(a_rich_paper(title="Seventeen letters"))
    rendered = Renderer(tmp_path).render(view)
    told = words((rendered.quoted_html or b"") if expected == "html" else rendered.quoted_text)
    assert " 17" in told


def test_a_subject_of_ones_own_may_ask_anything(tmp_path: Path) -> None:
    path = tmp_path / "mail/digest/subject.txt"
    path.parent.mkdir(parents=True)
    path.write_text("{{ mail.papers[0].title_text|length }} letters")
    view = a_digest_view(a_rich_paper(title="Seventeen letters"))
    assert Renderer(tmp_path).render(view).subject == "17 letters"


def test_subjects_share_all_but_the_title() -> None:
    renderer = Renderer()
    for title in ("50% more tides", "%(title)s & <b>"):
        view = a_digest_view(a_rich_paper(title=title), a_rich_paper(2))
        assert renderer.render(view).subject == f"2 papers for you: {title}"


def test_views_kept_are_the_papers_own_and_not_too_many() -> None:
    kept = KeptViews(most=2)
    papers = [a_rich_paper(number) for number in (1, 2, 3)]
    views = [paper_view(a_pick(paper), paper, RANK, site=OUR_SITE, room=340) for paper in papers]
    for paper, view in zip(papers, views, strict=True):
        assert kept.keep(id(paper), paper, view) is view
    assert [kept.get(id(paper)) for paper in papers] == [None, *views[1:]]
    assert kept.keep(id(papers[1]), papers[1], views[0]) is views[1]
