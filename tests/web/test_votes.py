"""More or less like this, from the links in a mail."""

from datetime import timedelta

import pytest

from digest.domain.feedback import Opinion
from digest.domain.papers import PaperId
from digest.domain.subscribers import Channel, Status
from digest.mail.tokens import Purpose, Tokens
from digest.services import feedback
from digest.web import votes
from digest.web.desk import Desk
from tests.builders import NOON
from tests.web.building import Browser, Clock
from tests.web.people import HOSTILE, Page, a_person, all_rows, erased, some_papers


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk, votes)


def base_of(browser: Browser, person: int, paper: object) -> str:
    return f"/feedback/{browser.token(Purpose.FEEDBACK, person)}/{paper}"


def given(desk: Desk, person: int) -> list[tuple[PaperId, Opinion, Channel]]:
    found = feedback.listed(desk.engine, person)
    return [(one.vote.paper_id, one.vote.opinion, one.channel) for one in found]


@pytest.mark.parametrize("opinion", [Opinion.MORE, Opinion.LESS])
def test_page_asks_and_its_button_is_remembered(
    browser: Browser, desk: Desk, opinion: Opinion
) -> None:
    person = a_person(desk)
    (paper,) = some_papers(desk, "Learning to Wait")
    path = f"{base_of(browser, person, paper)}/{opinion}"
    before = all_rows(desk.engine)
    page = Page(browser.get(path).text)
    assert "Learning to Wait" in page.words
    assert page.actions == [path]
    assert all_rows(desk.engine) == before
    for _ in range(2):
        assert browser.post(path).status_code == 200
        assert given(desk, person) == [(paper, opinion, Channel.LINK)]


def test_other_opinion_takes_the_place_and_undo_forgets(
    browser: Browser, desk: Desk, clock: Clock
) -> None:
    person = a_person(desk)
    paper, other = some_papers(desk, "Learning to Wait", "Learning to Run")
    base = base_of(browser, person, paper)
    browser.post(base_of(browser, person, other) + "/more")
    page = Page(browser.post(base + "/more").text)
    assert page.actions == [base + "/undo", base + "/less"]
    clock.now += timedelta(seconds=5)
    assert "fewer papers" in Page(browser.post(base + "/less").text).words
    assert (paper, Opinion.LESS, Channel.LINK) in given(desk, person)
    for _ in range(2):
        page = Page(browser.post(base + "/undo").text)
        assert page.actions == [base + "/more", base + "/less"]
        assert given(desk, person) == [(other, Opinion.MORE, Channel.LINK)]


def test_paper_that_is_gone_is_said(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    for number in (77, 0, 2**31, 10**30):
        for opinion in ("more", "less", "undo"):
            path = f"{base_of(browser, person, number)}/{opinion}"
            assert browser.post(path).status_code == 404
            if opinion != "undo":
                assert browser.get(path).status_code == 404
    assert given(desk, person) == []


@pytest.mark.parametrize("end", ["/click", "/MORE", "/more/x", "", "/more%00"])
def test_other_words_are_no_opinion(browser: Browser, desk: Desk, end: str) -> None:
    person = a_person(desk)
    (paper,) = some_papers(desk, "Learning to Wait")
    reply = browser.post(base_of(browser, person, paper) + end)
    assert reply.status_code in (307, 404, 405)
    assert given(desk, person) == []


def test_hostile_titles_are_words(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    for title in [one for one in HOSTILE if one.isprintable()]:
        (paper,) = some_papers(desk, title)
        base = base_of(browser, person, paper)
        for reply in (browser.get(base + "/more"), browser.post(base + "/more")):
            page = Page(reply.text)
            assert page.elements <= Page(browser.post(base + "/undo").text).elements | {
                ("form", "method"), ("form", "action"), ("p", "role")
            }  # fmt: skip
            assert title in page.words


def test_somebody_erased_is_told_so(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    (paper,) = some_papers(desk, "Learning to Wait")
    base = base_of(browser, person, paper)
    erased(desk, person)
    before = all_rows(desk.engine)
    for reply in (browser.get(base + "/more"), browser.post(base + "/more"),
                  browser.post(base + "/undo")):  # fmt: skip
        assert reply.status_code == 410
    assert all_rows(desk.engine) == before


@pytest.mark.parametrize("status", list(Status))
def test_everybody_may_say_what_they_think(browser: Browser, desk: Desk, status: Status) -> None:
    person = a_person(desk, status=status)
    (paper,) = some_papers(desk, "Learning to Wait")
    assert browser.post(base_of(browser, person, paper) + "/less").status_code == 200
    assert given(desk, person) == [(paper, Opinion.LESS, Channel.LINK)]


def test_links_that_are_not_right_say_nothing(browser: Browser, desk: Desk, clock: Clock) -> None:
    person = a_person(desk)
    (paper,) = some_papers(desk, "Learning to Wait")
    token = browser.token(Purpose.FEEDBACK, person)
    wrong = [browser.token(one, person) for one in Purpose if one is not Purpose.FEEDBACK]
    wrong += [Tokens(["another key"]).sign(Purpose.FEEDBACK, str(person), NOON)]
    wrong += [token[:-1], token[1:], token + "A", "a.b.c"]
    before = all_rows(desk.engine)
    for one in wrong:
        for end in ("more", "less"):
            assert browser.get(f"/feedback/{one}/{paper}/{end}").status_code == 400
            assert browser.post(f"/feedback/{one}/{paper}/{end}").status_code == 400
        assert browser.post(f"/feedback/{one}/{paper}/undo").status_code == 400
    clock.now += timedelta(days=181)
    assert browser.post(f"/feedback/{token}/{paper}/more").status_code == 410
    assert all_rows(desk.engine) == before


def test_opening_changes_nothing(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    (paper,) = some_papers(desk, "Learning to Wait")
    browser.post(base_of(browser, person, paper) + "/more")
    before = all_rows(desk.engine)
    for end in ("more", "less", "undo"):
        for method in ("GET", "HEAD", "OPTIONS"):
            path = f"{base_of(browser, person, paper)}/{end}"
            assert browser.client.request(method, path).status_code in (200, 204, 405)
    assert all_rows(desk.engine) == before
