"""What stands in the rendered mails, and what can never stand there."""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from digest.domain.digests import Digest, Reason, Taste, Where
from digest.domain.interests import Interest, InterestKind, interest
from digest.domain.papers import Links
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import Preferences, Status
from digest.errors import ConfigError, TemplateError
from digest.mail.entries import joined
from digest.mail.links import Site
from digest.mail.render import HTML_MOST, Rendered, Renderer
from digest.mail.views import (
    DigestView,
    Manage,
    access_view,
    change_address_view,
    confirm_view,
    digest_view,
    frame_for_stranger,
    frame_of,
    welcome_view,
)
from tests.builders import a_paper, a_subscriber
from tests.mail.mails import (
    IDENTITY,
    MANAGE,
    SITE,
    Seen,
    a_digest_view,
    a_pick,
    a_reason,
    a_rich_paper,
)

RENDERER = Renderer()
NO_SITE = Manage(unsubscribe_mailto=MANAGE.unsubscribe_mailto)
TAGS = "html head meta title style body div table tbody tr td p h1 h2 a b span br"
ATTRIBUTES = (
    "lang dir charset name content class style role width cellpadding cellspacing border align "
    "valign href aria-hidden"
)


def render(view: DigestView) -> Rendered:
    return RENDERER.render(view)


def html_of(rendered: Rendered) -> Seen:
    assert rendered.html is not None
    return Seen(rendered.html)


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


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


def test_the_confirmation_has_one_button_and_no_way_to_unsubscribe() -> None:
    frame = frame_of(a_subscriber("ada@example.com", "tides"), IDENTITY, Manage())
    rendered = RENDERER.render(
        confirm_view(frame, confirm_url=f"{SITE}/confirm/c.t.s", valid_days=7)
    )
    seen = html_of(rendered)
    assert set(seen.links()) == {f"{SITE}/confirm/c.t.s"}
    assert f"{SITE}/confirm/c.t.s" in rendered.text
    assert "ends after 7 days" in seen.text
    assert "Your interests: tides" in flat(rendered.text)


def test_a_link_into_the_browser_that_may_not_stand_in_a_mail_is_left_out() -> None:
    rendered = render(a_digest_view(reading_url="javascript:alert(1)"))
    assert "javascript" not in rendered.text + (rendered.html or "")
    assert "View in browser" not in rendered.text


@pytest.mark.parametrize("paused", [False, True])
def test_the_mail_with_the_link_to_the_settings_says_what_is_set(paused: bool) -> None:
    status = Status.PAUSED if paused else Status.ACTIVE
    reader = a_subscriber("ada@example.com", "tides", status=status)
    rendered = RENDERER.render(access_view(frame_of(reader, IDENTITY, MANAGE), status))
    for text in (flat(rendered.text), html_of(rendered).text):
        assert "a digest every day at 08:00 (UTC)" in text
        assert "Your interests: tides" in text
        assert ("paused" in text) is paused
    assert f"{SITE}/preferences/p.t.s" in rendered.text
    assert set(html_of(rendered).links()) == {MANAGE.preferences_url, MANAGE.unsubscribe_url}


def test_the_mail_about_the_settings_reads_well_without_a_site() -> None:
    frame = frame_of(a_subscriber("ada@example.com"), IDENTITY, NO_SITE)
    rendered = RENDERER.render(access_view(frame, Status.ACTIVE))
    assert html_of(rendered).links() == [MANAGE.unsubscribe_mailto]
    assert "To change your interests, reply to this mail." in flat(rendered.text)


def test_a_new_address_gets_one_button_and_no_other_way() -> None:
    frame = frame_for_stranger("ada@new.example", IDENTITY)
    link = f"{SITE}/change-address/c.t.s"
    rendered = RENDERER.render(change_address_view(frame, change_url=link, valid_days=2))
    assert set(html_of(rendered).links()) == {link}
    assert link in rendered.text
    for text in (flat(rendered.text), html_of(rendered).text):
        assert "wants it to come to ada@new.example from now on" in text
        assert "ends after 2 days" in text
    without = RENDERER.render(change_address_view(frame, change_url=None, valid_days=None))
    assert html_of(without).links() == []
    assert "reply to this mail" in flat(without.text)


