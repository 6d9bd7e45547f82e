"""The mails in Chromium, narrow and wide, by day and by night."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from digest.domain.papers import Links
from digest.domain.schedule import Schedule
from digest.mail.render import Renderer
from digest.mail.views import confirm_view, frame_of, welcome_view
from tests.builders import a_paper, a_subscriber
from tests.mail.mails import IDENTITY, MANAGE, SITE, a_digest_view, a_rich_paper

pytestmark = pytest.mark.browser

WIDTHS = (375, 700)
SCHEMES = ("light", "dark")
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)

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
        .backgroundColor) : [255, 255, 255], right: box.right};
  });
}"""


def mails() -> dict[str, str]:
    subscriber = a_subscriber("ada.of.the.long.address@department.example.com", "tides", "x" * 64)
    frame = frame_of(subscriber, IDENTITY, MANAGE)
    long = a_rich_paper(2, title="Supercalifragilisticexpialidocious" * 3, authors=("N" * 90,))
    bare = a_paper("Tides without anything else", number=3, url=None, links=Links(), authors=())
    views = {
        "digest": a_digest_view(a_rich_paper(1), long, bare, subscriber=subscriber),
        "confirm": confirm_view(frame, confirm_url=f"{SITE}/confirm/" + "t" * 120, valid_days=7),
        "welcome": welcome_view(frame, Schedule(), datetime(2026, 3, 13, 8, tzinfo=UTC)),
    }
    renderer = Renderer()
    return {name: renderer.render(view).html or "" for name, view in views.items()}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is absent")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is absent")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=QUIET.split())
        yield browser
        browser.close()


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


@pytest.mark.parametrize("name", ["digest", "confirm", "welcome"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_mail_is_readable_and_asks_nobody_for_anything(
    chromium: Any, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    file = tmp_path / f"{name}.html"
    file.write_text(mails()[name], "utf-8")
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    texts = page.evaluate(TEXTS)
    scrolled = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert asked == [file.as_uri()]
    assert scrolled <= width
    assert len(texts) > 5
    for text in texts:
        assert text["right"] <= width, text
        assert text["size"] >= 13, text
        assert contrast(text["colour"], text["ground"]) >= 4.5, text


def test_dark_mode_is_dark(chromium: Any, tmp_path: Path) -> None:
    file = tmp_path / "digest.html"
    file.write_text(mails()["digest"], "utf-8")
    context = chromium.new_context(viewport={"width": 700, "height": 800}, color_scheme="dark")
    page = context.new_page()
    page.goto(file.as_uri())
    grounds = {tuple(text["ground"]) for text in page.evaluate(TEXTS)}
    context.close()
    assert all(luminance(list(ground)) < 0.1 for ground in grounds)
