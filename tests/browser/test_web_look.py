"""Every web page in Chromium: rules of access, sizes, weight, the keyboard, with and without JS.

axe-core and html-validate are node modules in the folder that DIGEST_TEST_NODE names (`.venv/node`
without it). DIGEST_TEST_SHOTS names a folder for pictures of all pages.
"""

import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.browser.looks import PAGES
from tests.browser.visiting import NODE, Stand, stand, stands
from tests.mail.test_client_support import VALID, asked

__all__ = ["stand", "stands"]

pytestmark = pytest.mark.browser

LOOKS = ((375, "light"), (1280, "light"), (375, "dark"), (320, "light"))
LOOKS_AFTER = ((320, "light"), (1280, "dark"))  # of what follows on a form
THUMB = 44  # CSS px; WCAG 2.2, 2.5.5
MOST_BYTES = 60 * 1024  # of a page with its style sheet and script, before any compression
SHOTS = os.environ.get("DIGEST_TEST_SHOTS")

# What can be pressed and is lower than a thumb, but for links within a sentence (2.5.5, "inline").
SMALL = """thumb => [...document.querySelectorAll(
  'a[href], button, input:not([type=hidden]), select, textarea, summary')].filter(e => {
    if (e.closest('.skip, .default-button') || !e.getClientRects().length) return false;
    const inline = e.tagName === 'A' && getComputedStyle(e).display === 'inline';
    if (inline) return false;
    const box = (e.closest('label') || e).getBoundingClientRect();
    return box.height < thumb - 0.01 || box.width < 24;
  }).map(e => e.outerHTML.slice(0, 120))"""
ALONE = """() => [...document.links].filter(a => a.getClientRects().length &&
  getComputedStyle(a).display === 'inline' &&
  a.parentElement.textContent.trim() === a.textContent.trim()).map(a => a.outerHTML)"""


@contextmanager
def visiting(chromium: Any, stand: Stand, **options: object) -> Iterator[Any]:
    """A tab on the stand; afterwards no page has asked others for anything, or complained."""
    context = chromium.new_context(base_url=stand.url, **options)
    tab = context.new_page()
    foreign: list[str] = []
    said: list[str] = []
    tab.on(
        "request",
        lambda request: (
            None if request.url.startswith(stand.url + "/") else foreign.append(request.url)
        ),
    )
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    yield tab
    context.close()
    assert foreign == []
    # the browser itself notes every answer of 4xx
    assert [words for words in said if "the server responded with a status of" not in words] == []


def axe() -> str:
    """The source of axe-core; skips where it is absent."""
    path = NODE / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip(f"the node module axe-core is absent from {NODE}")
    return path.read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_keeps_the_rules_of_access(
    chromium: Any, stands: dict[str, Stand], page: str
) -> None:
    source, look = axe(), PAGES[page]
    stand = stands[look.house]
    with visiting(chromium, stand) as tab:
        for width, scheme in LOOKS if look.form is None else LOOKS_AFTER:
            tab.set_viewport_size({"width": width, "height": 900})
            tab.emulate_media(color_scheme=scheme)
            look.opened(tab, stand)
            if SHOTS:
                tab.screenshot(path=Path(SHOTS) / f"{page}-{width}-{scheme}.png", full_page=True)
            tab.evaluate(source)
            report = tab.evaluate("axe.run()")
            broken = [(v["id"], [n["html"] for n in v["nodes"]]) for v in report["violations"]]
            assert broken == [], (width, scheme)
            assert len(report["passes"]) > 10
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate(SMALL, THUMB) == [], width
            assert tab.evaluate(ALONE) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_valid_html(stands: dict[str, Stand], page: str) -> None:
    look = PAGES[page]
    html = look.fetched(stands[look.house]).decode()
    assert "<h1" in html
    assert asked(VALID, "html-validate", html=html, rules={}) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_light(chromium: Any, stands: dict[str, Stand], page: str) -> None:
    look = PAGES[page]
    stand = stands[look.house]
    with visiting(chromium, stand) as tab:
        look.opened(tab, stand)
        beside = tab.evaluate("performance.getEntriesByType('resource').map(e => e.name)")
    sizes = {url: fetched_size(url) for url in beside}
    sizes["page"] = len(look.fetched(stand))
    assert sum(sizes.values()) <= MOST_BYTES, sizes
    assert len(sizes) <= 4, sizes


def fetched_size(url: str) -> int:
    with urllib.request.urlopen(url) as reply:
        return len(reply.read())


@pytest.mark.parametrize("js", [True, False])
def test_keywords_show_their_papers_and_the_form_follows(
    chromium: Any, stand: Stand, js: bool
) -> None:
    with visiting(chromium, stand, java_script_enabled=js) as tab:
        tab.goto("/")
        tab.fill("#interests", "continual learning")
        if not js:
            tab.fill("#email", "eve@lab.example")
            tab.click("text=Show today’s papers")
            assert tab.url == f"{stand.url}/preview#join"  # and no address in it
            assert tab.input_value("#email") == "eve@lab.example"
        tab.wait_for_selector("#preview .paper >> text=Continual Learning of Tides")
        assert tab.input_value("#interests") == "continual learning"
        assert "Gradients that Wait" not in tab.inner_text("#preview")
        tab.fill("#email", "nonsense")
        tab.click(".send >> text=Subscribe")
        assert tab.get_attribute("#email", "aria-invalid") == "true"
        assert tab.input_value("#interests") == "continual learning"
        tab.fill("#email", "eve@lab.example")
        tab.click(".send >> text=Subscribe")
        assert tab.inner_text("h1") == "Check your inbox"