@pytest.mark.parametrize("local", ['"><b>x</b>', "{{7*7}}", "a\u202eb"])
def test_a_hostile_new_address_stays_words(local: str) -> None:
    frame = frame_for_stranger(f"{local}@new.example", IDENTITY)
    view = change_address_view(frame, change_url="data:text/html,x", valid_days=2)
    rendered = RENDERER.render(view)
    assert html_of(rendered).tags.count("b") == 2  # the address and, since there is no link, "yes"
    assert "49" not in rendered.text
    assert "data:" not in rendered.text + (rendered.html or "")


def test_the_confirmation_reads_well_without_a_site() -> None:
    frame = frame_of(a_subscriber("ada@example.com"), IDENTITY, Manage())
    rendered = RENDERER.render(confirm_view(frame, confirm_url=None, valid_days=None))
    assert html_of(rendered).links() == []
    assert "reply to this mail" in flat(rendered.text)


def test_the_welcome_says_when_the_first_digest_comes_in_local_time() -> None:
    schedule = Schedule(timezone="Asia/Tokyo", hour=8)
    subscriber = a_subscriber("ada@example.com", "tides", schedule=schedule)
    frame = frame_of(subscriber, IDENTITY, MANAGE)
    view = welcome_view(frame, schedule, datetime(2026, 3, 12, 23, tzinfo=UTC))
    rendered = RENDERER.render(view)
    for text in (flat(rendered.text), html_of(rendered).text):
        assert "Your first digest comes Friday 13 March at 08:00." in text
        assert "Your interests: tides" in text


def hostile_digest(payload: str) -> DigestView:
    paper = a_rich_paper(
        1,
        title=payload or "-",
        abstract=payload,
        authors=(payload, payload),
        categories=(payload,),
        venue=payload,
        tldr=None,
        url=payload,
        links=Links(pdf=payload, code=f"javascript:{payload}"),
    )
    subscriber = a_subscriber(
        payload, interests=(Interest(kind=InterestKind.PHRASE, text=payload),)
    )
    taste = Taste(words=(payload, payload), raised=True)
    reason = a_reason(payload, words=(payload[:20],), taste=taste)
    return a_digest_view(paper, reason=reason, subscriber=subscriber)


def assert_harmless(payload: str) -> None:
    rendered = render(hostile_digest(payload))
    seen = html_of(rendered)
    assert set(seen.tags) <= set(TAGS.split()), payload
    assert {name for _, name, _ in seen.attributes} <= set(ATTRIBUTES.split()), payload
    assert {urlsplit(url).scheme for url in seen.links()} <= {"https", "http", "mailto"}, payload
    assert "\n" not in rendered.subject
    assert "\r" not in rendered.subject
    assert len(rendered.subject) <= 70
    for text in (rendered.subject, rendered.text):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize(
    "payload",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "'\"><svg/onload=alert(1)>",
        "{{ 7*7 }}{% raw %}",
        "--><script>x</script><!--",
        "</style><script>x</script>",
        "a\r\nBcc: b@example.com\x00\x1b[31m",
        "\u202egnp.exe\u2066",
        "\ud800",
        "jinja0j <!--jinja1-->",
    ],
)
def test_hostile_words_stay_words(payload: str) -> None:
    assert_harmless(payload)


def test_hostile_collections_stay_words(shared: Path) -> None:
    payloads = json.loads((shared / "hostile/dompurify/payloads.json").read_text("utf-8"))
    strings = json.loads((shared / "hostile/blns/blns.json").read_text("utf-8"))
    for payload in [*payloads, *strings]:
        assert_harmless(payload)


def test_a_digest_without_its_paper_is_an_error() -> None:
    digest = Digest(digest_on=date(2026, 3, 12), picks=(a_pick(a_rich_paper(1)),))
    with pytest.raises(KeyError):
        digest_view(digest, {}, a_digest_view().frame, site=Site())


def test_built_in_templates_pass_the_check() -> None:
    RENDERER.check()


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / "mail" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return folder


