"""The story of one mail: in order, and with what happens next."""

from datetime import date, timedelta

import pytest

from digest.domain.deliveries import Delivery, DeliveryId, MailKind, State, TryOutcome
from digest.domain.editions import Edition, EditionId
from digest.domain.feedback import Opinion
from digest.domain.returns_policy import EventKind
from digest.domain.story import Known, Returned, Tried, Voted, Wished, story, what_next
from digest.domain.subscribers import Channel, ConsentEvent
from tests.builders import NOON

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def a_delivery(state=State.SENT, **changes):
    values = {
        "id": DeliveryId(17),
        "kind": MailKind.DIGEST,
        "subscriber_id": 1,
        "email": "ada@example.com",
        "digest_on": date(2026, 3, 12),
        "edition_id": 4,
        "state": state,
        "reason": "",
        "attempts": 1,
        "doubtful": 0,
        "message_id": "<a@b>",
        "token": "",
        "picks": "[]",
        "queued_at": NOON,
        "due_at": NOON,
        "begun_at": None,
        "sent_at": None,
        "smtp_code": None,
    }
    return Delivery(**values | changes)


def test_all_that_happened_stands_in_order():
    known = Known(
        delivery=a_delivery(sent_at=NOON + 10 * MINUTE, smtp_code=250, attempts=2),
        papers=3,
        edition=Edition(id=EditionId(4), cutoff_at=NOON - MINUTE, lookback_days=7),
        reply="2.0.0 queued as 9",
        tries=[Tried(at=NOON + MINUTE, outcome=TryOutcome.DEFERRED, code=451, reply="later")],
        returned=[Returned(at=NOON + 3 * HOUR, kind=EventKind.SOFT, acted="noted", detail="full")],
        votes=[
            Voted(at=NOON + HOUR, opinion=Opinion.MORE, channel=Channel.LINK, paper="On waiting"),
            Voted(at=NOON + HOUR, opinion=Opinion.CLICK, channel=Channel.LINK, paper="On time"),
        ],
        wishes=[Wished(at=NOON + 2 * HOUR, event=ConsentEvent.UNSUBSCRIBED, channel=Channel.LINK)],
    )
    assert [(event.what, event.text) for event in story(known)] == [
        ("edition", "edition 4 is cut off: papers first seen in the 7 days before"),
        ("composed", "3 papers from edition 4, for 2026-03-12"),
        ("deferred", "451 later"),
        ("sent", "the relay took it, at try 2: 250 2.0.0 queued as 9"),
        ("vote", "wants more like On waiting (by link)"),
        ("vote", "opened On time (by link)"),
        ("unsubscribed", "by link; this was the last mail sent before"),
        ("came back", "soft: noted (full)"),
    ]


@pytest.mark.parametrize(
    ("known", "told", "at"),
    [
        (Known(delivery=a_delivery(State.QUEUED)), "due: the next sender", NOON),
        (
            Known(delivery=a_delivery(State.DEFERRED, due_at=NOON + HOUR)),
            "next try",
            NOON + HOUR,
        ),
        (
            Known(delivery=a_delivery(State.DEFERRED, due_at=NOON + 49 * HOUR)),
            "the last try",
            NOON + 49 * HOUR,
        ),
        (
            Known(delivery=a_delivery(State.QUEUED), relay_rests_until=NOON + 8 * MINUTE),
            "the relay rests; next try",
            NOON + 8 * MINUTE,
        ),
        (
            Known(
                delivery=a_delivery(State.SENDING, begun_at=NOON),
                owner="mail1:7",
                lease_until=NOON + MINUTE,
            ),
            "then it counts as in doubt",
            NOON + MINUTE,
        ),
        (
            Known(delivery=a_delivery(), next_digest_at=NOON + 24 * HOUR),
            "the reader's next digest",
            NOON + 24 * HOUR,
        ),
        (Known(delivery=a_delivery()), "nothing: it is done", None),
        (Known(delivery=a_delivery(State.FAILED)), "digest deliveries retry 17", None),
        (Known(delivery=a_delivery(State.HELD)), "may have arrived twice", None),
        (Known(delivery=a_delivery(State.CANCELLED)), "nothing", None),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else "",
)
def test_what_happens_next_is_told_with_its_time(known, told, at):
    words, instant = what_next(known, NOON + MINUTE / 2)
    assert told in words
    assert instant == at


def test_a_mail_of_another_kind_and_a_skip_are_told_as_what_they_are():
    confirm = Known(delivery=a_delivery(kind=MailKind.CONFIRM, digest_on=None, edition_id=None))
    assert [event.what for event in story(confirm)] == ["queued"]
    skipped = Known(delivery=a_delivery(State.SKIPPED, reason="no_matches"))
    assert [(event.what, event.text) for event in story(skipped)] == [("skipped", "no_matches")]


def test_the_sender_that_holds_it_is_named():
    claimed = Known(delivery=a_delivery(State.SENDING), owner="mail1:7")
    assert story(claimed)[-1].what == "claimed"
    begun = Known(delivery=a_delivery(State.SENDING, begun_at=NOON + MINUTE), owner="mail1:7")
    assert (story(begun)[-1].what, story(begun)[-1].text) == ("begun", "by mail1:7")
