"""Leaving by one click, by a page, and coming back."""

import json
from datetime import timedelta

import pytest

from digest.domain.subscribers import Status
from digest.mail.tokens import Purpose, Tokens
from digest.store.database import reading
from digest.store.holdings import evidence_of
from digest.web import leaving
from digest.web.desk import Desk
from tests.builders import NOON
from tests.web.building import Browser, Clock
from tests.web.people import ADA, HOSTILE, HUGE, Page, a_person, all_rows, erased, now_is

ONE_CLICK = "List-Unsubscribe=One-Click"
MULTIPART = (
    '--frontier\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n'
    "--frontier--\r\n"
)
BUTTON = {"page": "1"}


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk, leaving)


def door(browser: Browser, person: int) -> str:
    return f"/unsubscribe/{browser.token(Purpose.UNSUBSCRIBE, person)}"


def clicked(browser: Browser, path: str, body: str = ONE_CLICK, kind: str = ""):
    """A POST as a mail program sends it: no origin, no cookie, no page before it."""
    kind = kind or "application/x-www-form-urlencoded"
    return browser.client.post(path, content=body, headers={"content-type": kind})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ONE_CLICK, ""),
        (MULTIPART, "multipart/form-data; boundary=frontier"),
        ("List-Unsubscribe=One-Click&page=1", ""),
        ("", ""),
    ],
)
def test_one_click_leaves_without_page_redirect_or_cookie(
    browser: Browser, desk: Desk, body: str, kind: str
) -> None:
    person = a_person(desk)
    for _ in range(2):
        reply = clicked(browser, door(browser, person), body, kind)
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/plain")
        assert len(reply.content) < 200
        assert "set-cookie" not in reply.headers
        assert now_is(desk, person).status is Status.UNSUBSCRIBED
    with reading(desk.engine) as session:
        events = [one.event for one in evidence_of(session, person)]
    assert events.count("unsubscribed") == 1


def test_one_click_works_from_another_site_and_years_later(
    browser: Browser, desk: Desk, clock: Clock
) -> None:
    person = a_person(desk)
    path = door(browser, person)
    clock.now += timedelta(days=2000)
    headers = {"origin": "https://mail.example", "sec-fetch-site": "cross-site"}
    reply = browser.client.post(path, data={"List-Unsubscribe": "One-Click"}, headers=headers)
    assert reply.status_code == 200
    assert now_is(desk, person).status is Status.UNSUBSCRIBED


@pytest.mark.parametrize("status", list(Status))
def test_one_click_is_a_success_whatever_the_status(
    browser: Browser, desk: Desk, status: Status
) -> None:
    person = a_person(desk, status=status)
    assert clicked(browser, door(browser, person)).status_code == 200
    kept = Status.SUPPRESSED if status is Status.SUPPRESSED else Status.UNSUBSCRIBED
    assert now_is(desk, person).status is kept


def test_one_click_of_somebody_erased_is_a_success_and_the_page_says_so(
    browser: Browser, desk: Desk
) -> None:
    person = a_person(desk)
    path = door(browser, person)
    erased(desk, person)
    assert clicked(browser, path).status_code == 200
    for reply in (browser.get(path), browser.post(path, BUTTON), browser.post(path + "/reason")):
        assert reply.status_code == 410
        assert "deleted" in Page(reply.text).words


