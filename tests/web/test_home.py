"""The front page: what is seen before an address is given, what the form takes and gives back."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from digest.domain.schedule import Frequency
from digest.mail.theme import Theme
from digest.mail.tokens import Purpose
from digest.services import invite
from digest.store.database import reading, transaction
from digest.store.merge import merge_batch
from digest.store.tables import table
from digest.store.web_tables import SignUpRow
from digest.web import assets, home
from digest.web.desk import Desk
from digest.web.pages import Pages
from tests.builders import NOON, a_batch, a_listing
from tests.web.building import Browser, Clock, a_desk, sqlite_engine
from tests.web.reading import Page

__all__ = ["sqlite_engine"]

FORM = {
    "email": "ada@lab.example",
    "interests": "continual learning, -survey",
    "timezone": "Europe/Paris",
    "hour": "7",
    "frequency": "weekdays",
}
SCRIPTS = ("Kontinuität", "непрерывное обучение", "持续学习", "التعلم المستمر", "निरंतर सीखना")
BIDI = "\u202eevil\u202c"


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk, home, assets)


def over(engine: Engine, folder: Path, **settings: object) -> Browser:
    return Browser(a_desk(engine, Clock(), folder, **settings), home, assets)


def with_papers(desk: Desk, *titles: str) -> None:
    with transaction(desk.engine) as session:
        merge_batch(session, a_batch(*map(a_listing, titles)), desk.clock())
    desk.window.refresh()


def sign_ups(engine: Engine) -> list[tuple[str, dict[str, object], str]]:
    rows = table(SignUpRow).c
    with reading(engine) as session:
        found = session.execute(select(rows.email, rows.choices, rows.consent))
        return [(email, json.loads(choices), consent) for email, choices, consent in found]


def test_the_front_page_shows_what_trends_and_the_way_to_earlier_days(
    browser: Browser, desk: Desk
) -> None:
    with transaction(desk.engine) as session:
        older = a_listing("Of the Day Before", listed_on=date(2026, 3, 10))
        merge_batch(session, a_batch(older), NOON)
    with_papers(desk, "Tides of Gradients", "Moss and Memory")
    reply = browser.get("/")
    assert reply.status_code == 200
    assert "Get trending papers in your email inbox once a day!" in reply.text
    assert "Tides of Gradients" in reply.text
    days = [one for one in Page(reply.text).addresses if one.startswith("/archive/")]
    assert days == ["/archive/2026-03-10"]  # days without papers are not offered, nor is today
    assert desk.settings.web.consent in reply.text


def test_keywords_show_their_papers_with_reasons_before_any_address_is_given(
    browser: Browser, desk: Desk
) -> None:
    with_papers(desk, "Continual Learning of Tides", "Moss and Memory")
    reply = browser.get("/preview", params={"interests": "continual learning"})
    found = Page(reply.text)
    assert "Continual Learning of Tides" in found.words["preview"]
    assert "continual learning" in found.words["preview"]
    assert "Moss and Memory" not in found.words["preview"]
    assert found.values["interests"] == "continual learning"


def test_the_fragment_is_what_the_whole_page_shows(browser: Browser, desk: Desk) -> None:
    with_papers(desk, "Continual Learning of Tides")
    query = {"interests": "continual learning"}
    fragment = browser.get("/preview", params=query | {"fragment": "1"})
    assert fragment.status_code == 200
    assert "<html" not in fragment.text
    assert fragment.text.strip() in browser.get("/preview", params=query).text


def test_a_form_that_is_posted_for_its_preview_is_shown_again_and_not_taken_in(
    browser: Browser, desk: Desk
) -> None:
    with_papers(desk, "Moss and Memory", "Tides of Gradients")
    form = {"interests": "moss", "email": "eve@lab.example", "hour": "21", "timezone": "Asia/Tokyo"}
    reply = browser.post("/preview", form)
    assert reply.status_code == 200
    assert "1 paper for you today" in reply.text
    fields = Page(reply.text).values
    assert {name: fields[name] for name in form} == form
    assert sign_ups(desk.engine) == []


def test_what_trends_follows_the_papers(browser: Browser, desk: Desk, clock: Clock) -> None:
    assert "being read" in browser.get("/").text
    with_papers(desk, "Moss and Memory")
    assert "Moss and Memory" in browser.get("/").text
    clock.now += timedelta(hours=1)
    with_papers(desk, "Tides of Gradients")
    assert "Tides of Gradients" in browser.get("/").text


def test_a_preview_without_keywords_says_what_one_gets(browser: Browser, desk: Desk) -> None:
    with_papers(desk, "Moss and Memory")
    assert "Without keywords" in browser.get("/preview?interests=").text
    nothing = browser.get("/preview?interests=volcanoes")
    assert "Nothing new matches" in nothing.text


def test_keywords_that_cannot_be_read_say_where(browser: Browser) -> None:
    for path in ("/preview", "/preview?fragment=1"):
        reply = browser.get(path, params={"interests": '"never closed', "fragment": path[9:] and 1})
        assert reply.status_code == 422
        assert "quote is never closed" in reply.text


def test_a_link_may_bring_the_keywords(browser: Browser) -> None:
    assert Page(browser.get("/?interests=moss").text).values["interests"] == "moss"


def test_the_form_is_taken_in_with_its_consent(browser: Browser, desk: Desk) -> None:
    reply = browser.post("/subscribe", FORM)
    assert reply.status_code == 200
    assert "Check your inbox" in reply.text
    [(email, choices, consent)] = sign_ups(desk.engine)
    assert email == "ada@lab.example"
    written = json.dumps(choices)
    for part in ("continual learning", "survey", "Europe/Paris", "weekdays"):
        assert part in written
    assert desk.settings.web.consent in consent


def test_the_answer_does_not_repeat_the_address(browser: Browser) -> None:
    one = browser.post("/subscribe", FORM)
    other = browser.post("/subscribe", FORM | {"email": "somebody.else@lab.example"})
    assert one.text == other.text


def test_no_keywords_are_a_wish_too(browser: Browser, desk: Desk) -> None:
    assert browser.post("/subscribe", FORM | {"interests": ""}).status_code == 200
    assert len(sign_ups(desk.engine)) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", ""),
        ("email", "ada@"),
        ("email", "ada@lab.example\r\nBcc: eve@lab.example"),
        ("email", "a" * 300 + "@lab.example"),
        ("interests", '"never closed'),
        ("interests", "x" * 65),
        ("interests", "\n".join(f"keyword {n}" for n in range(51))),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("hour", "24"),
        ("hour", "-1"),
        ("hour", "8.5"),
        ("hour", "²"),
        ("frequency", "hourly"),
    ],
)
def test_a_mistake_is_marked_and_nothing_typed_is_lost(
    browser: Browser, desk: Desk, name: str, value: str
) -> None:
    reply = browser.post("/subscribe", FORM | {name: value})
    found = Page(reply.text)
    assert reply.status_code == 422
    assert found.by_id[name]["aria-invalid"] == "true"
    assert f"{name}-error" in found.by_id[name]["aria-describedby"].split()
    assert found.words[f"{name}-error"].strip()
    invalid = [one for one in found.by_id.values() if "aria-invalid" in one]
    assert len(invalid) == 1
    kept = {other: found.values[other] for other in FORM if other != name}
    assert kept == {other: text for other, text in FORM.items() if other != name}
    if name in ("email", "interests"):
        assert found.values[name].splitlines() == value.splitlines()
    assert sign_ups(desk.engine) == []


def test_several_mistakes_are_told_at_once(browser: Browser) -> None:
    found = Page(browser.post("/subscribe", FORM | {"email": "x", "hour": "99"}).text)
    assert {"#email", "#hour"} <= set(found.addresses)
    assert found.by_id["email"]["aria-invalid"] == found.by_id["hour"]["aria-invalid"] == "true"


def test_an_empty_form_is_a_mistake_of_the_address_alone(browser: Browser, desk: Desk) -> None:
    reply = browser.post("/subscribe", {})
    assert reply.status_code == 422
    invalid = {key for key, one in Page(reply.text).by_id.items() if "aria-invalid" in one}
    assert invalid == {"email"}
    assert sign_ups(desk.engine) == []


def test_keywords_of_every_script_are_taken(browser: Browser, desk: Desk) -> None:
    reply = browser.post("/subscribe", FORM | {"interests": "\n".join(SCRIPTS)})
    assert reply.status_code == 200
    [(_, choices, _)] = sign_ups(desk.engine)
    written = json.dumps(choices, ensure_ascii=False)
    assert all(word in written for word in SCRIPTS)


@pytest.mark.parametrize("name", FORM)
@pytest.mark.parametrize("value", ["<script>alert(1)</script>", '"><img src=x onerror=y>', BIDI])
def test_hostile_words_come_back_as_words_or_not_at_all(
    browser: Browser, name: str, value: str
) -> None:
    reply = browser.post("/subscribe", FORM | {"email": "wrong", name: value})
    assert "<script>alert" not in reply.text
    assert "<img" not in reply.text
    assert "\u202e" not in reply.text


def test_who_comes_too_often_is_told_when_to_come_again(engine: Engine, tmp_path: Path) -> None:
    browser = over(engine, tmp_path, web={"per_hour": 2})
    answers = [browser.post("/subscribe", FORM) for _ in range(3)]
    assert [reply.status_code for reply in answers] == [200, 200, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600
    assert "minute" in answers[-1].text


def test_other_domains_are_named_those_that_may_join(engine: Engine, tmp_path: Path) -> None:
    domains = {
        "registration": "domains",
        "web": {"registration_domains": ["lab.example", "bücher.example"]},
    }
    browser = over(engine, tmp_path, **domains)
    assert browser.post("/subscribe", FORM).status_code == 200
    assert browser.post("/subscribe", FORM | {"email": "a@BÜCHER.example"}).status_code == 200
    for email in ("ada@other.example", "ada@sub.lab.example", "ada@lab.example.other.example"):
        reply = browser.post("/subscribe", FORM | {"email": email})
        found = Page(reply.text)
        assert reply.status_code == 422
        assert "lab.example" in found.words["email-error"]
        assert found.values["email"] == email
    assert len(sign_ups(engine)) == 2


def test_who_was_not_invited_sees_the_papers_and_no_form(engine: Engine, tmp_path: Path) -> None:
    browser = over(engine, tmp_path, registration="invite")
    reply = browser.get("/")
    assert reply.status_code == 200
    assert "email" not in Page(reply.text).values
    assert "by invitation" in reply.text
    assert browser.get("/?invitation=forged.a.b").status_code == 200
    refused = browser.post("/subscribe", FORM)
    assert refused.status_code == 403
    assert "by invitation" in refused.text
    assert sign_ups(engine) == []


def test_an_invitation_opens_the_form_until_it_is_over(engine: Engine, tmp_path: Path) -> None:
    browser = over(engine, tmp_path, registration="invite")
    with transaction(engine) as session:
        made = invite.invite(session, note="lab", uses=1, days=7, now=NOON)
    token = invite.token_of(made, browser.desk.tokens)
    found = Page(browser.get(f"/?invitation={token}").text)
    assert found.values["invitation"] == token
    assert browser.post("/subscribe", FORM | {"invitation": token}).status_code == 200
    wrong = browser.post("/subscribe", FORM | {"invitation": token, "email": "wrong"})
    assert Page(wrong.text).values["invitation"] == token
    with transaction(engine) as session:
        invite.revoke(session, made.id, NOON + timedelta(seconds=1))
    later = browser.post("/subscribe", FORM | {"invitation": token})
    assert later.status_code == 403
    assert "cannot be used" in later.text
    assert len(sign_ups(engine)) == 1


def test_a_token_for_something_else_invites_nobody(engine: Engine, tmp_path: Path) -> None:
    browser = over(engine, tmp_path, registration="invite")
    token = browser.token(Purpose.PREFERENCES, 1)
    assert browser.post("/subscribe", FORM | {"invitation": token}).status_code == 403


def test_opening_pages_takes_nothing_in(browser: Browser, desk: Desk) -> None:
    for path in ("/", "/preview", "/subscribe"):
        browser.get(path, params=FORM)
        browser.client.head(path, params=FORM)
    assert sign_ups(desk.engine) == []


def test_a_zone_that_is_not_offered_is_kept_when_chosen(browser: Browser) -> None:
    found = Page(browser.post("/subscribe", FORM | {"email": "", "timezone": "Asia/Calcutta"}).text)
    assert found.values["timezone"] == "Asia/Calcutta"
    assert "data-guess" not in found.by_id["timezone"]
    assert "data-guess" in Page(browser.get("/").text).by_id["timezone"]


def test_every_frequency_is_offered_and_taken(browser: Browser, desk: Desk) -> None:
    page = browser.get("/").text
    for number, frequency in enumerate(Frequency):
        assert f'value="{frequency.value}"' in page
        form = FORM | {"frequency": frequency.value, "email": f"ada{number}@lab.example"}
        assert browser.post("/subscribe", form).status_code == 200
    assert len(sign_ups(desk.engine)) == len(Frequency)


def test_the_style_sheet_has_the_colours_of_the_theme_and_no_comments(tmp_path: Path) -> None:
    theme = Theme(accent="#005f8a", font="sans")
    sheet = Pages({}, theme=theme).assets.get("site.css")
    assert sheet is not None
    text = sheet.content.decode()
    assert "--accent: #005f8a;" in text
    assert "Georgia" not in text
    assert "/*" not in text
    assert "@accent@" not in text


def test_an_operator_may_bring_another_style_sheet(tmp_path: Path) -> None:
    static = tmp_path / "web" / "static"
    static.mkdir(parents=True)
    (static / "site.css").write_text("a { color: @accent@ }")
    sheet = Pages({}, tmp_path).assets.get("site.css")
    assert sheet is not None
    assert sheet.content == b"a { color: #8f3a14 }"
