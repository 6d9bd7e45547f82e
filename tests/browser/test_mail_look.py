"""The mails in Chromium, narrow and wide, by day and by night, in more than one theme."""

import colorsys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from digest.domain.papers import Links
from digest.domain.schedule import Schedule
from digest.domain.subscribers import Status
from digest.mail.render import Renderer
from digest.mail.theme import Theme
from digest.mail.views import (
    access_view,
    change_address_view,
    confirm_view,
    frame_for_stranger,
    frame_of,
    welcome_view,
)
from tests.builders import a_paper, a_subscriber
from tests.mail.mails import IDENTITY, MANAGE, SITE, a_digest_view, a_reason, a_rich_paper

pytestmark = pytest.mark.browser

KINDS = ("digest", "confirm", "welcome", "access", "change_address")
H2S = {"digest": 5, "welcome": 0}
WIDTHS = (320, 375, 700)
SCHEMES = ("light", "dark")
THUMB = 44  # CSS px; WCAG 2.2, 2.5.5
THEMES = {
    "default": Theme(),
    "sea": Theme(
        accent="#005f8a",
        accent_dark="#7cc7e8",
        ground="#eef4f6",
        ground_dark="#08161d",
        font="sans",
    ),
    "faint": Theme(  # each colour as near to the limit as is accepted
        accent="#767676", accent_dark="#909090", ground="#939393", ground_dark="#1f1f1f"
    ),
}

# For every element with text of its own: its colour, the first opaque ground below it, its size.
TEXTS = """() => {
  const opaque = c => c !== 'rgba(0, 0, 0, 0)' && c !== 'transparent';
  const numbers = c => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
  return [...document.body.querySelectorAll('*')].filter(e =>
    e.getClientRects().length && getComputedStyle(e).display !== 'none' && !e.closest('.pre') &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
  ).map(e => {
    let below = e;
    while (below && !opaque(getComputedStyle(below).backgroundColor)) below = below.parentElement;
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    return {text: e.textContent.trim().slice(0, 40), size: parseFloat(style.fontSize),
      colour: numbers(style.color), ground: below ? numbers(getComputedStyle(below)
        .backgroundColor) : [255, 255, 255], left: box.left, right: box.right};
  });
}"""
LINKS = """() => [...document.links].map(a => ({text: a.textContent, height:
  a.getBoundingClientRect().height, boxes: [...a.getClientRects()].map(r =>
    [r.left, r.top, r.right, r.bottom])}))"""
HEADINGS = "() => [...document.querySelectorAll('h1,h2,h3,h4')].map(h => h.tagName)"
PICTURES = """() => document.images.length + [...document.querySelectorAll('*')].filter(e =>
  getComputedStyle(e).backgroundImage !== 'none').length"""


@cache
def mail(kind: str, theme: str = "default") -> str:
    subscriber = a_subscriber("ada.of.the.long.address@department.example.com", "tides", "x" * 64)
    identity = replace(
        IDENTITY, tagline="What a community reads, for one reader", contact="owner@example.org"
    )
    frame = frame_of(subscriber, identity, MANAGE)
    long = a_rich_paper(2, title="Supercalifragilisticexpialidocious" * 3, authors=("N" * 90,))
    brief = a_rich_paper(3, title="Tides", tldr="Forgetting helps.", abstract="")
    bare = a_paper("Tides without anything else", number=4, url=None, links=Links(), authors=())
    digest = a_digest_view(
        a_rich_paper(1), long, brief, bare, subscriber=subscriber, voting=f"{SITE}/feedback/f.t.s/"
    )
    calm = a_digest_view(a_rich_paper(5), reason=a_reason(rising=False)).papers
    views = {
        "digest": replace(
            digest, frame=frame, papers=digest.papers + calm, reading_url=f"{SITE}/digests/r/d"
        ),
        "confirm": confirm_view(frame, confirm_url=f"{SITE}/confirm/" + "t" * 120, valid_days=7),
        "welcome": welcome_view(frame, Schedule(), datetime(2026, 3, 13, 8, tzinfo=UTC)),
        "access": access_view(frame, Status.PAUSED),
        "change_address": change_address_view(
            frame_for_stranger(subscriber.email, identity),
            change_url=f"{SITE}/change-address/" + "t" * 120,
            valid_days=2,
        ),
    }
    return Renderer(theme=THEMES[theme]).render(views[kind]).html or ""


