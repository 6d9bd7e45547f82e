"""Settings by a signed link: seen, changed, tried out; paused, moved, taken away, erased."""

import json
from datetime import date, timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import select

from digest.domain.deliveries import MailKind
from digest.domain.feedback import Opinion
from digest.domain.interests import written
from digest.domain.schedule import Frequency
from digest.domain.subscribers import Channel, EmptyDay, Status, SuppressionReason
from digest.mail.tokens import Purpose, Tokens
from digest.services import address_change, feedback
from digest.store.database import reading, transaction
from digest.store.ledger_read import Which, list_deliveries
from digest.store.tables import AddressChangeRow, table
from digest.web import account, preferences
from digest.web.desk import Desk
from digest.web.forms import read_form
from tests.builders import NOON
from tests.web.building import Browser, Clock
from tests.web.people import (
    ADA,
    HOSTILE,
    HUGE,
    SCRIPTS,
    Page,
    a_digest,
    a_person,
    all_rows,
    now_is,
    some_papers,
)

NEW = "ada@new.example"
FIELDS = (
    *("interests", "exclude", "authors", "categories", "timezone", "hour", "frequency"),
    *("weekday", "max_papers", "threshold", "min_matches", "empty_day", "text_only"),
)

# what would do something where nothing of a page of ours does
ACTIVE = {("script", ""), ("img", ""), ("iframe", ""), ("svg", ""), ("object", ""), ("base", "")}


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk, preferences, account)


def home_of(browser: Browser, person: int) -> str:
    return f"/preferences/{browser.token(Purpose.PREFERENCES, person)}"


def test_page_shows_what_is_set(browser: Browser, desk: Desk) -> None:
    person = a_person(desk, ADA, '"graph learning"^2', "-survey", "author:Y. LeCun", "cat:cs.LG")
    page = Page(browser.get(home_of(browser, person)).text)
    assert page.fields["interests"] == '"graph learning"^2'
    assert page.fields["exclude"] == "survey"
    assert page.fields["authors"] == "Y. LeCun"
    assert page.fields["categories"] == "cs.LG"
    assert (page.fields["hour"], page.fields["frequency"]) == ("8", "daily")
    assert page.fields["timezone"] == "UTC"
    assert f"{ADA} gets the digest every day at 08:00 (UTC)" in page.words
    assert not page.marked


