"""A new link for who lost theirs: one answer, whoever asks."""

import pytest

from digest.domain.subscribers import Status
from digest.services.signup import take_in
from digest.store.tables import SignUpRow
from digest.web import access
from digest.web.desk import Desk
from tests.web.building import Browser, a_desk
from tests.web.people import HOSTILE, HUGE, SCRIPTS, Page, a_person, all_rows


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk, access)


def test_page_has_one_field_and_changes_nothing(browser: Browser, desk: Desk) -> None:
    before = all_rows(desk.engine)
    page = Page(browser.get("/access").text)
    assert page.fields == {"email": ""}
    assert page.actions == ["/access"]
    for method in ("HEAD", "OPTIONS"):
        assert browser.client.request(method, "/access").status_code in (200, 204)
    assert all_rows(desk.engine) == before


def test_answer_is_the_same_whoever_asks(browser: Browser, desk: Desk) -> None:
    for status in Status:
        a_person(desk, f"{status}@lab.example", status=status)
    asked = [*(f"{status}@lab.example" for status in Status), "nobody@lab.example"]
    replies = [browser.post("/access", {"email": email}) for email in asked]
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.text for reply in replies}) == 1


def test_who_is_known_gets_one_mail(browser: Browser, desk: Desk) -> None:
    a_person(desk)
    before = len(all_rows(desk.engine)["deliveries"])
    for _ in range(3):
        assert browser.post("/access", {"email": "Ada@LAB.example"}).status_code == 200
        assert browser.post("/access", {"email": "nobody@lab.example"}).status_code == 200
    assert len(all_rows(desk.engine)[SignUpRow.__tablename__]) == 6
    take_in(desk.engine, desk.keys, desk.clock())
    assert len(all_rows(desk.engine)["deliveries"]) == before + 1


def test_what_is_no_address_is_marked_and_kept(browser: Browser, desk: Desk) -> None:
    before = all_rows(desk.engine)
    for typed in ("", "ada", "a@b.example, c@d.example", HUGE, *HOSTILE, *SCRIPTS):
        reply = browser.post("/access", {"email": typed})
        assert reply.status_code == 422, typed
        page = Page(reply.text)
        assert page.marked == {"email"}
        assert not page.elements & {("script", ""), ("img", ""), ("svg", "")}
    reply = browser.post("/access", {"email": "ada at lab.example"})
    assert Page(reply.text).fields["email"] == "ada at lab.example"
    assert all_rows(desk.engine) == before


def test_too_many_are_asked_to_wait(desk: Desk, clock, tmp_path) -> None:
    few = Browser(a_desk(desk.engine, clock, tmp_path, web={"per_hour": 2}), access)
    codes = [few.post("/access", {"email": "ada@lab.example"}).status_code for _ in range(4)]
    assert codes == [200, 200, 429, 429]
