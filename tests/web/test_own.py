"""One's own digests in the browser, as they were mailed."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from digest.domain.subscribers import Preferences
from digest.mail.tokens import Purpose, Tokens
from digest.web import own
from digest.web.desk import Desk
from tests.builders import NOON
from tests.web.building import Browser, Clock
from tests.web.people import (
    DAY,
    HOSTILE,
    Page,
    a_digest,
    a_person,
    all_rows,
    erased,
    some_papers,
)

EARLIER = date(2026, 3, 10)


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk, own)


def shelf(browser: Browser, person: int) -> str:
    return f"/digests/{browser.token(Purpose.READING, person)}"


def test_list_has_what_was_mailed_latest_first(browser: Browser, desk: Desk) -> None:
    person, other = a_person(desk), a_person(desk, "other@lab.example")
    first, second, third = some_papers(desk, "Learning to Wait", "Learning to Run", "A Secret")
    a_digest(desk, person, first, day=EARLIER)
    a_digest(desk, person, second, first)
    a_digest(desk, person, third, day=date(2026, 3, 13), sent=False)
    a_digest(desk, other, third)
    reply = browser.get(shelf(browser, person))
    page = Page(reply.text)
    days = [address for words, address in page.links.items() if "March 2026" in words]
    assert [one.rpartition("/")[2] for one in days] == ["2026-03-12", "2026-03-10"]
    assert "Learning to Run · Learning to Wait" in page.words
    assert "A Secret" not in page.words


def test_feed_has_one_address_that_stays(browser: Browser, desk: Desk, clock: Clock) -> None:
    person = a_person(desk)
    feed = Page(browser.get(shelf(browser, person)).text).links["Atom"]
    token = feed.removeprefix("/feeds/").removesuffix(".atom")
    assert desk.tokens.read(Purpose.FEED, token, clock()) == str(person)
    clock.now += timedelta(days=100)
    assert Page(browser.get(shelf(browser, person)).text).links["Atom"] == feed


def test_empty_list_says_what_will_come(browser: Browser, desk: Desk) -> None:
    assert "None yet" in Page(browser.get(shelf(browser, a_person(desk))).text).words


def test_digest_is_shown_in_the_very_words_of_the_mail(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    a_digest(desk, person, *some_papers(desk, "Learning to Wait", "Learning to Run"))
    before = all_rows(desk.engine)
    reply = browser.get(f"{shelf(browser, person)}/{DAY}")
    assert reply.status_code == 200
    assert reply.headers["content-security-policy"] == own.CSP
    assert reply.headers["cache-control"] == "no-store"
    assert "Learning to Wait" in Page(reply.text).words
    assert "Learning to Run" in Page(reply.text).words
    assert ("script", "") not in Page(reply.text).elements
    assert all_rows(desk.engine) == before


def test_who_wants_text_sees_text(browser: Browser, desk: Desk) -> None:
    person = a_person(desk, preferences=replace(Preferences(), text_only=True))
    a_digest(desk, person, *some_papers(desk, "Learning to Wait & <b>Run</b>"))
    reply = browser.get(f"{shelf(browser, person)}/{DAY}")
    assert ("pre", "") in Page(reply.text).elements
    assert ("b", "") not in Page(reply.text).elements
    assert "Learning to Wait &" in Page(reply.text).words
    assert reply.headers["content-security-policy"] != own.CSP


def test_day_without_a_digest_says_so(browser: Browser, desk: Desk) -> None:
    person, other = a_person(desk), a_person(desk, "other@lab.example")
    papers = some_papers(desk, "Learning to Wait")
    a_digest(desk, other, *papers)
    a_digest(desk, person, *papers, day=EARLIER, sent=False)
    for day in (DAY, EARLIER, "2026-13-01", "yesterday", "9" * 50, *("%3Cb%3E", "%00")):
        reply = browser.get(f"{shelf(browser, person)}/{day}")
        assert reply.status_code == 404, day
        assert "All my digests" in Page(reply.text).links


def test_digest_whose_papers_are_gone_says_so(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    a_digest(desk, person, 4711)
    assert browser.get(f"{shelf(browser, person)}/{DAY}").status_code == 404
    assert "None yet" in Page(browser.get(shelf(browser, person)).text).words


def test_hostile_titles_are_words(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    papers = some_papers(desk, *[one for one in HOSTILE if one.isprintable()])
    a_digest(desk, person, *papers)
    for path in ("", f"/{DAY}"):
        page = Page(browser.get(shelf(browser, person) + path).text)
        assert not page.elements & {("script", ""), ("img", ""), ("iframe", "")}
        assert not [one for one in page.elements if one[1].startswith("on")]
        assert "<script>alert(1)</script>" in page.words


def test_somebody_erased_is_told_so(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    path = shelf(browser, person)
    erased(desk, person)
    assert browser.get(path).status_code == 410
    assert browser.get(f"{path}/{DAY}").status_code == 410


def test_links_that_are_not_right_show_nothing(browser: Browser, desk: Desk, clock: Clock) -> None:
    person = a_person(desk)
    a_digest(desk, person, *some_papers(desk, "Learning to Wait"))
    token = browser.token(Purpose.READING, person)
    wrong = [browser.token(one, person) for one in Purpose if one is not Purpose.READING]
    wrong += [Tokens(["another key"]).sign(Purpose.READING, str(person), NOON)]
    wrong += [token[:-1], token[1:], token + "A", "a.b.c"]
    for one in wrong:
        for end in ("", f"/{DAY}"):
            reply = browser.get(f"/digests/{one}{end}")
            assert reply.status_code == 400
            assert "Learning" not in reply.text
    clock.now += timedelta(days=181)
    assert browser.get(f"/digests/{token}/{DAY}").status_code == 410
    assert browser.post(f"/digests/{token}").status_code == 405
