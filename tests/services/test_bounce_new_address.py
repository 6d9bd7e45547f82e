"""What comes back from a new address that was to be confirmed, and what a change means for bounces:
the address that a subscriber has is never made to pay for another.
"""

from datetime import date, timedelta

import pytest

from digest.domain.bounces import BounceKind
from digest.domain.deliveries import MailKind, Sent
from digest.domain.returns_policy import Event, EventKind, Policy
from digest.domain.subscribers import Status, SuppressionReason
from digest.mail.returns import ReturnKind
from digest.services import address_change, bounce
from digest.services.bounce import Outcome
from digest.store import address_changes, bounces, ledger, ledger_read
from digest.store.turns import Sender, advance
from tests.builders import NOON
from tests.services.test_bounce import (
    DAY,
    KEYS,
    LATER,
    MEANS,
    a_bounce,
    came_back,
    failing,
    join,
    mailed,
    reason_of,
    status_of,
    to,
)

NEW = "ada@new.example"
HARD, SOFT = BounceKind.HARD, BounceKind.SOFT


def ask(session, person, email=NEW, now=NOON):
    address_change.ask(session, person.id, email, now=now, keys=KEYS)


def sent(session, person, now=NOON):
    """The mail to the new address, which went out; its delivery."""
    (row,) = ledger.claim(session, "me", now, timedelta(seconds=30), 1, only=[person.id])
    assert row.kind is MailKind.CHANGE_ADDRESS
    advance(session, Sender(owner="me", pepper=KEYS.pepper, now=now, wall=now), [], [row.id])
    ledger.record(session, row.id, "me", Sent(code=250, reply="OK"), now)
    return ledger_read.delivery(session, row.id)


@pytest.fixture
def ada(session):
    return join(session)


@pytest.fixture
def change(session, ada):
    ask(session, ada)
    return sent(session, ada)


def confirm(session, person, now):
    token = address_changes.of(session, person.id).token
    return address_change.confirm(session, person.id, token, now=now, keys=KEYS)


def test_a_hard_bounce_suppresses_the_new_address_and_ends_the_change(session, ada, change):
    done = came_back(session, a_bounce(failing(address=NEW), **to(change)))
    assert (done.outcome, done.email) == (Outcome.SUPPRESSED, NEW)
    assert reason_of(session, NEW) is SuppressionReason.BOUNCE
    assert reason_of(session) is None
    assert status_of(session, ada) is Status.ACTIVE
    assert address_changes.of(session, ada.id) is None
    (kept,) = bounces.listed(session, delivery_id=change.id)
    assert (kept.email, kept.acted) == ("", "suppressed")


def test_a_refusal_as_it_is_sent_suppresses_the_new_address_alone(session, ada, change):
    done = bounce.refused(
        session,
        change.id,
        550,
        "5.1.1 no such user",
        keys=KEYS,
        policy=Policy(),
        now=NOON,
    )
    assert (done.outcome, done.email) == (Outcome.SUPPRESSED, NEW)
    assert status_of(session, ada) is Status.ACTIVE
    assert reason_of(session) is None


def test_a_complaint_of_the_new_address_is_not_the_old_ones(session, ada, change):
    returned = a_bounce(kind=ReturnKind.COMPLAINT, message_ids=(change.message_id,))
    assert came_back(session, returned).email == NEW
    assert reason_of(session, NEW) is SuppressionReason.COMPLAINT
    assert status_of(session, ada) is Status.ACTIVE


def test_an_opt_out_of_the_new_address_ends_the_change_alone(session, ada, change):
    event = Event(
        kind=EventKind.UNSUBSCRIBE, key="k", happened_at=LATER, message_id=change.message_id
    )
    done = bounce.act(session, event, keys=KEYS, policy=Policy(), now=LATER)
    assert done.outcome is Outcome.NOTED
    assert status_of(session, ada) is Status.ACTIVE
    assert address_changes.of(session, ada.id) is None


