"""The mails that are no digests, as their templates render them."""

from datetime import UTC, datetime

import pytest

from digest.domain.schedule import Schedule
from digest.domain.subscribers import Status
from digest.mail.views import (
    Manage,
    access_view,
    change_address_view,
    confirm_view,
    frame_for_stranger,
    frame_of,
    welcome_view,
)
from tests.builders import a_subscriber
from tests.mail.mails import IDENTITY, MANAGE, SITE, a_digest_view
from tests.mail.rendered import NO_SITE, RENDERER, flat, html_of, render


def test_the_confirmation_has_one_button_and_no_way_to_unsubscribe() -> None:
    frame = frame_of(a_subscriber("ada@example.com", "tides"), IDENTITY, Manage())
    rendered = RENDERER.render(
        confirm_view(frame, confirm_url=f"{SITE}/confirm/c.t.s", valid_days=7)
    )
    seen = html_of(rendered)
    assert set(seen.links()) == {f"{SITE}/confirm/c.t.s"}
    assert f"{SITE}/confirm/c.t.s" in rendered.text
    assert "ends after 7 days" in seen.text
    assert "Your interests: tides" in flat(rendered.text)


def test_a_link_into_the_browser_that_may_not_stand_in_a_mail_is_left_out() -> None:
    rendered = render(a_digest_view(reading_url="javascript:alert(1)"))
    assert "javascript" not in rendered.text + (rendered.html or "")
    assert "View in browser" not in rendered.text


@pytest.mark.parametrize("paused", [False, True])
def test_the_mail_with_the_link_to_the_settings_says_what_is_set(paused: bool) -> None:
    status = Status.PAUSED if paused else Status.ACTIVE
    reader = a_subscriber("ada@example.com", "tides", status=status)
    rendered = RENDERER.render(access_view(frame_of(reader, IDENTITY, MANAGE), status))
    for text in (flat(rendered.text), html_of(rendered).text):
        assert "a digest every day at 08:00 (UTC)" in text
        assert "Your interests: tides" in text
        assert ("paused" in text) is paused
    assert f"{SITE}/preferences/p.t.s" in rendered.text
    assert set(html_of(rendered).links()) == {MANAGE.preferences_url, MANAGE.unsubscribe_url}


def test_the_mail_about_the_settings_reads_well_without_a_site() -> None:
    frame = frame_of(a_subscriber("ada@example.com"), IDENTITY, NO_SITE)
    rendered = RENDERER.render(access_view(frame, Status.ACTIVE))
    assert html_of(rendered).links() == [MANAGE.unsubscribe_mailto]
    assert "To change your interests, reply to this mail." in flat(rendered.text)


def test_a_new_address_gets_one_button_and_no_other_way() -> None:
    frame = frame_for_stranger("ada@new.example", IDENTITY)
    link = f"{SITE}/change-address/c.t.s"
    rendered = RENDERER.render(change_address_view(frame, change_url=link, valid_days=2))
    assert set(html_of(rendered).links()) == {link}
    assert link in rendered.text
    for text in (flat(rendered.text), html_of(rendered).text):
        assert "wants it to come to ada@new.example from now on" in text
        assert "ends after 2 days" in text
    without = RENDERER.render(change_address_view(frame, change_url=None, valid_days=None))
    assert html_of(without).links() == []
    assert "reply to this mail" in flat(without.text)


@pytest.mark.parametrize("local", ['"><b>x</b>', "{{7*7}}", "a\u202eb"])
def test_a_hostile_new_address_stays_words(local: str) -> None:
    frame = frame_for_stranger(f"{local}@new.example", IDENTITY)
    view = change_address_view(frame, change_url="data:text/html,x", valid_days=2)
    rendered = RENDERER.render(view)
    assert html_of(rendered).tags.count("b") == 2  # the address and, since there is no link, "yes"
    assert "49" not in rendered.text
    assert "data:" not in rendered.text + (rendered.html or "")


def test_the_confirmation_reads_well_without_a_site() -> None:
    frame = frame_of(a_subscriber("ada@example.com"), IDENTITY, Manage())
    rendered = RENDERER.render(confirm_view(frame, confirm_url=None, valid_days=None))
    assert html_of(rendered).links() == []
    assert "reply to this mail" in flat(rendered.text)


def test_the_welcome_says_when_the_first_digest_comes_in_local_time() -> None:
    schedule = Schedule(timezone="Asia/Tokyo", hour=8)
    subscriber = a_subscriber("ada@example.com", "tides", schedule=schedule)
    frame = frame_of(subscriber, IDENTITY, MANAGE)
    view = welcome_view(frame, schedule, datetime(2026, 3, 12, 23, tzinfo=UTC))
    rendered = RENDERER.render(view)
    for text in (flat(rendered.text), html_of(rendered).text):
        assert "Your first digest comes Friday 13 March at 08:00." in text
        assert "Your interests: tides" in text