@pytest.fixture(scope="module")
def tab(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def shown(tab: Any, html: str, folder: Path, *, width: int, scheme: str = "light") -> list[str]:
    """The addresses asked for, the file itself among them, while the mail was shown."""
    file = folder / "mail.html"
    file.write_text(html, "utf-8")
    asked: list[str] = []

    def note(request: Any) -> None:
        asked.append(request.url)

    tab.on("request", note)
    tab.set_viewport_size({"width": width, "height": 800})
    tab.emulate_media(color_scheme=scheme)
    tab.goto(file.as_uri())
    tab.remove_listener("request", note)
    return asked


def luminance(colour: list[float]) -> float:
    """Relative luminance (WCAG 2.2)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def turned(colour: list[float]) -> list[float]:
    """The colour with its lightness turned around, as programs do that force dark mode."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in colour))
    return [255 * channel for channel in colorsys.hls_to_rgb(hue, 1 - lightness, saturation)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_mail_is_readable_and_asks_nobody_for_anything(
    tab: Any, tmp_path: Path, kind: str, width: int, scheme: str
) -> None:
    asked = shown(tab, mail(kind), tmp_path, width=width, scheme=scheme)
    texts = tab.evaluate(TEXTS)
    assert asked == [(tmp_path / "mail.html").as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert len(texts) > 5
    for text in texts:
        assert text["left"] >= 0, text
        assert text["right"] <= width, text
        assert text["size"] >= 13, text
        assert contrast(text["colour"], text["ground"]) >= 4.5, text


@pytest.mark.parametrize("theme", ["sea", "faint"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_mail_is_readable_in_every_theme(
    tab: Any, tmp_path: Path, theme: str, kind: str, scheme: str
) -> None:
    shown(tab, mail(kind, theme), tmp_path, width=375, scheme=scheme)
    for text in tab.evaluate(TEXTS):
        assert contrast(text["colour"], text["ground"]) >= 4.5, text


def test_a_theme_is_seen(tab: Any, tmp_path: Path) -> None:
    shown(tab, mail("digest", "sea"), tmp_path, width=700)
    colours = {tuple(text["colour"]) for text in tab.evaluate(TEXTS)}
    assert (0x00, 0x5F, 0x8A) in colours
    assert (0x8F, 0x3A, 0x14) not in colours
    face = tab.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily")
    assert "Georgia" not in face


def test_a_program_that_forces_dark_mode_leaves_all_readable(tab: Any, tmp_path: Path) -> None:
    shown(tab, mail("digest"), tmp_path, width=375)
    for text in tab.evaluate(TEXTS):
        assert contrast(turned(text["colour"]), turned(text["ground"])) >= 4.5, text


def test_dark_mode_is_dark(tab: Any, tmp_path: Path) -> None:
    shown(tab, mail("digest"), tmp_path, width=700, scheme="dark")
    grounds = {tuple(text["ground"]) for text in tab.evaluate(TEXTS)}
    assert all(luminance(list(ground)) < 0.1 for ground in grounds)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_thumb_meets_one_link_at_a_time(tab: Any, tmp_path: Path, kind: str, width: int) -> None:
    shown(tab, mail(kind), tmp_path, width=width)
    links = tab.evaluate(LINKS)
    assert links
    for number, link in enumerate(links):
        assert link["height"] >= THUMB, link
        for other in links[number + 1 :]:
            assert not any(overlap(a, b) for a in link["boxes"] for b in other["boxes"]), (
                link,
                other,
            )


def overlap(one: list[float], other: list[float]) -> bool:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide > 0.5 and high > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_headings_are_in_order_and_nothing_is_a_picture(
    tab: Any, tmp_path: Path, kind: str
) -> None:
    shown(tab, mail(kind), tmp_path, width=700)
    headings = tab.evaluate(HEADINGS)
    assert headings[0] == "H1"
    assert set(headings[1:]) <= {"H2"}
    assert headings.count("H2") == H2S.get(kind, 1)
    assert tab.evaluate(PICTURES) == 0


def test_the_preheader_keeps_the_body_out_of_a_list_of_mails(tab: Any, tmp_path: Path) -> None:
    shown(tab, mail("welcome"), tmp_path, width=700)
    preview = " ".join(tab.evaluate("document.body.textContent").split()[:60])
    assert preview.startswith("Your first digest comes Friday 13 March at 08:00.")
    assert "Trending papers" not in preview
    assert "Your first digest" not in tab.evaluate("document.body.innerText").split("Welcome")[0]