def test_a_soft_bounce_of_the_new_address_is_noted_and_the_change_stays(session, ada, change):
    done = came_back(session, a_bounce(failing(SOFT, address=NEW), **to(change)))
    assert (done.outcome, done.email) == (Outcome.NOTED, NEW)
    assert address_changes.of(session, ada.id) is not None


def test_soft_bounces_of_the_new_address_do_not_count_for_the_old(session, ada, change):
    limit = MEANS.policy.soft_limit
    for day in range(limit - 1):
        soft = a_bounce(failing(SOFT, address=NEW), key=f"n{day}", **to(change))
        came_back(session, soft, NOON + day * DAY)
    digest = mailed(session, ada, date(2026, 3, 13), NOON + DAY)
    done = came_back(session, a_bounce(failing(SOFT), key="o", **to(digest)), NOON + 3 * DAY)
    assert (done.outcome, done.why) == (Outcome.NOTED, f"day 1 of {limit}")
    assert status_of(session, ada) is Status.ACTIVE


@pytest.mark.parametrize("end", ["replaced", "withdrawn", "forgotten"])
@pytest.mark.parametrize("kind", [ReturnKind.BOUNCE, ReturnKind.COMPLAINT])
def test_what_comes_back_of_a_change_that_is_over_concerns_nobody(session, ada, change, end, kind):
    if end == "replaced":
        ask(session, ada, "ada@third.example")
    elif end == "withdrawn":
        address_change.withdraw(session, ada.id)
    else:
        address_changes.forget_before(session, NOON + DAY)
    done = came_back(session, a_bounce(failing(address=NEW), kind=kind, **to(change)))
    assert (done.outcome, done.why) == (Outcome.NOTHING, "that change of address is over")
    assert status_of(session, ada) is Status.ACTIVE
    assert [reason_of(session, email) for email in (NEW, "ada@example.com")] == [None, None]


def test_a_bounce_among_several_is_read_by_the_new_address(session, ada, change):
    named = (failing(SOFT, address="relay@other.example"), failing(HARD, address=NEW.upper()))
    assert came_back(session, a_bounce(*named, **to(change))).outcome is Outcome.SUPPRESSED


def test_what_was_mailed_to_the_old_address_says_nothing_of_the_new_one(session, ada):
    digest = mailed(session, ada)
    ask(session, ada, now=NOON + timedelta(minutes=1))
    confirm(session, ada, NOON + timedelta(hours=1))
    done = came_back(session, a_bounce(failing(), **to(digest)))
    assert done.outcome is Outcome.STALE
    assert status_of(session, ada) is Status.ACTIVE
    assert reason_of(session, NEW) is None


def test_once_confirmed_the_new_address_is_the_subscribers(session, ada, change):
    confirm(session, ada, NOON + timedelta(hours=1))
    late = a_bounce(failing(address=NEW), **to(change))
    assert came_back(session, late).outcome is Outcome.STALE
    complaint = a_bounce(kind=ReturnKind.COMPLAINT, key="k2", **to(change))
    assert came_back(session, complaint).email == NEW
    assert status_of(session, ada) is Status.SUPPRESSED


def test_soft_bounces_of_the_old_address_do_not_count_for_the_new_one(session, ada):
    limit = MEANS.policy.soft_limit
    for day in range(limit - 1):
        now = NOON + day * DAY
        digest = mailed(session, ada, now.date(), now)
        came_back(session, a_bounce(failing(SOFT), key=f"o{day}", **to(digest)), now)
    changed = NOON + limit * DAY
    ask(session, ada, now=changed)
    sent(session, ada, changed)
    confirm(session, ada, changed)
    digest = mailed(session, ada, changed.date(), changed + DAY)
    done = came_back(
        session, a_bounce(failing(SOFT, address=NEW), key="n", **to(digest)), changed + DAY
    )
    assert done.why == f"day 1 of {limit}"


def test_what_an_erased_subscribers_new_address_sends_back_names_nobody(session, ada, change):
    bounce.desk.erase(session, ada.id, now=LATER, keys=KEYS)
    done = came_back(session, a_bounce(failing(address=NEW), **to(change)))
    assert (done.outcome, done.email) == (Outcome.NOTHING, "")
    assert reason_of(session, NEW) is None
