"""Reports of Amazon SES: what proves them, what disproves them, what follows."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from digest.domain.subscribers import Status
from digest.errors import SourceUnreachable
from digest.sources.sns import Sns
from digest.store.database import open_engine
from digest.web.desk import Desk
from digest.web.webhooks.fields import Fields
from digest.web.webhooks.ses import signed_text
from tests.builders import NOON
from tests.web.building import a_desk
from tests.web.reported import (
    ADA,
    CERTIFICATE,
    DAY,
    GONE,
    HOUR,
    TOPIC,
    Amazon,
    a_notice,
    an_invitation,
    browser_of,
    came_back,
    canonical,
    certificate,
    join,
    mailed,
    ses_bounce,
    ses_complaint,
    ses_mail,
    signed,
    status_of,
)


@pytest.fixture
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture
def desk(sqlite_url: str, clock, tmp_path, amazon: Amazon) -> Iterator[Desk]:
    """A desk over SQLite, for what does not depend on the store."""
    engine = open_engine(sqlite_url)
    yield _desk(engine, clock, tmp_path, amazon)
    engine.dispose()


@pytest.fixture
def either(engine: Engine, clock, tmp_path, amazon: Amazon) -> Desk:
    """A desk over a store on each engine in turn."""
    return _desk(engine, clock, tmp_path, amazon)


def _desk(engine: Engine, clock, folder, amazon: Amazon) -> Desk:
    hooks = {"ses_topics": (TOPIC,)}
    return replace(a_desk(engine, clock, folder, webhooks=hooks), sns=Sns(amazon))


def told(desk: Desk, message: object) -> int:
    """The status of the reply to a message of SNS, sent as SNS sends it: as plain text."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    headers = {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-topic-arn": TOPIC}
    return browser_of(desk).client.post("/webhooks/ses", content=body, headers=headers).status_code


@pytest.mark.parametrize("proof", ["message id", "envelope sender", "address"])
def test_a_hard_bounce_suppresses_whoever_the_mail_went_to(either, proof):
    delivery = mailed(either)
    mail = {
        "message id": ses_mail(delivery, email="forwarded@else.example"),
        "envelope sender": ses_mail(source=either.means.verp.sender(delivery.id)),
        "address": ses_mail(),
    }[proof]
    named = ADA.upper() if proof == "address" else "forwarded@else.example"
    assert told(either, a_notice(ses_bounce(mail=mail, email=named, **GONE))) == 200
    assert status_of(either) is Status.SUPPRESSED
    assert came_back(either) == [("hard", "suppressed")]


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_the_signature_are_proof(desk, version):
    mailed(desk)
    assert told(desk, a_notice(ses_bounce(**GONE), version)) == 200
    assert status_of(desk) is Status.SUPPRESSED


def test_the_same_event_told_again_does_nothing(either):
    mailed(either)
    first, again = ses_bounce("Transient", "MailboxFull"), {"MessageId": "another-message"}
    assert told(either, a_notice(first)) == told(either, a_notice(first)) == 200
    assert told(either, a_notice(first, **again)) == 200
    assert came_back(either) == [("soft", "noted")]


def test_a_complaint_suppresses_for_good_but_not_one_that_calls_it_no_spam(either):
    mailed(either)
    no_spam = ses_complaint(complaintFeedbackType="not-spam", feedbackId="x")
    assert told(either, a_notice(no_spam)) == 200
    assert came_back(either) == []
    assert told(either, a_notice(ses_complaint(complaintFeedbackType=None))) == 200
    assert came_back(either) == [("complaint", "suppressed")]


def test_an_automatic_reply_on_every_day_of_a_holiday_counts_nobody_out(desk):
    mailed(desk)
    for day in range(10):
        reply = ses_bounce("Transient", "General", feedback=f"reply-{day}")
        assert told(desk, a_notice(reply)) == 200
    assert status_of(desk) is Status.ACTIVE
    assert came_back(desk) == []


