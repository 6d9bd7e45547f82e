"""Reports of Postmark: who may report, and what follows."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from digest.domain.subscribers import Status
from digest.store.database import open_engine, transaction
from digest.web.desk import Desk
from tests.web.building import a_desk
from tests.web.reported import ADA, browser_of, came_back, join, mailed, status_of

USER, PASSWORD = "postmark", "päss:wörd"


@pytest.fixture
def desk(sqlite_url: str, clock, tmp_path) -> Iterator[Desk]:
    """A desk over SQLite, for what does not depend on the store."""
    engine = open_engine(sqlite_url)
    yield _desk(engine, clock, tmp_path)
    engine.dispose()


@pytest.fixture
def either(engine: Engine, clock, tmp_path) -> Desk:
    """A desk over a store on each engine in turn."""
    return _desk(engine, clock, tmp_path)


def _desk(engine: Engine, clock, folder, user: str = USER, password: str = PASSWORD) -> Desk:
    hooks = {"postmark_username": user, "postmark_password": password}
    return a_desk(engine, clock, folder, webhooks=hooks)


def reply(desk: Desk, event: object, auth=(USER, PASSWORD)):
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    encoded = tuple(part.encode() for part in auth) if auth else None
    client = browser_of(desk).client
    return client.post("/webhooks/postmark", content=body, auth=encoded)


def told(desk: Desk, event: object, auth=(USER, PASSWORD)) -> int:
    return reply(desk, event, auth).status_code


def a_bounce(kind: str = "HardBounce", code: int = 1, number: int = 4323372036854775807, **changes):
    event = {
        "RecordType": "Bounce",
        "ID": number,
        "Type": kind,
        "TypeCode": code,
        "Tag": "",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
        "Email": ADA,
        "From": "papers@digest.example",
        "BouncedAt": "2026-03-12T11:21:01.1234567Z",
        "Inactive": True,
        "DumpAvailable": True,
        "CanActivate": True,
        "Subject": "Trending papers",
        "ServerID": 1234,
        "MessageStream": "broadcast",
        "Content": None,
        "Metadata": {"example": "value"},
    }
    return event | changes


def a_change(reason: str | None = "ManualSuppression", **changes):
    event = {
        "RecordType": "SubscriptionChange",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "ServerID": 123456,
        "MessageStream": "broadcast",
        "ChangedAt": "2026-03-12T11:53:34.416071Z",
        "Recipient": ADA,
        "Origin": "Recipient",
        "SuppressSending": True,
        "SuppressionReason": reason,
        "Tag": None,
        "Metadata": {},
    }
    return event | changes


def test_a_bounce_is_taken_once(either):
    mailed(either)
    assert told(either, a_bounce()) == told(either, a_bounce()) == 200
    assert (status_of(either), came_back(either)) == (Status.SUPPRESSED, [("hard", "suppressed")])


def test_a_complaint_suppresses(either):
    mailed(either)
    assert told(either, a_bounce("SpamComplaint", 100001, RecordType="SpamComplaint")) == 200
    assert came_back(either) == [("complaint", "suppressed")]


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("HardBounce", ("hard", "suppressed")),
        ("SpamComplaint", ("complaint", "suppressed")),
        ("ManualSuppression", ("unsubscribe", "unsubscribed")),
    ],
)
def test_a_change_of_the_suppression_list_is_taken_once(desk, reason, kept):
    mailed(desk)
    assert told(desk, a_change(reason)) == told(desk, a_change(reason)) == 200
    assert came_back(desk) == [kept]


def test_nobody_comes_back_by_being_taken_off_the_list(desk):
    mailed(desk)
    told(desk, a_change())
    back = a_change(None, SuppressSending=False, MessageID=None, ChangedAt="2026-03-12T11:55:00Z")
    assert told(desk, back) == 200
    assert status_of(desk) is Status.UNSUBSCRIBED


@pytest.mark.parametrize("kind", ["AutoResponder", "Transient", "AddressChange", "Subscribe"])
def test_what_says_nothing_of_the_address_is_ignored(desk, kind):
    mailed(desk)
    assert told(desk, a_bounce(kind)) == 200
    assert told(desk, {"RecordType": "Delivery"}) == told(desk, {"RecordType": "Open"}) == 200
    assert came_back(desk) == []


@pytest.mark.parametrize("kind", ["Blocked", "SpamNotification", "DMARCPolicy"])
def test_a_refusal_of_us_never_suppresses(desk, kind):
    mailed(desk)
    for number in range(10):
        assert told(desk, a_bounce(kind, number=number)) == 200
    assert status_of(desk) is Status.ACTIVE


# What is not proved changes nothing


@pytest.mark.parametrize(
    "auth",
    [
        None,
        (USER, ""),
        ("", PASSWORD),
        (USER, PASSWORD + "x"),
        (USER, PASSWORD[:-1]),
        (USER + "x", PASSWORD),
        (USER.upper(), PASSWORD),
        (f"{USER}:{PASSWORD}", ""),
    ],
)
def test_a_wrong_user_or_password_is_refused(desk, auth):
    mailed(desk)
    refused = reply(desk, a_bounce(), auth)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic ")
    assert came_back(desk) == []


def test_what_is_no_basic_authorization_is_refused(desk):
    client = browser_of(desk).client
    for header in ("Basic", "Basic !!!", "Bearer cG9zdG1hcms6cA==", "Basic cG9zdG1hcms=", b"\xff"):
        headers = {"authorization": header}
        sent = client.post("/webhooks/postmark", json=a_bounce(), headers=headers)
        assert sent.status_code == 401, header


@pytest.mark.parametrize(("user", "password"), [("", PASSWORD), (USER, ""), ("", "")])
def test_without_a_user_and_a_password_there_is_nothing_here(desk, clock, tmp_path, user, password):
    unset = _desk(desk.engine, clock, tmp_path, user, password)
    assert told(unset, a_bounce(), (user, password)) == 404


def test_half_a_report_and_wrong_kinds_of_values_are_refused(desk):
    mailed(desk)
    whole = json.dumps(a_bounce()).encode()
    bad: list[object] = [
        whole[:-20],
        b"",
        [a_bounce()],
        a_bounce(ID="4"),
        a_bounce(ID=True),
        a_bounce(Email=None),
        a_bounce(Email=["ada@lab.example"]),
        a_bounce(Email="ada@lab.example\r\nBcc: x"),
        a_bounce(BouncedAt="yesterday"),
        a_bounce(BouncedAt=7),
        a_bounce(Type=1),
        a_change(SuppressSending="true"),
        a_change(ChangedAt=None),
        {},
    ]
    for event in bad:
        assert told(desk, event) == 400, event
    assert came_back(desk) == []


def test_ten_megabytes_are_refused_unread(desk):
    assert told(desk, b" " * 10_000_000) == 413


def test_the_provider_is_told_to_try_again_while_the_store_is_down(desk, tmp_path):
    mailed(desk)
    (tmp_path / "spoiled.sqlite").write_bytes(b"no database " * 1000)
    spoiled = open_engine(f"sqlite:///{tmp_path / 'spoiled.sqlite'}")
    down = reply(replace(desk, engine=spoiled), a_bounce())
    assert (down.status_code, "retry-after" in down.headers) == (503, True)
    assert status_of(desk) is Status.ACTIVE
    assert told(desk, a_bounce()) == 200
    assert status_of(desk) is Status.SUPPRESSED


def test_a_success_is_never_told_where_nothing_was_kept(desk):
    mailed(desk)
    with transaction(desk.engine) as session:
        refusing = "BEFORE INSERT ON bounces BEGIN SELECT RAISE(ABORT, 'no'); END"
        session.execute(text(f"CREATE TRIGGER refusing {refusing}"))
    assert told(desk, a_bounce()) == 500
    assert (came_back(desk), status_of(desk)) == ([], Status.ACTIVE)
    with transaction(desk.engine) as session:
        session.execute(text("DROP TRIGGER refusing"))
    assert told(desk, a_bounce()) == 200
    assert status_of(desk) is Status.SUPPRESSED


def test_one_address_is_told_of_and_no_other_suffers(either):
    join(either, "eve@lab.example")
    mailed(either)
    assert told(either, a_bounce(Email="nobody@lab.example")) == 200
    assert told(either, a_bounce(number=2)) == 200
    assert status_of(either, "eve@lab.example") is Status.ACTIVE
    assert came_back(either) == [("hard", "suppressed")]
