"""Rendering hostile words, and templates of the operator that are wrong."""

import json
import re
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from digest.domain.digests import Digest, Taste
from digest.domain.interests import Interest, InterestKind
from digest.domain.papers import Links
from digest.errors import ConfigError, TemplateError
from digest.mail.links import Site
from digest.mail.render import Renderer
from digest.mail.views import DigestView, digest_view
from tests.builders import a_subscriber
from tests.mail.mails import a_digest_view, a_pick, a_reason, a_rich_paper
from tests.mail.rendered import ATTRIBUTES, RENDERER, TAGS, flat, html_of, render


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