def test_page_asks_and_its_button_leaves(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    path = door(browser, person)
    page = Page(browser.get(path).text)
    assert page.actions == [path]
    assert page.fields == BUTTON
    assert now_is(desk, person).status is Status.ACTIVE
    for _ in range(2):
        reply = browser.post(path, page.fields)
        assert reply.status_code == 200
        assert f"No further mail goes to {ADA}" in Page(reply.text).words
        assert now_is(desk, person).status is Status.UNSUBSCRIBED
    assert "You are unsubscribed" in Page(browser.get(path).text).words


def test_undo_brings_back_with_the_same_interests(browser: Browser, desk: Desk) -> None:
    person = a_person(desk, ADA, "robots")
    undo = next(
        one
        for one in Page(browser.post(door(browser, person), BUTTON).text).actions
        if one.startswith("/undo/")
    )
    before = all_rows(desk.engine)
    assert browser.get(undo).status_code == 200
    assert all_rows(desk.engine) == before
    for _ in range(2):
        reply = browser.post(undo)
        assert reply.status_code == 200
        assert "Welcome back" in Page(reply.text).words
        found = now_is(desk, person)
        assert found.status is Status.ACTIVE
        assert [one.text for one in found.interests] == ["robots"]
    assert browser.get(door(browser, person)).text.count("Unsubscribe?") == 1


def test_undo_is_offered_for_one_day_after_leaving(
    browser: Browser, desk: Desk, clock: Clock
) -> None:
    person = a_person(desk)
    path = door(browser, person)
    old = Page(browser.post(path, BUTTON).text).actions
    clock.now += timedelta(hours=23)
    assert [one for one in Page(browser.post(path, BUTTON).text).actions if "undo" in one] == [
        one for one in old if "undo" in one
    ]
    clock.now += timedelta(hours=2)
    page = Page(browser.post(path, BUTTON).text)
    assert not [one for one in page.actions if "undo" in one]
    assert "subscribe again" in page.links
    assert browser.post(next(one for one in old if "undo" in one)).status_code == 410
    assert now_is(desk, person).status is Status.UNSUBSCRIBED


def test_undo_of_one_who_must_not_be_mailed_is_refused(browser: Browser, desk: Desk) -> None:
    person = a_person(desk, status=Status.SUPPRESSED)
    reply = browser.post(f"/undo/{browser.token(Purpose.UNDO, person)}")
    assert reply.status_code == 409
    assert now_is(desk, person).status is Status.SUPPRESSED
    page = Page(browser.get(door(browser, person)).text)
    assert not [one for one in page.actions if "undo" in one]


def test_undo_of_one_who_never_confirmed_does_not_confirm(browser: Browser, desk: Desk) -> None:
    person = a_person(desk, status=Status.PENDING)
    browser.post(door(browser, person), BUTTON)
    reply = browser.post(f"/undo/{browser.token(Purpose.UNDO, person)}")
    assert reply.status_code == 200
    assert now_is(desk, person).status is Status.PENDING
    assert "goes on" not in Page(reply.text).words


def test_reason_is_kept_with_the_evidence(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    path = door(browser, person)
    browser.post(path, BUTTON)
    typed = {"reason": leaving.REASONS[0], "words": "two a day\nwould do"}
    for _ in range(2):
        reply = browser.post(path + "/reason", typed)
        assert reply.status_code == 200
        assert "Thank you" in Page(reply.text).words
    with reading(desk.engine) as session:
        detail = evidence_of(session, person)[-1].detail
    assert json.loads(detail)["reason"] == f"{leaving.REASONS[0]}: two a day would do"


def test_reason_may_be_left_out(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    browser.post(door(browser, person), BUTTON)
    before = all_rows(desk.engine)
    assert browser.post(door(browser, person) + "/reason").status_code == 200
    assert all_rows(desk.engine) == before


def test_reason_that_cannot_be_is_refused_and_kept_in_the_form(
    browser: Browser, desk: Desk
) -> None:
    person = a_person(desk)
    browser.post(door(browser, person), BUTTON)
    before = all_rows(desk.engine)
    reply = browser.post(door(browser, person) + "/reason", {"words": HUGE})
    assert reply.status_code == 422
    assert Page(reply.text).fields["words"] == HUGE
    assert Page(reply.text).marked == {"words"}
    for typed in HOSTILE:
        reply = browser.post(door(browser, person) + "/reason", {"reason": typed})
        assert reply.status_code == 422
        assert ("script", "") not in Page(reply.text).elements
    assert all_rows(desk.engine) == before
    for typed in HOSTILE:
        assert browser.post(door(browser, person) + "/reason", {"words": typed}).status_code == 200


def test_reason_of_one_who_has_not_left_asks_whether_they_want_to(
    browser: Browser, desk: Desk
) -> None:
    person = a_person(desk)
    reply = browser.post(door(browser, person) + "/reason", {"words": "too many"})
    assert "Unsubscribe?" in Page(reply.text).words
    assert now_is(desk, person).status is Status.ACTIVE


def test_opening_changes_nothing(browser: Browser, desk: Desk) -> None:
    for status in (Status.ACTIVE, Status.UNSUBSCRIBED):
        person = a_person(desk, f"{status}@lab.example", status=status)
        before = all_rows(desk.engine)
        undo = f"/undo/{browser.token(Purpose.UNDO, person)}"
        for path in (door(browser, person), door(browser, person) + "/reason", undo):
            for method in ("GET", "HEAD", "OPTIONS"):
                assert browser.client.request(method, path).status_code in (200, 204, 405)
        assert all_rows(desk.engine) == before


def test_links_that_are_not_right_do_nothing(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    other = Tokens(["somebody else's key"])
    before = all_rows(desk.engine)
    for purpose, kind in ((Purpose.UNSUBSCRIBE, "unsubscribe"), (Purpose.UNDO, "undo")):
        token = browser.token(purpose, person)
        wrong = [browser.token(one, person) for one in Purpose if one is not purpose]
        wrong += [other.sign(purpose, str(person), NOON), token[:-1], token[1:], token + "A", "a.b"]
        wrong += [browser.token(purpose, payload) for payload in ("", "1:2", "²", "-1")]
        for one in wrong:
            assert clicked(browser, f"/{kind}/{one}").status_code == 400, one
            assert browser.post(f"/{kind}/{one}", BUTTON).status_code == 400, one
            assert browser.get(f"/{kind}/{one}").status_code == 400, one
    assert all_rows(desk.engine) == before
