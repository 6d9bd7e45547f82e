"""Mails put together from pieces, beside the same mails printed in one go."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup, escape

from digest.domain.digests import Digest, Taste
from digest.domain.interests import Interest, InterestKind
from digest.domain.papers import Links, Paper
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import Preferences, Subscriber
from digest.errors import TemplateError
from digest.mail.entries import slimmer
from digest.mail.excerpts import plain
from digest.mail.forms import blanks_of
from digest.mail.fragments import (
    RANK,
    VOTING,
    Entry,
    Mark,
    Shelf,
    StrayMark,
    fragment,
    hole,
)
from digest.mail.quoted import piece, words
from digest.mail.render import HTML_MOST, Renderer
from digest.mail.templating import environment
from digest.mail.views import DigestView, Manage, digest_view, frame_of
from tests.builders import a_paper, a_subscriber
from tests.mail.mails import (
    IDENTITY,
    MANAGE,
    OUR_SITE,
    SITE,
    a_digest_view,
    a_pick,
    a_reason,
    a_rich_paper,
)

TEMPLATES = environment()
RENDERER = Renderer()
VOTES = "https://papers.example.org/feedback/f.t.s/"

WORDS = st.text(
    st.one_of(
        st.sampled_from(" .=<&\"'\0\r\n\x1eé深{}%"), st.characters(exclude_categories=["Cs"])
    ),
    min_size=1,
    max_size=60,
)
SHORT = st.text("abcdefghij .", min_size=1, max_size=30).filter(lambda text: bool(plain(text)))
ADDRESSES = st.sampled_from([None, "https://example.org/a?b=1&c='2'", "https://example.org/x", ""])


def printed(view: DigestView, level: int = 0) -> tuple[str, str]:
    """The HTML and the text of a digest as Jinja2 prints them, everything in its place."""
    bodies = []
    for ending, width in (("html", 1), ("txt", 2)):
        entries = []
        for rank, paper in enumerate(view.papers, start=1):
            voting = str(escape(view.voting)) if ending == "html" else view.voting
            told = TEMPLATES.get_template(f"mail/digest/paper.{ending}").render(
                paper=slimmer(paper, level) if level else paper
            )
            told = told.replace(RANK, f"{rank:{width}}").replace(VOTING, voting)
            entries.append(Markup(told) if ending == "html" else told)
        whole = replace(view, entries=tuple(entries))
        body = TEMPLATES.get_template(f"mail/digest/body.{ending}")
        bodies.append(body.render(mail=whole, frame=view.frame))
    return bodies[0], bodies[1].strip() + "\n"


@st.composite
def papers(draw: st.DrawFn, number: int) -> Paper:
    title = draw(WORDS)
    return a_paper(
        title if plain(title) else "Tides",
        number=number,
        abstract=draw(WORDS),
        authors=tuple(draw(st.lists(WORDS, max_size=3))),
        categories=tuple(draw(st.lists(WORDS, max_size=2))),
        tldr=draw(st.none() | WORDS),
        url=draw(ADDRESSES),
        links=Links(pdf=draw(ADDRESSES), code=draw(ADDRESSES)),
    )


@st.composite
def readers(draw: st.DrawFn) -> Subscriber:
    interests = tuple(
        Interest(kind=InterestKind.PHRASE, text=text, excluded=excluded)
        for text, excluded in draw(st.lists(st.tuples(WORDS, st.booleans()), max_size=6))
    )
    schedule = Schedule(
        timezone=draw(st.sampled_from(["UTC", "Europe/Paris"])),
        hour=draw(st.integers(0, 23)),
        frequency=draw(st.sampled_from(list(Frequency))),
    )
    return a_subscriber(
        f"{draw(st.text('abc.x', min_size=1, max_size=40))}@example.com",
        interests=interests,
        preferences=Preferences(schedule=schedule),
    )


@st.composite
def digests(draw: st.DrawFn) -> DigestView:
    shown = [draw(papers(number)) for number in range(1, draw(st.integers(1, 5)) + 1)]
    taste = draw(st.none() | st.builds(Taste, words=st.tuples(WORDS), raised=st.booleans()))
    reason = a_reason(draw(st.none() | SHORT), rising=draw(st.booleans()), taste=taste)
    digest = Digest(
        digest_on=date(2026, 3, 12),
        picks=tuple(a_pick(paper, reason) for paper in shown),
        trending_only=draw(st.booleans()),
    )
    manage = draw(st.sampled_from([MANAGE, Manage(), replace(MANAGE, preferences_url=None)]))
    identity = replace(
        IDENTITY, tagline=draw(WORDS), contact=draw(st.sampled_from(["", "lab@example.org"]))
    )
    return digest_view(
        digest,
        {paper.id: paper for paper in shown},
        frame_of(draw(readers()), identity, manage),
        site=OUR_SITE,
        considered=draw(st.none() | st.integers(0, 300)),
        voting=draw(st.sampled_from([None, VOTES])),
        reading_url=draw(st.sampled_from([None, f"{SITE}/digests/r.t.s/2026-03-12"])),
    )


@settings(deadline=None)  # the first one compiles the templates
@given(digests())
def test_a_digest_of_fragments_says_what_its_templates_print(view: DigestView) -> None:
    rendered = RENDERER.render(view)
    html, text = printed(view)
    assert rendered.html == html
    assert rendered.text == text
    assert not re.search(r"[\0-\x08\x0b-\x1f]", html + text)


@settings(deadline=None)  # the first one compiles the templates
@given(digests())
def test_whoever_shares_a_form_gets_their_own_words(view: DigestView) -> None:
    theirs = view.reading_url and f"{SITE}/digests/somebody.else/2026-03-12"
    frame = replace(view.frame, recipient="somebody.else@example.net")
    other = replace(view, frame=frame, reading_url=theirs)
    for one in (view, other, view):
        rendered = RENDERER.render(one)
        assert one.frame.recipient in rendered.text
        assert (one.reading_url or "") in rendered.text
        assert (rendered.html, rendered.text) == printed(one)


def test_ordinary_digests_are_made_by_forms() -> None:
    assert blanks_of(a_digest_view()) is not None


def test_what_is_made_slimmer_is_what_its_templates_print() -> None:
    long = [
        a_rich_paper(
            n, title=f"Tidepool {n} " + "über lernen " * 20, url=f"https://x.org/{'y' * 700}"
        )
        for n in range(1, 51)
    ]
    view = a_digest_view(*long)
    rendered = RENDERER.render(view)
    assert len((rendered.html or "").encode()) <= HTML_MOST
    assert (rendered.html, rendered.text) in [printed(view, level) for level in (1, 2, 3, 4)]


def test_ranks_and_votes_are_each_readers_own() -> None:
    one, two = a_rich_paper(1), a_rich_paper(2)
    first, second = a_digest_view(one, two), a_digest_view(two, one)
    assert first.papers[0] is second.papers[1]
    for view, order in ((first, (1, 2)), (second, (2, 1))):
        text = RENDERER.render(view).text
        assert [int(n) for n in re.findall(r"^ \d\. Tidepool (\d)", text, re.M)] == list(order)


def test_the_width_of_a_rank_does_not_change_the_lines() -> None:
    view = a_digest_view(*(a_rich_paper(n, title="Learning " * 20) for n in range(1, 13)))
    text = RENDERER.render(view).text
    heads = re.findall(r"^( \d|\d\d)\. (Learning.*)$", text, re.M)
    assert len(heads) == 12
    assert len({line for _, line in heads}) == 1


@given(
    st.lists(st.tuples(WORDS.filter(lambda text: "\0" not in text), st.integers(0, 2)), max_size=6)
)
def test_a_fragment_reads_as_it_was_printed_once_its_holes_are_filled(
    told: list[tuple[str, int]],
) -> None:
    fills = {Mark(str(n)): piece(text) for n, text in enumerate(("", ".dot", "é " * 40))}
    text = "".join(before + hole(Mark(str(n))) for before, n in told) + "end"
    whole = "".join(before + words(fills[Mark(str(n))]) for before, n in told) + "end"
    made = fragment(text, tuple(fills)).filled(fills)
    expected = re.sub("\r\n?", "\n", whole)
    assert words(made) == expected
    assert max(map(len, made.split(b"\r\n"))) <= 76


@pytest.mark.parametrize("told", ["a\0b", "\0nobody\0", "\0rank", "\0rank\0\0", "\0RANK\0"])
def test_a_mark_that_was_changed_is_an_error(told: str) -> None:
    with pytest.raises(StrayMark):
        fragment(told)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("digest/paper.txt", "{{ paper.rank|upper }}"),
        ("digest/paper.html", "<p>{{ paper.rank[:3] }}</p>"),
        ("digest/body.txt", "{{ mail.entries[0]|replace('\\0', '') }}\\0"),
    ],
)
def test_a_template_that_spoils_a_mark_stops_the_run(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / "mail" / name
    path.parent.mkdir(parents=True)
    path.write_text(text.replace("\\0", "\0") if "body" in name else text)
    renderer = Renderer(tmp_path)
    with pytest.raises(TemplateError, match=rf"{name}.*as they are"):
        renderer.check()


def entry(text: str) -> Entry:
    made = fragment(text)
    return Entry(html=made, text=made)


def test_the_shelf_forgets_first_what_was_not_used_for_longest() -> None:
    shelf = Shelf(most=30_000)
    views = [object() for _ in range(4)]
    for view in views[:3]:
        shelf.keep(view, 0, entry("x" * 2_000))
    assert shelf.get(views[0], 0)
    shelf.keep(views[3], 0, entry("x" * 2_000))
    assert shelf.size <= 30_000
    assert [bool(shelf.get(view, 0)) for view in views] == [True, False, True, True]


def test_the_shelf_tells_views_and_levels_apart() -> None:
    shelf = Shelf()
    view = object()
    shelf.keep(view, 0, entry("full"))
    shelf.keep(view, 3, entry("bare"))
    kept = shelf.get(view, 3)
    assert kept is not None
    assert words(kept.text.pieces[0]) == "bare"
    assert shelf.get(view, 1) is None
    assert shelf.get(object(), 0) is None