@pytest.mark.parametrize("js", [True, False])
def test_the_enter_key_in_the_address_never_puts_it_into_an_address_bar(
    chromium: Any, stand: Stand, js: bool
) -> None:
    with visiting(chromium, stand, java_script_enabled=js) as tab:
        tab.goto("/")
        tab.fill("#email", "enter@lab.example")
        tab.press("#email", "Enter")
        tab.wait_for_url("**/subscribe")
        assert tab.inner_text("h1") == "Check your inbox"


def test_everything_is_done_by_the_keyboard_with_focus_in_sight(
    chromium: Any, stand: Stand
) -> None:
    with visiting(chromium, stand, viewport={"width": 1280, "height": 900}) as tab:
        tab.goto("/")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.className") == "skip"
        assert tab.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.activeElement.id") == "content"
        walked = walk(tab, to="interests")
        tab.keyboard.type("moss")
        tab.wait_for_selector("#preview .paper >> text=Moss and Memory")
        walked += walk(tab, to="email")
        tab.keyboard.type("keys@lab.example")
        walked += walk(tab, to="timezone")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/subscribe")
        assert {"interests", "email", "frequency", "hour", "timezone"} <= set(walked)


def walk(tab: Any, *, to: str) -> list[str]:
    """The ids passed by the Tab key on the way, each with an outline; fails when it never comes."""
    passed: list[str] = []
    for _ in range(60):
        tab.keyboard.press("Tab")
        element = tab.evaluate(
            """() => { const e = document.activeElement, s = getComputedStyle(e);
            return {id: e.id, outline: s.outlineStyle, width: parseFloat(s.outlineWidth)}; }"""
        )
        assert element["outline"] != "none", element
        assert element["width"] >= 2, element
        passed.append(element["id"])
        if element["id"] == to:
            return passed
    raise AssertionError(f"{to} is not reached: {passed}")


@pytest.mark.parametrize(
    ("zone", "told"), [("Asia/Tokyo", "Asia/Tokyo"), ("Asia/Calcutta", "Asia/Calcutta")]
)
def test_the_time_zone_is_the_browsers_until_one_is_chosen(
    chromium: Any, stand: Stand, zone: str, told: str
) -> None:
    with visiting(chromium, stand, timezone_id=zone) as tab:
        tab.goto("/")
        assert tab.input_value("#timezone") == told
        tab.select_option("#timezone", "Europe/Paris")
        tab.click(".send >> text=Subscribe")
        assert tab.input_value("#timezone") == "Europe/Paris"


def test_a_related_keyword_adds_itself(chromium: Any, stand: Stand) -> None:
    with visiting(chromium, stand) as tab:
        tab.route("**/preview?*", lambda route: route.fulfill(body=CHIP, content_type="text/html"))
        tab.goto("/")
        tab.fill("#interests", "moss, ")
        tab.click("[data-add]")
        assert tab.input_value("#interests") == "moss, tide pools"
        assert tab.url == f"{stand.url}/"


CHIP = '<p data-status>1 paper</p><a class="chip" href="/nowhere" data-add="tide pools">tide</a>'


def test_a_preview_that_fails_says_so_and_the_form_stays(chromium: Any, stand: Stand) -> None:
    with visiting(chromium, stand) as tab:
        tab.route("**/preview?*", lambda route: route.fulfill(status=503, body="no"))
        tab.goto("/")
        tab.fill("#interests", "moss")
        tab.wait_for_selector("#preview >> text=does not answer")
        assert tab.input_value("#interests") == "moss"
        tab.unroute("**/preview?*")
        tab.fill("#interests", "moss and")
        tab.fill("#interests", "moss")
        tab.wait_for_selector("#preview .paper >> text=Moss and Memory")


def test_a_slip_in_the_keywords_is_marked_while_typing_and_unmarked_after(
    chromium: Any, stand: Stand
) -> None:
    with visiting(chromium, stand) as tab:
        tab.goto("/")
        tab.fill("#interests", '"moss')
        tab.wait_for_selector("#interests[aria-invalid=true]")
        assert "quote is never closed" in tab.inner_text("[data-said]")
        tab.fill("#interests", '"moss"')
        tab.wait_for_selector("#preview .paper >> text=Moss and Memory")
        assert tab.get_attribute("#interests", "aria-invalid") is None


def test_the_last_words_typed_win(chromium: Any, stand: Stand) -> None:
    with visiting(chromium, stand) as tab:
        tab.goto("/")
        tab.fill("#interests", "moss")
        tab.wait_for_selector("#preview .paper >> text=Moss and Memory")
        tab.fill("#interests", "")
        tab.wait_for_selector("#preview >> text=One mail a day")
        assert tab.query_selector("#preview .paper") is None
