"""The link of the confirmation mail: it shows a button, and the button alone confirms."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from digest.domain.interests import interest
from digest.domain.schedule import Schedule
from digest.domain.subscribers import (
    Channel,
    Preferences,
    Status,
    Subscriber,
    SubscriberId,
    SuppressionReason,
)
from digest.mail.tokens import Purpose
from digest.services import subscribe
from digest.services.mailroom import CONFIRM_DAYS
from digest.store import subscribers
from digest.store.database import open_engine, reading, transaction
from digest.store.tables import DeliveryRow, table
from digest.web import assets, confirm, home
from digest.web.desk import Desk
from tests.web.building import Browser, Clock, a_desk, sqlite_engine

__all__ = ["sqlite_engine"]

EMAIL = "ada@lab.example"


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk, confirm, assets)


@pytest.fixture
def ada(desk: Desk) -> Subscriber:
    """Somebody who has not confirmed yet."""
    chosen = Preferences(schedule=Schedule(timezone="Asia/Tokyo", hour=7))
    with transaction(desk.engine) as session:
        return subscribe.subscribe(
            session,
            EMAIL,
            interests=[interest("continual learning"), interest("-survey")],
            preferences=chosen,
            channel=Channel.FORM,
            now=desk.clock(),
            keys=desk.keys,
        )


def link(browser: Browser, number: int, at: timedelta = timedelta(0)) -> str:
    payload = f"{number}:20260312T120000000000Z"
    return "/confirm/" + browser.desk.tokens.sign(
        Purpose.CONFIRM, payload, browser.desk.clock() - at
    )


def status(desk: Desk, number: SubscriberId) -> Status:
    with reading(desk.engine) as session:
        return subscribers.by_id(session, number).status


def kinds(desk: Desk) -> list[str]:
    with reading(desk.engine) as session:
        return sorted(session.scalars(select(table(DeliveryRow).c.kind)))


def test_the_link_shows_a_button_and_confirms_nothing(
    browser: Browser, desk: Desk, ada: Subscriber
) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        reply = browser.client.request(method, link(browser, ada.id))
        assert reply.status_code in (200, 204)
    page = browser.get(link(browser, ada.id))
    assert EMAIL in page.text
    assert "Every day at 07:00 (Asia/Tokyo)" in page.text
    assert "continual learning" in page.text
    assert 'method="post"' in page.text
    assert status(desk, ada.id) is Status.PENDING


def test_the_button_confirms_and_the_welcome_is_on_its_way(
    browser: Browser, desk: Desk, ada: Subscriber
) -> None:
    reply = browser.post(link(browser, ada.id))
    assert reply.status_code == 200
    assert "Welcome" in reply.text
    assert "is on its way" in reply.text
    assert "/preferences/" in reply.text
    assert status(desk, ada.id) is Status.ACTIVE
    assert kinds(desk) == ["confirm", "welcome"]


def test_a_second_press_changes_nothing(browser: Browser, desk: Desk, ada: Subscriber) -> None:
    browser.post(link(browser, ada.id))
    again = browser.post(link(browser, ada.id))
    assert again.status_code == 200
    assert "Welcome" in again.text
    assert kinds(desk) == ["confirm", "welcome"]
    assert "Welcome" in browser.get(link(browser, ada.id)).text


def test_the_settings_link_it_gives_is_theirs(
    browser: Browser, desk: Desk, ada: Subscriber
) -> None:
    page = browser.post(link(browser, ada.id)).text
    token = page.split("/preferences/")[1].split('"')[0]
    assert desk.tokens.read(Purpose.PREFERENCES, token, desk.clock()) == str(ada.id)


def test_the_hour_of_the_first_digest_is_told_in_their_zone(
    browser: Browser, desk: Desk, clock: Clock, ada: Subscriber
) -> None:
    clock.now += timedelta(hours=6)  # 03:00 of the 13th in Tokyo
    assert "Friday 13 March at 07:00" in browser.post(link(browser, ada.id)).text


@pytest.mark.parametrize("press", [True, False])
def test_an_old_link_says_so_and_offers_a_way_on(
    browser: Browser, desk: Desk, ada: Subscriber, press: bool
) -> None:
    path = link(browser, ada.id, timedelta(days=CONFIRM_DAYS, seconds=1))
    reply = browser.post(path) if press else browser.get(path)
    assert reply.status_code == 410
    assert 'href="/"' in reply.text
    assert status(desk, ada.id) is Status.PENDING
    in_time = link(browser, ada.id, timedelta(days=CONFIRM_DAYS))
    assert browser.get(in_time).status_code == 200


@pytest.mark.parametrize("payload", ["", ":", "1", "x:1", "²:1", "-1:a", "1 :a"])
def test_a_payload_of_another_shape_is_refused(browser: Browser, payload: str) -> None:
    assert browser.get(f"/confirm/{browser.token(Purpose.CONFIRM, payload)}").status_code == 400


@pytest.mark.parametrize("purpose", [one for one in Purpose if one is not Purpose.CONFIRM])
def test_a_token_for_something_else_confirms_nobody(
    browser: Browser, desk: Desk, ada: Subscriber, purpose: Purpose
) -> None:
    token = browser.token(purpose, f"{ada.id}:x")
    assert browser.post(f"/confirm/{token}").status_code == 400
    assert status(desk, ada.id) is Status.PENDING


def test_a_link_that_was_cut_or_changed_confirms_nobody(
    browser: Browser, desk: Desk, ada: Subscriber
) -> None:
    whole = link(browser, ada.id)
    for path in (whole[:-1], whole[:-9], whole + "A", whole.replace(".", "", 1)):
        assert browser.post(path).status_code == 400
    assert status(desk, ada.id) is Status.PENDING


def test_an_old_link_does_not_take_an_opt_out_back(
    browser: Browser, desk: Desk, ada: Subscriber
) -> None:
    path = link(browser, ada.id)
    browser.post(path)
    with transaction(desk.engine) as session:
        subscribe.unsubscribe(session, ada.id, channel=Channel.LINK, now=desk.clock())
    for reply in (browser.get(path), browser.post(path)):
        assert reply.status_code == 409
        assert "nothing to confirm" in reply.text
    assert status(desk, ada.id) is Status.UNSUBSCRIBED


def test_a_suppressed_address_stays_so(browser: Browser, desk: Desk, ada: Subscriber) -> None:
    with transaction(desk.engine) as session:
        subscribe.suppress(
            session,
            EMAIL,
            SuppressionReason.COMPLAINT,
            channel=Channel.MAIL,
            now=desk.clock(),
            keys=desk.keys,
        )
    assert browser.post(link(browser, ada.id)).status_code == 409
    assert status(desk, ada.id) is Status.SUPPRESSED


def test_who_was_erased_leaves_a_link_that_leads_nowhere(
    browser: Browser, desk: Desk, ada: Subscriber
) -> None:
    path = link(browser, ada.id)
    with transaction(desk.engine) as session:
        subscribe.erase(session, ada.id, now=desk.clock(), keys=desk.keys)
    for reply in (browser.get(path), browser.post(path)):
        assert reply.status_code == 410
        assert EMAIL not in reply.text


@pytest.mark.postgres
def test_it_is_the_same_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    engine = open_engine(postgres_url)
    desk = a_desk(engine, Clock(), tmp_path)
    with transaction(engine) as session:
        person = subscribe.subscribe(
            session, EMAIL, channel=Channel.FORM, now=desk.clock(), keys=desk.keys
        )
    browser = Browser(desk, home, confirm, assets)
    form = {"email": "eve@lab.example", "interests": "moss"}
    assert browser.post("/subscribe", form).status_code == 200
    assert browser.get(link(browser, person.id)).status_code == 200
    assert browser.post(link(browser, person.id)).status_code == 200
    assert status(desk, person.id) is Status.ACTIVE
    engine.dispose()
