"""A digest as its templates render it."""

import re

import pytest

from digest.domain.digests import Reason, Where
from digest.domain.interests import interest
from digest.domain.papers import Links
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import Preferences
from digest.mail.entries import joined
from digest.mail.links import Site
from digest.mail.render import HTML_MOST
from tests.builders import a_paper, a_subscriber
from tests.mail.mails import MANAGE, SITE, a_digest_view, a_reason, a_rich_paper
from tests.mail.rendered import NO_SITE, RENDERER, flat, html_of, render


def test_a_digest_says_all_that_is_known_of_a_paper() -> None:
    rendered = render(a_digest_view())
    for text in (flat(rendered.text), html_of(rendered).text):
        for words in (
            "Thursday 12 March 2026",
            "1 paper for you, from 212 new ones.",
            "Tidepool 1: Continual Learning by Forgetting",
            "Ada Lovelace, Alan Turing and 2 more",
            "Tidal Conference 2026 · cs.LG, cs.AI · 10 Mar 2026",
            "▲ 63 upvotes · rising",
            "matches continual learning in the title",
            "We propose Tidepool, a method for continual learning that forgets on purpose.",
            "Why you get this: ada@example.com asked for a digest every day at 08:00 (UTC).",
            "Your interests: continual learning",
            "Example Lab, 1 Main Street · papers@example.org",
        ):
            assert words in text


def test_text_and_html_hold_the_same_links() -> None:
    link = f"{SITE}/digests/r.t.s/2026-03-12"
    rendered = render(a_digest_view(a_rich_paper(1), a_rich_paper(2), reading_url=link))
    in_text = set(re.findall(r"(?:https?|mailto):\S+", rendered.text))
    in_html = set(html_of(rendered).links())
    assert in_html <= in_text
    assert {f"{SITE}/unsubscribe/u.t.s", link} <= in_html
    assert {"https://example.org/1.pdf", "https://example.org/2.pdf"} <= in_html


def test_links_stand_in_their_order_under_their_names() -> None:
    assert "PDF Code Project Discussion" in html_of(render(a_digest_view())).text


def test_matched_words_are_marked_in_title_and_summary() -> None:
    assert html_of(render(a_digest_view())).marks == ["Continual Learning", "continual learning"]


def test_one_can_leave_near_the_top_and_at_the_end() -> None:
    rendered = render(a_digest_view(*(a_rich_paper(n) for n in range(1, 6))))
    assert rendered.html is not None
    for body in (rendered.text, rendered.html):
        places = [m.start() for m in re.finditer(f"{SITE}/unsubscribe/", body)]
        first, last = body.index("Tidepool 1"), body.rindex("Tidepool 5")
        assert min(places) < (body.rindex("Tidepool 1") if body is rendered.html else first)
        assert max(places) > last


def test_the_subject_names_number_and_first_title_in_one_short_line() -> None:
    long = a_rich_paper(1, title="Tides " * 40)
    assert render(a_digest_view()).subject == (
        "1 paper for you: Tidepool 1: Continual Learning by Forgetting"
    )
    assert render(a_digest_view(long, a_rich_paper(2))).subject == (
        "2 papers for you: Tides Tides Tides Tides Tides Tides Tides Tides…"
    )


def test_a_day_without_matches_says_so() -> None:
    trending = a_reason(None)
    rendered = render(a_digest_view(reason=trending, trending_only=True))
    sentence = "Nothing new matched your interests today; here is what is trending."
    assert sentence in flat(rendered.text)
    assert sentence in html_of(rendered).text
    assert rendered.subject.startswith("Trending today: Tidepool 1")


def test_a_reader_without_interests_is_told_why_the_papers_trend() -> None:
    view = a_digest_view(
        reason=a_reason(None), trending_only=False, subscriber=a_subscriber("ada@example.com")
    )
    mail = render(view)
    assert mail.subject.startswith("Trending today: ")
    assert "Name a few interests" in flat(mail.text)


def test_without_a_site_one_leaves_by_mail_and_no_link_is_broken() -> None:
    paper = a_paper("Tides", url=None, links=Links())
    rendered = render(a_digest_view(paper, manage=NO_SITE, site=Site()))
    seen = html_of(rendered)
    assert set(seen.links()) == {MANAGE.unsubscribe_mailto}
    assert "To change your interests, reply to this mail." in seen.text
    assert "None" not in rendered.text + seen.text