def test_one_recipient_that_cannot_be_read_stops_no_other(desk):
    mailed(desk)
    bounce = ses_bounce(**GONE)
    bounce["bounce"]["bouncedRecipients"].insert(0, {"emailAddress": 7})
    bounce["bounce"]["bouncedRecipients"].insert(0, "no object")
    assert told(desk, a_notice(bounce)) == 200
    assert status_of(desk) is Status.SUPPRESSED


def test_a_bounce_that_names_nobody_concerns_the_mails_own_recipient(desk):
    mailed(desk)
    bounce = ses_bounce("Permanent", "NoEmail")
    bounce["bounce"]["bouncedRecipients"] = []
    assert told(desk, a_notice(bounce)) == 200
    assert status_of(desk) is Status.SUPPRESSED


def test_an_opt_out_by_list_management_unsubscribes(desk):
    mailed(desk)
    said = {"timestamp": "2026-03-12T11:30:00Z", "source": "UnsubscribeHeader"}
    for wishes, status in (({"unsubscribeAll": False}, "ACTIVE"), ({"unsubscribeAll": True}, "")):
        change = said | {"newTopicPreferences": wishes}
        event = {"eventType": "Subscription", "subscription": change, "mail": ses_mail()}
        assert told(desk, a_notice(event)) == 200
        expected = Status.ACTIVE if status else Status.UNSUBSCRIBED
        assert status_of(desk) is expected


@pytest.mark.parametrize(
    "said",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        {"eventType": "Delivery", "delivery": {}, "mail": {}},
        {"eventType": "DeliveryDelay", "deliveryDelay": {}, "mail": {}},
        {"eventType": "Something of next year"},
    ],
)
def test_what_means_nothing_is_taken_and_changes_nothing(desk, said):
    mailed(desk)
    assert told(desk, a_notice(said)) == 200
    assert came_back(desk) == []


def test_a_notice_without_a_subject_is_signed_without_one(desk):
    mailed(desk)
    bare = a_notice(ses_bounce(**GONE))
    del bare["Subject"]
    assert told(desk, signed(bare)) == 200
    assert told(desk, signed(bare) | {"Subject": "added"}) == 403
    assert came_back(desk) == [("hard", "suppressed")]


# What is not proved changes nothing


def test_no_signed_field_can_be_changed(desk):
    mailed(desk)
    good = a_notice(ses_bounce(**GONE))
    changed = {
        "Message": json.dumps(ses_bounce("Permanent", "Suppressed")),
        "MessageId": "other",
        "Subject": "other",
        "Timestamp": "2026-03-12T12:00:01.000Z",
        "Type": "UnsubscribeConfirmation",
        "SignatureVersion": "2",
        "Signature": good["Signature"][:-8] + "AAAAAAA=",
    }
    for name, value in changed.items():
        extra = {"Token": "t", "SubscribeURL": "https://x.example"}
        forged = good | {name: value} | (extra if name == "Type" else {})
        assert told(desk, forged) == 403, name
    assert (status_of(desk), came_back(desk)) == (Status.ACTIVE, [])


def test_no_line_end_can_move_a_value_into_its_neighbour(desk):
    """A text that is signed could else be read as another message."""
    good = a_notice(ses_bounce(**GONE))
    moved = dict(good)
    moved["MessageId"] = f"{good['MessageId']}\nSubject\n{good['Subject']}"
    del moved["Subject"]
    assert canonical(moved) == canonical(good)
    assert told(desk, moved) == 400
    assert came_back(desk) == []


def test_a_message_signed_by_another_key_is_refused(desk, amazon):
    mailed(desk)
    stranger = signed(a_notice(ses_bounce(**GONE)), key="stranger")
    assert told(desk, stranger) == 403
    assert status_of(desk) is Status.ACTIVE


