"""Reports of SendGrid: what proves a batch, and what follows from its events."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Engine

from digest.domain.subscribers import Status
from digest.store.database import open_engine
from digest.web.desk import Desk
from digest.web.webhooks import sendgrid
from tests.builders import NOON
from tests.web.building import a_desk
from tests.web.reported import (
    ADA,
    DAY,
    HOUR,
    browser_of,
    came_back,
    mailed,
    p256,
    rsa_key,
    sendgrid_event,
    sendgrid_headers,
    shown_key,
    status_of,
)

SIGNATURE, TIMESTAMP = (
    f"X-Twilio-Email-Event-Webhook-{name}" for name in ("Signature", "Timestamp")
)
GONE = {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such user"}


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


def _desk(engine: Engine, clock, folder, key: str = "") -> Desk:
    hooks = {"sendgrid_public_key": key or shown_key(p256("sendgrid"))}
    return a_desk(engine, clock, folder, webhooks=hooks)


def told(desk: Desk, *events: object, body: bytes | None = None, at=NOON, **changes: str) -> int:
    """The status of the reply to a signed batch; `changes` are made after it was signed."""
    whole = body if body is not None else json.dumps(events).encode()
    headers = sendgrid_headers(whole, at) | changes.pop("headers", {})
    sent = changes.pop("sent", whole)
    client = browser_of(desk).client
    return client.post("/webhooks/sendgrid", content=sent, headers=headers).status_code


@pytest.mark.parametrize("proof", ["message id", "address"])
def test_a_hard_bounce_suppresses_whoever_the_mail_went_to(either, proof):
    delivery = mailed(either)
    named = {"email": "forwarded@else.example", "smtp-id": delivery.message_id}
    event = sendgrid_event("bounce", **GONE, **(named if proof == "message id" else {}))
    assert told(either, event) == 200
    assert (status_of(either), came_back(either)) == (Status.SUPPRESSED, [("hard", "suppressed")])


def test_every_event_of_a_batch_is_taken_once(either):
    mailed(either)
    soft = {"type": "bounce", "reason": "452 4.2.2 mailbox full", "status": "4.2.2"}
    batch = [
        sendgrid_event("processed", number=1),
        sendgrid_event("deferred", number=2, response="451 later", attempt="5"),
        sendgrid_event("bounce", number=3, **soft),
        sendgrid_event("bounce", number=3, **soft),
        sendgrid_event("bounce", number=4, type="blocked", reason="554 5.7.1 spam"),
        sendgrid_event("unsubscribe", number=5),
    ]
    assert told(either, *batch) == told(either, *batch) == 200
    assert came_back(either) == [
        ("soft", "noted"), ("policy", "noted"), ("unsubscribe", "unsubscribed"),
    ]  # fmt: skip
    assert status_of(either) is Status.UNSUBSCRIBED


def test_a_thousand_events_are_taken_and_bad_ones_stop_none(either):
    mailed(either)
    batch: list[object] = [sendgrid_event("delivered", f"p{n}@x.example", n) for n in range(990)]
    bad: list[object] = [
        None,
        "text",
        [],
        {"event": "bounce"},
        {"event": 7},
        sendgrid_event("spamreport", email=["a@x.example"]),
        sendgrid_event("spamreport", timestamp="now"),
        sendgrid_event("spamreport", timestamp=10**30),
        sendgrid_event("spamreport", email="\ud800@x.example\u0000"),
    ]
    assert told(either, *batch, *bad, sendgrid_event("spamreport", number=1000)) == 200
    assert came_back(either) == [("complaint", "suppressed")]


def test_an_event_from_the_future_is_taken_as_of_now(desk):
    mailed(desk)
    far = int((NOON + 1000 * DAY).timestamp())
    assert told(desk, sendgrid_event("bounce", timestamp=far, **GONE)) == 200
    assert status_of(desk) is Status.SUPPRESSED


@pytest.mark.parametrize(
    "address",
    ["' OR 1=1 --", "%@lab.example", "_da@lab.example", "ada@lab.example,eve@x.example", "", "@"],
)
def test_no_address_reaches_anybody_else(desk, address):
    mailed(desk)
    assert told(desk, sendgrid_event("spamreport", email=address)) == 200
    assert status_of(desk) is Status.ACTIVE


# What is not proved changes nothing


def test_nothing_of_a_batch_can_be_changed(desk):
    mailed(desk)
    batch = [sendgrid_event("bounce", **GONE)]
    body = json.dumps(batch).encode()
    right = sendgrid_headers(body)
    other = sendgrid_headers(body, key="stranger")
    forged = {
        "body": {"sent": body.replace(b"bounce", b"Bounce")},
        "a space": {"sent": body + b" "},
        "half": {"sent": body[: len(body) // 2]},
        "another key": {"headers": other},
        "another time": {"headers": {TIMESTAMP: str(int(right[TIMESTAMP]) + 1)}},
        "a digit moved": {"headers": {TIMESTAMP: right[TIMESTAMP][:-1]}, "sent": b"0" + body},
        "no signature": {"headers": {SIGNATURE: ""}},
        "no base64": {"headers": {SIGNATURE: "***"}},
        "no DER": {"headers": {SIGNATURE: "AAAA"}},
        "no time": {"headers": {TIMESTAMP: ""}},
    }
    for name, change in forged.items():
        assert told(desk, body=body, **change) == 403, name
    assert (status_of(desk), came_back(desk)) == (Status.ACTIVE, [])
    assert told(desk, body=body) == 200


def test_a_timestamp_that_is_no_number_is_refused_though_it_is_signed(desk):
    headers = {TIMESTAMP: "", SIGNATURE: ""}
    for text in ("", "-1", "1e9", "9" * 40, "١٢٣"):
        assert told(desk, headers=headers | {TIMESTAMP: text.encode()}) == 403, text


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (24 * HOUR, 200),
        (25 * HOUR + timedelta(seconds=1), 403),
        (-timedelta(minutes=4), 200),
        (-timedelta(minutes=6), 403),
    ],
)
def test_a_batch_is_taken_for_as_long_as_sendgrid_tries(desk, age, status):
    mailed(desk)
    assert told(desk, sendgrid_event("bounce", **GONE), at=NOON - age) == status
    assert bool(came_back(desk)) == (status == 200)


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b"null", b"[1,", b"\xff", b"[" * 100_000])
def test_what_is_no_batch_is_refused_though_it_is_signed(desk, body):
    assert told(desk, body=body) == 400


def test_ten_megabytes_are_refused_unread(desk):
    assert told(desk, body=b"[" + b" " * 10_000_000 + b"]") == 413


def test_without_a_key_there_is_nothing_here(desk, clock, tmp_path):
    assert told(a_desk(desk.engine, clock, tmp_path), sendgrid_event("bounce")) == 404


@pytest.mark.parametrize("key", ["nonsense", "AAAA", "rsa", "-----BEGIN PUBLIC KEY-----"])
def test_a_key_that_is_none_lets_the_provider_try_again(desk, clock, tmp_path, key):
    key = shown_key(rsa_key("other", 2048)) if key == "rsa" else key
    wrong = _desk(desk.engine, clock, tmp_path, key)
    mailed(wrong)
    assert told(wrong, sendgrid_event("bounce", **GONE)) == 503
    assert status_of(wrong, ADA) is Status.ACTIVE


def test_the_key_may_be_pem_too():
    public = p256("sendgrid").public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for text in (pem, pem.replace("\n", ""), shown_key(p256("sendgrid"))):
        assert sendgrid.public_key(text) == public
