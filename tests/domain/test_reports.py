"""What each provider's words say about an address."""

import pytest

from digest.domain.reports import (
    Verdict,
    event_key,
    judged,
    postmark_bounce,
    postmark_suppression,
    sendgrid_event,
    ses_bounce,
    ses_complaint,
)
from digest.domain.returns_policy import EventKind

HARD, SOFT, POLICY = EventKind.HARD, EventKind.SOFT, EventKind.POLICY
COMPLAINT, UNSUBSCRIBE = EventKind.COMPLAINT, EventKind.UNSUBSCRIBE

GONE = ("5.1.1", "smtp; 550 5.1.1 user unknown")
SPAM = ("5.7.1", "smtp; 554 5.7.1 message rejected as spam")
FULL = ("4.2.2", "smtp; 452 4.2.2 mailbox full")
SILENT = ("", "")


@pytest.mark.parametrize(
    ("kind", "subtype", "said", "expected"),
    [
        ("Permanent", "General", GONE, HARD),
        ("Permanent", "General", SILENT, HARD),
        ("Permanent", "General", ("5.0.0", ""), HARD),
        ("Permanent", "General", SPAM, POLICY),
        ("Permanent", "General", ("5.2.2", "smtp; 552 5.2.2 mailbox full"), SOFT),
        ("Permanent", "NoEmail", SILENT, HARD),
        ("Permanent", "Suppressed", SILENT, HARD),
        ("Permanent", "Suppressed", SPAM, HARD),
        ("Permanent", "OnAccountSuppressionList", ("5.1.1", "not sent: suppression list"), HARD),
        ("Permanent", "UnsubscribedRecipient", SILENT, UNSUBSCRIBE),
        ("Permanent", "OfNextYear", SILENT, SOFT),
        ("Permanent", "OfNextYear", SPAM, POLICY),
        ("Transient", "General", SILENT, None),
        ("Transient", "General", FULL, SOFT),
        ("Transient", "General", GONE, SOFT),
        ("Transient", "MailboxFull", SILENT, SOFT),
        ("Transient", "MessageTooLarge", SILENT, POLICY),
        ("Transient", "ContentRejected", SILENT, POLICY),
        ("Transient", "AttachmentRejected", SILENT, POLICY),
        ("Transient", "OfNextYear", SILENT, SOFT),
        ("Undetermined", "Undetermined", SILENT, SOFT),
        ("Undetermined", "Undetermined", SPAM, POLICY),
        ("OfNextYear", "", SILENT, SOFT),
    ],
)
def test_bounces_of_ses(kind, subtype, said, expected):
    assert judged(ses_bounce(kind, subtype), status=said[0], answer=said[1]) is expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("", COMPLAINT), ("abuse", COMPLAINT), ("fraud", COMPLAINT), ("virus", COMPLAINT),
        ("other", COMPLAINT), ("not-spam", None), ("auth-failure", None), ("Not-Spam", None),
    ],
)  # fmt: skip
def test_complaints_of_ses(label, expected):
    assert ses_complaint(label).kind is expected


@pytest.mark.parametrize(
    ("event", "label", "classification", "reason", "expected"),
    [
        ("bounce", "bounce", "", "550 5.1.1 no such user", HARD),
        ("bounce", "bounce", "Unclassified", "", HARD),
        ("bounce", "", "", "", HARD),
        ("bounce", "bounce", "Invalid Address", "", HARD),
        ("bounce", "bounce", "Invalid Address", "550 5.7.1 blocked as spam", POLICY),
        ("bounce", "bounce", "Mailbox Unavailable", "552 5.2.2 quota exceeded", SOFT),
        ("bounce", "bounce", "Mailbox Unavailable", "550 5.1.1 user unknown", SOFT),
        ("bounce", "bounce", "Technical Failure", "", SOFT),
        ("bounce", "bounce", "Reputation", "", POLICY),
        ("bounce", "bounce", "A class of next year", "550 5.1.1 no such user", HARD),
        ("bounce", "blocked", "", "550 5.7.1 listed at Spamhaus", POLICY),
        ("bounce", "blocked", "", "452 4.2.2 mailbox full", SOFT),
        ("bounce", "blocked", "Invalid Address", "550 5.1.1 user unknown", SOFT),
        ("bounce", "blocked", "", "550 5.1.1 user unknown", SOFT),
        ("blocked", "", "Content", "", POLICY),
        ("dropped", "", "", "Bounced Address", HARD),
        ("dropped", "", "", "Invalid", HARD),
        ("dropped", "", "", "Spam Reporting Address", COMPLAINT),
        ("dropped", "", "", "Unsubscribed Address", UNSUBSCRIBE),
        ("dropped", "", "", "Spam Content", POLICY),
        ("dropped", "", "", "a reason of next year", POLICY),
        ("deferred", "", "", "451 try again", None),
        ("spamreport", "", "", "", COMPLAINT),
        ("unsubscribe", "", "", "", UNSUBSCRIBE),
        ("group_unsubscribe", "", "", "", UNSUBSCRIBE),
        ("group_resubscribe", "", "", "", None),
        ("delivered", "", "", "", None),
        ("account_status_change", "", "", "", None),
    ],
)
def test_events_of_sendgrid(event, label, classification, reason, expected):
    assert judged(sendgrid_event(event, label, classification, reason), answer=reason) is expected


@pytest.mark.parametrize(
    ("expected", "kinds"),
    [
        (HARD, "HardBounce BadEmailAddress"),
        (SOFT, "SoftBounce DnsError Unknown OfNextYear"),
        (POLICY, "SpamNotification Blocked VirusNotification DMARCPolicy SMTPApiError Unconfirmed"),
        (COMPLAINT, "SpamComplaint"),
        (UNSUBSCRIBE, "Unsubscribe ManuallyDeactivated"),
        (None, "Transient AutoResponder AddressChange Subscribe OpenRelayTest InboundError"),
        (None, "ChallengeVerification"),
    ],
)
def test_bounces_of_postmark(expected, kinds):
    assert {judged(postmark_bounce(kind)) for kind in kinds.split()} == {expected}


def test_changes_of_postmarks_list():
    told = {
        reason: postmark_suppression(reason, "Recipient").kind
        for reason in ("HardBounce", "SpamComplaint", "ManualSuppression", "OfNextYear")
    }
    assert list(told.values()) == [HARD, COMPLAINT, UNSUBSCRIBE, None]
    assert postmark_suppression("ManualSuppression", "Customer").kind is UNSUBSCRIBE


def test_no_words_make_hard_what_the_provider_calls_passing():
    assert judged(Verdict(POLICY, by_words=True), answer="550 5.1.1 no such user") is SOFT
    assert judged(Verdict(POLICY), answer="550 5.1.1 no such user") is POLICY


def test_a_key_tells_events_apart_and_holds_no_address():
    keys = {
        event_key("ses", "a", "b"), event_key("ses", "ab", ""), event_key("ses", "", "ab"),
        event_key("sendgrid", "a", "b"), event_key("ses", "a", "\ud800"),
    }  # fmt: skip
    assert len(keys) == 5
    assert event_key("ses", "id", "ada@lab.example") == event_key("ses", "id", "ada@lab.example")
    assert not any("ada" in key for key in [event_key("ses", "id", "ada@lab.example")])