_NOWHERE = [
    "https://sns.us-east-1.amazonaws.com.evil/SimpleNotificationService-0.pem",
    "https://evil.amazonaws.com.example.org/SimpleNotificationService-0.pem",
    "https://evil.example/SimpleNotificationService-0.pem",
    "http://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem",
    "https://sns.us-east-1.amazonaws.com@evil.example/SimpleNotificationService-0.pem",
    "https://user:pass@sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem",
    "https://sns.us-east-1.amazonaws.com:8443/SimpleNotificationService-0.pem",
    "https://sns.us-east-1.amazonaws.com/../SimpleNotificationService-0.pem",
    "https://sns.us-east-1.amazonaws.com/x/SimpleNotificationService-0.pem",
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem?x=.pem",
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem#x",
    "https://sns.us-east-1.amazonaws.com\\@evil/SimpleNotificationService-0.pem",
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem\n",
    "https://sns-us-east-1.s3.amazonaws.com/SimpleNotificationService-0.pem",
    "https://s3.us-east-1.amazonaws.com/SimpleNotificationService-0.pem",
    "https://sns.us-east-1.evil.amazonaws.com/SimpleNotificationService-0.pem",
    "https://sns.us-east-1.amazonaws.com.cn/SimpleNotificationService-0.pem",
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
    "https://SNS.us-east-1.amazonaws.com/SimpleNotificationService-0.pem",
    "https://sns.us\u2010east-1.amazonaws.com/SimpleNotificationService-0.pem",
    "https://127.0.0.1/SimpleNotificationService-0.pem",
    "file:///SimpleNotificationService-0.pem",
    "",
]


def test_a_certificate_is_fetched_from_nowhere_but_sns(desk, amazon):
    mailed(desk)
    for url in _NOWHERE:
        amazon.pages[url] = certificate("stranger")
        message = signed(a_notice(ses_bounce(**GONE)) | {"SigningCertURL": url}, key="stranger")
        assert told(desk, message) == 403, url
    assert amazon.asked == []
    assert came_back(desk) == []


def test_a_foreign_topic_is_refused_before_anything_is_fetched(desk, amazon):
    foreign = a_notice(ses_bounce(**GONE), TopicArn="arn:aws:sns:us-east-1:666666666666:mine")
    assert told(desk, foreign) == 403
    assert amazon.asked == []


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (timedelta(minutes=59), 200),
        (HOUR + timedelta(seconds=1), 403),
        (-timedelta(minutes=4), 200),
        (-timedelta(minutes=6), 403),
        (365 * DAY, 403),
    ],
)
def test_a_message_is_taken_within_the_hour_only(desk, age, status):
    mailed(desk)
    assert told(desk, a_notice(ses_bounce(**GONE), at=NOON - age)) == status
    assert bool(came_back(desk)) == (status == 200)


def test_a_replay_after_the_hour_does_nothing(desk, clock):
    notice = a_notice(ses_bounce(**GONE))
    assert told(desk, notice) == 200  # nobody has that address yet
    clock.now = NOON + 2 * HOUR
    join(desk, now=NOON + HOUR)
    assert told(desk, notice) == 403
    assert status_of(desk) is Status.ACTIVE


_NO_MESSAGES = [
    b"",
    b"{",
    b'{"Type": "Notification", "TopicArn": ',
    b"[]",
    b'"text"',
    b"null",
    b"\xff\xfe{}",
    b"[" * 100_000,
    b'{"TopicArn": NaN}',
    b'{"TopicArn": 7}',
    b"{}",
]


def test_what_is_no_message_is_refused(desk):
    for body in _NO_MESSAGES:
        assert told(desk, body) == 400, body[:60]


@pytest.mark.parametrize("name", ["TopicArn", "Type", "Timestamp", "SignatureVersion", "MessageId"])
def test_a_message_without_a_field_is_no_message(desk, name):
    whole = a_notice(ses_bounce(**GONE))
    whole[name] = None
    assert told(desk, whole) == 400
    whole[name] = "a" * 2_000
    assert told(desk, whole) in (400, 403)