def test_the_operators_template_wins_and_is_inlined_too(tmp_path: Path) -> None:
    html = (
        '{% extends "mail/_parts/layout.html" %}{% block content %}'
        '<p class="day">Hi {{ mail.day }}</p>{% endblock %}'
    )
    renderer = Renderer(written(tmp_path, "digest/body.html", html))
    renderer.check()
    body = renderer.render(a_digest_view()).html or ""
    assert re.search(r'<p class="day" style="[^"]+">Hi Thursday', body)


def test_an_override_of_a_paper_alone_stands_in_the_built_in_digest(tmp_path: Path) -> None:
    written(
        tmp_path, "digest/paper.html", '<p class="s">{{ paper.rank }}: {{ paper.title_text }}</p>'
    )
    renderer = Renderer(tmp_path)
    renderer.check()
    rendered = renderer.render(a_digest_view(a_rich_paper(1), a_rich_paper(2)))
    seen = html_of(rendered)
    assert "2: Tidepool 2: Continual Learning" in seen.text
    assert "Why you get this: ada@example.com" in seen.text
    assert re.search(r'<p [^>]*style="[^"]+">2: Tidepool', rendered.html or "")
    assert "Ada Lovelace, Alan Turing" in flat(rendered.text)


def test_an_operators_own_design_may_ask_anything_of_the_words(tmp_path: Path) -> None:
    text = (
        "{{ frame.recipient|upper }} {{ frame.interests|first|length }}"
        "{% for paper in mail.papers %} {{ paper.title_text|reverse }}{% endfor %}"
        "{{ mail.entries[0] }}"
    )
    rendered = Renderer(written(tmp_path, "digest/body.txt", text)).render(a_digest_view())
    assert rendered.text.startswith("ADA@EXAMPLE.COM 18 gnittegroF yb gninraeL")


@pytest.mark.parametrize("name", ["layout.html", "interests.txt"])
def test_a_changed_part_may_ask_anything_of_the_words_too(tmp_path: Path, name: str) -> None:
    text = '<html><body class="page">{{ frame.recipient|length }}</body></html>'
    rendered = Renderer(written(tmp_path, f"_parts/{name}", text)).render(a_digest_view())
    assert ">15</body>" in (rendered.html if name == "layout.html" else rendered.text)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("digest/paper.html", "<p>\n{{ paper.nothing }}\n</p>", 2),
        ("digest/paper.txt", "a\n\n{% for %}", 3),
        ("digest/body.html", "<p>\n{% if %}\n</p>", 2),
        ("digest/body.txt", "a\nb\n{{ mail.no_such_thing }}", 3),
        ("confirm/body.html", "<p>\n\n{{ nobody }}</p>", 3),
        ("access/body.txt", "a\n{{ mail.nothing }}", 2),
        ("change_address/subject.txt", "\n{{ nobody }}", 2),
        ("welcome/subject.txt", "{% for x in mail %}", 1),
        ("digest/subject.txt", "{{ 1 / 0 }}", 1),
    ],
)
def test_a_wrong_template_is_named_with_its_line(
    tmp_path: Path, name: str, text: str, line: int
) -> None:
    renderer = Renderer(written(tmp_path, name, text))
    with pytest.raises(TemplateError, match=rf"{name}, line {line}: "):
        renderer.check()


def test_an_include_of_a_file_that_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    body = tmp_path / "mail" / "digest" / "body.txt"
    body.parent.mkdir(parents=True)
    body.write_text('Hello\n{% include "mail/_parts/gone.txt" %}\n')
    with pytest.raises(TemplateError) as caught:
        Renderer(tmp_path).check()
    assert f"{body}, line 2: templates/mail/_parts/gone.txt is missing" in str(caught.value)


def test_a_template_that_prints_no_subject_is_named(tmp_path: Path) -> None:
    (tmp_path / "mail" / "digest").mkdir(parents=True)
    (tmp_path / "mail" / "digest" / "subject.txt").write_text("{# nothing yet #}\n")
    with pytest.raises(TemplateError, match=r"mail/digest/subject\.txt prints no subject"):
        Renderer(tmp_path).check()


def test_a_folder_of_templates_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"templates\.folder"):
        Renderer(tmp_path / "nowhere")