def test_saving_changes_every_setting_at_once(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    reply = browser.post(
        home_of(browser, person),
        {
            "interests": "graph learning^2\n“exact words”, robots; RAG AND agents\n\n",
            "exclude": "survey\ncat:cs.CV",
            "authors": "Hinton, Geoffrey\nY. LeCun",
            "categories": "cs.LG",
            "timezone": "Asia/Tokyo",
            "hour": "21",
            "frequency": "weekly",
            "weekday": "friday",
            "max_papers": "5",
            "threshold": "0.4",
            "min_matches": "2",
            "empty_day": "skip",
            "text_only": "true",
        },
    )
    assert reply.status_code == 200, reply.text
    assert "Saved" in Page(reply.text).words
    found = now_is(desk, person)
    assert [written(one) for one in found.interests] == [
        *("graph learning^2", '"exact words"', "robots", "RAG AND agents"),
        *("-survey", "-cat:cs.CV", "author:Hinton, Geoffrey", "author:Y. LeCun", "cat:cs.LG"),
    ]
    wanted, schedule = found.preferences, found.preferences.schedule
    assert (schedule.timezone, schedule.hour, schedule.weekday) == ("Asia/Tokyo", 21, 4)
    assert schedule.frequency is Frequency.WEEKLY
    assert (wanted.max_papers, wanted.threshold, wanted.min_matches) == (5, 0.4, 2)
    assert wanted.empty_day is EmptyDay.SKIP
    assert wanted.text_only
    # 2026-03-13 is a Friday; 21:00 in Tokyo is noon in UTC
    assert found.next_digest_at == NOON + timedelta(days=1)


def test_what_the_page_shows_saves_as_it_was(browser: Browser, desk: Desk) -> None:
    odd = ("search; rescue", "a, b and c", r"\-games", '"C, D"^0.5', "-(RAG AND survey)", "C^2^3")
    person = a_person(desk, ADA, *odd, "author:Hinton, Geoffrey")
    before = now_is(desk, person)
    shown = Page(browser.get(home_of(browser, person)).text).fields
    assert browser.post(home_of(browser, person), dict(shown)).status_code == 200
    assert sorted(map(written, now_is(desk, person).interests)) == sorted(
        map(written, before.interests)
    )
    assert now_is(desk, person).preferences == before.preferences


def test_form_sent_twice_saves_once_and_the_same(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    for _ in range(2):
        assert browser.post(home_of(browser, person), {"interests": "robots"}).status_code == 200
    assert [one.text for one in now_is(desk, person).interests] == ["robots"]


def test_fields_that_were_not_sent_stay_as_they_are(browser: Browser, desk: Desk) -> None:
    person = a_person(desk, ADA, "robots", "author:Y. LeCun")
    before = now_is(desk, person)
    assert browser.post(home_of(browser, person), {"hour": "6"}).status_code == 200
    after = now_is(desk, person)
    assert after.interests == before.interests
    assert after.preferences.schedule.hour == 6


WRONG = (
    ("interests", "fine\n“never closed", "Line 2"),
    ("exclude", "a\n\n--b", "Line 3"),
    ("authors", "x" * 65, "at most 64"),
    ("categories", "cs.LG\n-cs.CV", "Line 2"),
    ("interests", "\n".join(f"word {n}" for n in range(51)), "51 interests"),
    ("timezone", "Mars/Olympus", "time zone"),
    ("timezone", "", "time zone"),
    ("hour", "24", "hour"),
    ("hour", "", "hour"),
    ("max_papers", "51", "1 to 50"),
    ("max_papers", "٧", "1 to 50"),
    ("min_matches", "0", "1 to 50"),
    ("threshold", "1.5", "0 to 1"),
    ("threshold", "nan", "0 to 1"),
    ("frequency", "hourly", "how often"),
    ("weekday", "someday", "day of the week"),
    ("empty_day", "explode", "such a day"),
    ("text_only", "perhaps", "look"),
)


def test_wrong_field_is_marked_and_everything_typed_is_kept(browser: Browser, desk: Desk) -> None:
    path = home_of(browser, a_person(desk))
    before = all_rows(desk.engine)
    for number, (name, typed, says) in enumerate(WRONG):
        form = {"interests": "kept as typed", name: typed}
        reply = browser.post(path + "/preview" * (number % 2), form)
        assert reply.status_code == 422, typed
        assert says in reply.text.partition(f'id="{name}-error"')[2].partition("</p>")[0], typed
        assert reply.text.count('aria-invalid="true"') == 1, typed
        shown = Page(reply.text).fields
        assert shown["interests"] == form["interests"]
        if name in ("exclude", "authors", "categories", "timezone", "max_papers", "min_matches"):
            assert shown[name] == typed
    assert all_rows(desk.engine) == before


def test_several_wrong_fields_are_all_marked(browser: Browser, desk: Desk) -> None:
    reply = browser.post(
        home_of(browser, a_person(desk)), {"hour": "x", "max_papers": "many", "interests": '"'}
    )
    assert reply.text.count('aria-invalid="true"') == 3


def test_no_field_can_do_harm(browser: Browser, desk: Desk) -> None:
    path = home_of(browser, a_person(desk))
    forms = [{name: ""} for name in FIELDS]
    forms += [dict.fromkeys(FIELDS, word) for word in (HUGE[:1000], *HOSTILE, *SCRIPTS)]
    forms += [{"interests": word} for word in (HUGE, *HOSTILE, *SCRIPTS)]
    for number, form in enumerate(forms):
        reply = browser.post(path + "/preview" * (number % 2), form)
        assert reply.status_code in (200, 422), (form, reply.status_code)
        page = Page(reply.text)
        assert not page.elements & ACTIVE, form
        assert not [one for one in page.elements if one[1].startswith("on")], form


def test_interests_of_every_script_are_kept(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    for word in SCRIPTS:
        reply = browser.post(home_of(browser, person), {"interests": word, "exclude": word + " x"})
        assert reply.status_code == 200
        assert Page(reply.text).fields["interests"] == word
        assert [written(one) for one in now_is(desk, person).interests] == [word, f"-{word} x"]


def test_preview_shows_the_effect_of_what_is_typed_and_saves_nothing(
    browser: Browser, desk: Desk
) -> None:
    person = a_person(desk)
    some_papers(desk, "Robots that wait", "Graph learning at scale")
    desk.window.refresh()
    before = all_rows(desk.engine)
    typed = {"interests": "graph learning", "max_papers": "1"}
    reply = browser.post(home_of(browser, person) + "/preview", typed)
    page = Page(reply.text)
    assert reply.status_code == 200
    assert "Graph learning at scale" in page.words
    assert "Robots that wait" not in page.words
    assert "Nothing is saved yet" in page.words
    assert page.fields["interests"] == "graph learning"
    assert page.fields["max_papers"] == "1"
    assert all_rows(desk.engine) == before


def test_pause_until_a_date_and_resume(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    reply = browser.post(home_of(browser, person) + "/pause", {"until": "2026-03-20"})
    assert "until Friday 20 March 2026" in Page(reply.text).words
    found = now_is(desk, person)
    assert (found.status, found.next_digest_at) == (Status.PAUSED, None)
    assert found.resume_at is not None
    assert found.resume_at.date() == date(2026, 3, 20)
    for _ in range(2):
        reply = browser.post(home_of(browser, person) + "/resume")
        assert reply.status_code == 200
        assert now_is(desk, person).status is Status.ACTIVE
    assert "goes on" in Page(reply.text).words


def test_pause_without_a_date_lasts(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    for _ in range(2):
        assert browser.post(home_of(browser, person) + "/pause").status_code == 200
    assert now_is(desk, person).status is Status.PAUSED
    assert now_is(desk, person).resume_at is None


def test_pause_needs_a_day_to_come(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    for typed in ("2026-03-12", "2020-01-01", "9999-12-31", "soon", HUGE, *HOSTILE):
        reply = browser.post(home_of(browser, person) + "/pause", {"until": typed})
        assert reply.status_code == 422, typed
        assert Page(reply.text).marked == {"until"}
        assert Page(reply.text).fields["until"] == read_form(f"a={quote(typed)}").one("a")
    assert now_is(desk, person).status is Status.ACTIVE


def test_another_address_is_asked_and_takes_over_when_its_owner_agrees(
    browser: Browser, desk: Desk
) -> None:
    person = a_person(desk)
    reply = browser.post(home_of(browser, person) + "/address", {"email": NEW})
    assert reply.status_code == 200
    assert now_is(desk, person).email == ADA
    path = "/change-address/" + change_token(desk, person)
    asked = browser.get(path)
    assert NEW not in asked.text
    assert ADA not in asked.text  # the mail may have come to a stranger
    for _ in range(2):
        assert browser.post(path).status_code == 200
        assert now_is(desk, person).email == NEW


def test_answer_to_another_address_does_not_tell_who_is_known(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    a_person(desk, "known@lab.example")
    a_person(desk, "never@lab.example", status=Status.SUPPRESSED)
    pages = [
        browser.post(home_of(browser, person) + "/address", {"email": email}).text.replace(
            email, ""
        )
        for email in ("known@lab.example", "never@lab.example", "someone@lab.example")
    ]
    assert pages[0] == pages[1] == pages[2]


def test_another_address_must_be_one(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    before = all_rows(desk.engine)
    for typed in ("", "ada", "a@b, c@d", HUGE, *HOSTILE):
        reply = browser.post(home_of(browser, person) + "/address", {"email": typed})
        assert reply.status_code == 422, typed
        assert Page(reply.text).marked == {"email"}
        assert Page(reply.text).fields["email"] == read_form(f"a={quote(typed)}").one("a")
    assert all_rows(desk.engine) == before


def test_change_that_was_replaced_says_so(browser: Browser, desk: Desk, clock: Clock) -> None:
    person = a_person(desk)
    browser.post(home_of(browser, person) + "/address", {"email": NEW})
    old = change_token(desk, person)
    browser.post(home_of(browser, person) + "/address", {"email": "other@new.example"})
    reply = browser.post(f"/change-address/{old}")
    assert reply.status_code == 409
    assert "over" in Page(reply.text).words
    assert now_is(desk, person).email == ADA
    clock.now += timedelta(days=3)
    assert browser.get(f"/change-address/{old}").status_code == 410


def test_export_holds_everything_and_no_secret(browser: Browser, desk: Desk) -> None:
    person = a_person(desk, ADA, "continual learning^2", "-survey")
    (paper,) = some_papers(desk, "Learning to Wait", arxiv="2603.00001")
    a_digest(desk, person, paper)
    feedback.record(desk.engine, person, paper, Opinion.MORE, at=NOON, channel=Channel.LINK)
    with transaction(desk.engine) as session:
        address_change.ask(session, person, NEW, now=NOON, keys=desk.keys)
    before = all_rows(desk.engine)
    reply = browser.get(home_of(browser, person) + "/export")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    data = json.loads(reply.text)
    assert data["subscriber"]["email"] == ADA
    assert data["subscriber"]["interests"] == ["continual learning^2"]
    assert data["subscriber"]["exclude"] == ["survey"]
    assert data["new_address"]["email"] == NEW
    assert [one["event"] for one in data["consent"]] == ["subscribed", "confirmed"]
    assert data["feedback"][0]["paper"] == "Learning to Wait"
    assert data["feedback"][0]["opinion"] == "more"
    digest = next(one for one in data["deliveries"] if one["kind"] == "digest")
    assert (digest["digest_on"], digest["state"]) == ("2026-03-12", "sent")
    assert digest["papers"] == [
        {
            "id": paper,
            "title": "Learning to Wait",
            "url": "https://arxiv.org/abs/2603.00001",
            "interest": "continual learning",
        }
    ]
    assert data["bounces"] == []
    for secret in (desk.keys.pepper, desk.keys.secret, desk.keys.hash_of(ADA)):
        assert secret not in reply.text
    assert all_rows(desk.engine) == before


def test_erase_asks_first_and_then_nothing_is_left(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    path = home_of(browser, person)
    before = all_rows(desk.engine)
    assert ADA in browser.get(path + "/erase").text
    assert all_rows(desk.engine) == before
    assert browser.post(path + "/erase").status_code == 200
    assert all_rows(desk.engine)["subscribers"] == []
    assert ADA not in repr(all_rows(desk.engine))
    for reply in (browser.get(path), browser.post(path + "/erase"), browser.get(path + "/export")):
        assert reply.status_code == 410
        assert "deleted" in Page(reply.text).words


def test_everybody_sees_what_can_be_done(browser: Browser, desk: Desk) -> None:
    for status in Status:
        path = home_of(browser, a_person(desk, f"{status}@lab.example", status=status))
        page = Page(browser.get(path).text)
        assert "Download my data" in page.links
        assert "Delete everything" in page.links
        editable = status in (Status.PENDING, Status.ACTIVE, Status.PAUSED)
        assert (path in page.actions) is editable
        assert (path + "/resume" in page.actions) is (status is Status.PAUSED)
        assert (path + "/address" in page.actions) is (status in (Status.ACTIVE, Status.PAUSED))
        assert ("Subscribe again" in page.links) is (status is Status.UNSUBSCRIBED)
        assert ("Have it sent again" in page.links) is (status is Status.PENDING)
        assert browser.get(path + "/export").status_code == 200


@pytest.mark.parametrize("status", [Status.UNSUBSCRIBED, Status.SUPPRESSED])
def test_who_gets_no_mail_changes_nothing(browser: Browser, desk: Desk, status: Status) -> None:
    person = a_person(desk, status=status)
    before = all_rows(desk.engine)
    for path in ("", "/preview", "/pause", "/resume"):
        reply = browser.post(home_of(browser, person) + path, {"interests": "robots"})
        assert reply.status_code == 409
    assert browser.post(home_of(browser, person) + "/address", {"email": NEW}).status_code == 200
    assert all_rows(desk.engine) == before


def test_reason_of_a_stop_is_told(browser: Browser, desk: Desk) -> None:
    bounced = a_person(desk, status=Status.SUPPRESSED, reason=SuppressionReason.BOUNCE)
    angry = a_person(desk, "b@lab.example", status=Status.SUPPRESSED)
    assert "came back" in Page(browser.get(home_of(browser, bounced)).text).words
    assert "spam" in Page(browser.get(home_of(browser, angry)).text).words


def test_opening_changes_nothing(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    before = all_rows(desk.engine)
    for path in ("", "/preview", "/pause", "/resume", "/address", "/export", "/erase"):
        for method in ("GET", "HEAD", "OPTIONS"):
            reply = browser.client.request(method, home_of(browser, person) + path)
            assert reply.status_code in (200, 204, 405)
    assert all_rows(desk.engine) == before


def test_links_that_are_not_right_open_nothing(browser: Browser, desk: Desk, clock: Clock) -> None:
    person = a_person(desk)
    token = browser.token(Purpose.PREFERENCES, person)
    foreign = [browser.token(one, person) for one in Purpose if one is not Purpose.PREFERENCES]
    strange = Tokens(["somebody else's key"]).sign(Purpose.PREFERENCES, str(person), NOON)
    wrong = [*foreign, strange, token[:-2], token[2:], token + "x", "x" * 4000, "a.b.c", "%00"]
    wrong += [browser.token(Purpose.PREFERENCES, payload) for payload in ("", "-1", "1:2", "²")]
    before = all_rows(desk.engine)
    for one in wrong:
        for reply in (
            browser.get(f"/preferences/{one}"),
            browser.post(f"/preferences/{one}", {"interests": "robots"}),
            browser.post(f"/preferences/{one}/erase"),
            browser.post(f"/change-address/{one}")
            if one is not foreign[-1]
            else browser.get(f"/preferences/{one}/export"),
        ):
            assert reply.status_code in (400, 409), (one, reply.status_code)
    clock.now += timedelta(days=181)
    reply = browser.get(f"/preferences/{token}")
    assert reply.status_code == 410
    assert "/access" in Page(reply.text).links.values()
    assert browser.post(f"/preferences/{token}/erase").status_code == 410
    assert all_rows(desk.engine) == before


def change_token(desk: Desk, person: int) -> str:
    """The token of the mail to the new address."""
    rows = table(AddressChangeRow)
    with reading(desk.engine) as session:
        mark = session.scalars(select(rows.c.token)).one()
        sent = list_deliveries(session, Which(kinds=[MailKind.CHANGE_ADDRESS]))
    assert sent
    return desk.tokens.sign(Purpose.CHANGE_ADDRESS, f"{person}:{mark}", desk.clock())