def test_a_paper_without_its_own_page_leads_to_ours() -> None:
    rendered = render(a_digest_view(a_paper("Tides", number=7, url=None)))
    assert f"{SITE}/papers/7" in html_of(rendered).links()


def test_exclusions_and_weekly_schedules_are_told() -> None:
    subscriber = a_subscriber(
        "ada@example.com",
        interests=(interest("tides"), interest("survey", excluded=True)),
        preferences=Preferences(
            schedule=Schedule(
                timezone="Europe/Paris", hour=7, frequency=Frequency.WEEKLY, weekday=4
            )
        ),
    )
    text = flat(render(a_digest_view(subscriber=subscriber)).text)
    assert "Your interests: tides Never shown: survey" in text
    assert "every Friday at 07:00 (Europe/Paris)" in text


def test_a_tldr_of_the_source_is_preferred() -> None:
    view = a_digest_view(a_rich_paper(1, tldr="Forgetting helps."))
    assert joined(view.papers[0].summary) == "Forgetting helps."


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (Reason(where=Where.AUTHOR, interest="Ada Lovelace"), "by Ada Lovelace, whom you follow"),
        (Reason(where=Where.CATEGORY, interest="cs.LG"), "in cs.LG, which you follow"),
        (Reason(where=Where.ABSTRACT, interest="tides"), "matches tides in the abstract"),
    ],
)
def test_each_kind_of_evidence_has_its_sentence(reason: Reason, line: str) -> None:
    rendered = render(a_digest_view(reason=reason))
    assert line in flat(rendered.text)
    assert line in html_of(rendered).text
    assert "▲" not in rendered.text


def test_text_keeps_to_72_columns_but_for_addresses() -> None:
    rendered = render(a_digest_view(*(a_rich_paper(n) for n in range(1, 12))))
    long = [line for line in rendered.text.splitlines() if len(line) > 72 and "://" not in line]
    assert long == []


def test_readers_of_text_get_no_html() -> None:
    assert RENDERER.render(a_digest_view(), text_only=True).html is None


def test_html_needs_nothing_from_elsewhere() -> None:
    seen = html_of(render(a_digest_view()))
    assert not {"img", "script", "link", "iframe", "form", "input", "svg"} & set(seen.tags)
    html = render(a_digest_view()).html or ""
    assert "url(" not in html
    assert "@import" not in html
    assert not re.search(r"display:\s*(?:flex|grid)", html)


def test_styles_are_inline_and_tables_are_named_as_layout() -> None:
    seen = html_of(render(a_digest_view()))
    tables = seen.tags.count("table")
    roles = [value for tag, name, value in seen.attributes if (tag, name) == ("table", "role")]
    assert roles == ["presentation"] * tables
    unstyled = seen.tags.count("h2") - sum(
        (tag, name) == ("h2", "style") for tag, name, _ in seen.attributes
    )
    assert unstyled == 0
    assert ("html", "lang", "en") in seen.attributes


def test_fifty_papers_stay_below_90_kb() -> None:
    papers = [a_rich_paper(n, title=f"Tidepool {n}: " + "learning " * 12) for n in range(1, 51)]
    rendered = render(a_digest_view(*papers))
    assert len((rendered.html or "").encode()) <= HTML_MOST
    assert "Tidepool 50:" in html_of(rendered).text


def test_fifty_monstrous_papers_stay_below_90_kb_too() -> None:
    papers = [
        a_rich_paper(
            n,
            title="深い学び " * 100,
            url="https://example.org/" + "x" * 800,
            abstract="深い学び。" * 500,
            authors=("名前" * 60,) * 9,
            links=Links(pdf="https://example.org/" + "y" * 800, code="https://e.org/" + "z" * 800),
        )
        for n in range(1, 51)
    ]
    rendered = render(a_digest_view(*papers, reason=a_reason("深い学び")))
    assert len((rendered.html or "").encode()) <= HTML_MOST
    assert rendered.text.count("深い学び") >= 50