@pytest.mark.parametrize(
    "said",
    [
        '{"eventType": "Bounce"',
        '{"eventType": "Bounce"}',
        '{"eventType": 1}',
        "{}",
        '{"a": "\\ud800"}',
    ],
)
def test_half_a_report_is_refused_though_it_is_signed(desk, said):
    assert told(desk, a_notice(said)) == 400


def test_half_a_character_cannot_be_signed(desk):
    message = a_notice("plain") | {"Message": "\ud800"}
    body = json.dumps(message).encode()
    assert told(desk, body) == 400


def test_ten_megabytes_are_refused_unread(desk, amazon):
    assert told(desk, b"[" + b" " * 10_000_000 + b"]") == 413
    assert amazon.asked == []


def test_a_mail_provider_that_is_not_set_up_is_not_there(desk, clock, tmp_path):
    unset = a_desk(desk.engine, clock, tmp_path)
    assert told(unset, a_notice(ses_bounce(**GONE))) == 404


def test_asking_changes_nothing(desk):
    client = browser_of(desk).client
    assert client.get("/webhooks/ses").status_code == 405
    assert client.head("/webhooks/ses").status_code == 405


# Invitations


def test_an_invitation_to_a_topic_of_ours_is_accepted(desk, amazon):
    invitation = an_invitation()
    amazon.pages[invitation["SubscribeURL"]] = b"<ConfirmSubscriptionResponse/>"
    assert told(desk, invitation) == 200
    assert amazon.asked == [CERTIFICATE, invitation["SubscribeURL"]]


def test_an_invitation_that_nobody_signed_is_not_followed(desk, amazon):
    invitation = an_invitation()
    forged = {
        "Token": "x",
        "SubscribeURL": invitation["SubscribeURL"] + "&x=1",
        "Message": "x",
        "Signature": "AAAA",
    }
    for name, value in forged.items():
        assert told(desk, invitation | {name: value}) == 403
    assert amazon.asked == [CERTIFICATE]


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.us-east-1.amazonaws.com.evil/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com@evil.example/?Action=ConfirmSubscription",
        f"https://sns.us-east-1.amazonaws.com/?Action=DeleteTopic&TopicArn={TOPIC}&Token=t",
        f"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}x&Token=t",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_even_a_signed_invitation_leads_nowhere_else(desk, amazon, url):
    assert told(desk, an_invitation(SubscribeURL=url, Token="t")) == 400
    assert amazon.asked == [CERTIFICATE]


def test_the_end_of_a_subscription_is_taken_and_not_undone(desk, amazon):
    assert told(desk, an_invitation("UnsubscribeConfirmation")) == 200
    assert amazon.asked == [CERTIFICATE]


def test_the_provider_tries_again_where_its_certificate_cannot_be_had(desk, amazon):
    mailed(desk)

    def down(url: str) -> bytes:
        raise SourceUnreachable("no answer")

    notice = a_notice(ses_bounce(**GONE))
    reply = browser_of(replace(desk, sns=Sns(down))).client.post("/webhooks/ses", json=notice)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "60")
    assert came_back(desk) == []
    assert told(desk, notice) == 200


def test_the_signed_text_is_the_one_of_the_developer_guide():
    message = {
        "Type": "Notification",
        "MessageId": "id",
        "TopicArn": "arn",
        "Subject": "My First Message",
        "Message": "two\nlines",
        "Timestamp": "2012-05-02T00:54:06.655Z",
    }
    assert signed_text(Fields(message)) == (
        b"Message\ntwo\nlines\nMessageId\nid\nSubject\nMy First Message\n"
        b"Timestamp\n2012-05-02T00:54:06.655Z\nTopicArn\narn\nType\nNotification\n"
    )
