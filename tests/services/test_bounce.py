"""What follows from mails that come back, and from refusals as they are sent."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest

from digest.domain.bounces import BounceKind, Stage
from digest.domain.deliveries import DeliveryId, InDoubt, MailKind, Sent, State
from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.papers import PaperId
from digest.domain.returns_policy import Event, EventKind, Policy
from digest.domain.subscribers import Channel, ConsentEvent, Status, SuppressionReason
from digest.errors import Refused
from digest.mail.returns import Failure, Returned, ReturnKind
from digest.mail.tokens import Purpose, Tokens
from digest.mail.verp import Verp
from digest.services import bounce
from digest.services import subscribe as desk
from digest.services.bounce import Means, Outcome
from digest.services.subscribe import Keys
from digest.store import bounces, ledger, ledger_read, outbox, subscribers, suppressions
from digest.store.database import transaction
from digest.store.turns import Sender, advance
from tests.builders import NOON, some_interests

KEYS = Keys(pepper="p" * 32, secret="s" * 32, domain="papers.example")
VERP = Verp("bounces@papers.example", ["k" * 32])
TOKENS = Tokens(["k" * 32])
POLICY = Policy(soft_limit=3, soft_days=10)
MEANS = Means(verp=VERP, tokens=TOKENS, keys=KEYS, policy=POLICY)
HARD, SOFT, ABOUT_US = BounceKind.HARD, BounceKind.SOFT, BounceKind.POLICY
DAY = timedelta(days=1)
LATER = NOON + timedelta(hours=2)


def join(session, email="ada@example.com", now=NOON - 5 * DAY):
    return desk.subscribe(
        session,
        email,
        interests=some_interests("graphs"),
        confirmed=True,
        channel=Channel.CLI,
        now=now,
        keys=KEYS,
    )


def begin(session, number, now):
    advance(session, Sender(owner="me", pepper=KEYS.pepper, now=now, wall=now), [], [number])


def mailed(session, person, day=date(2026, 3, 12), now=NOON, state=State.SENT):
    """A digest to the person that went out at `now`; its delivery."""
    reason = Reason(where=Where.TITLE, interest="graphs", words=("graphs",))
    pick = Pick(paper_id=PaperId(1), score=1, relevance=1, trend=1, reason=reason)
    name = f"<digest.{person.id}.{day}@papers.example>"
    digest = Digest(digest_on=day, picks=(pick,))
    outbox.enqueue_digest(session, person.id, digest, edition_id=None, message_id=name, now=now)
    (row,) = ledger.claim(session, "me", now, timedelta(seconds=30), 1, only=[person.id])
    begin(session, row.id, now)
    if state is State.SENT:
        ledger.record(session, row.id, "me", Sent(code=250, reply="OK"), now)
    return ledger_read.delivery(session, row.id)


def a_bounce(*failures, **changes):
    values = {"kind": ReturnKind.BOUNCE, "failures": failures, "key": "k1"}
    return Returned(**values | changes)


def failing(kind=HARD, address="ada@example.com", status="5.1.1", detail="no such user"):
    return Failure(address=address, status=status, detail=detail, kind=kind)


def came_back(session, returned, now=LATER, means=MEANS, **changes):
    return bounce.handle(session, returned, means=means, now=now, **changes).done


def to(delivery):
    return {"addressed_to": (VERP.sender(delivery.id),)}


def status_of(session, person):
    return subscribers.by_id(session, person.id).status


def reason_of(session, email="ada@example.com"):
    return suppressions.reason_for(session, KEYS.hash_of(email))


@pytest.fixture
def ada(session):
    return join(session)


@pytest.fixture
def delivery(session, ada):
    return mailed(session, ada)


# Whose it was


@pytest.mark.parametrize("proof", ["token", "folded token", "message id", "both"])
def test_a_hard_bounce_of_ours_suppresses_and_cancels_what_waits(session, ada, delivery, proof):
    desk.queue_mail(session, MailKind.WELCOME, ada.id, LATER, KEYS)
    proofs = {
        "token": to(delivery),
        "folded token": {"addressed_to": ("x@y.example", VERP.sender(delivery.id).upper())},
        "message id": {"message_ids": ("<other@x>", delivery.message_id.strip("<>"))},
        "both": to(delivery) | {"message_ids": (delivery.message_id,)},
    }
    done = came_back(session, a_bounce(failing(), **proofs[proof]))
    assert (done.outcome, done.kind, done.email) == (
        Outcome.SUPPRESSED,
        EventKind.HARD,
        "ada@example.com",
    )
    assert (done.delivery_id, done.status) == (delivery.id, "5.1.1")
    assert status_of(session, ada) is Status.SUPPRESSED
    assert reason_of(session) is SuppressionReason.BOUNCE
    assert ledger_read.counts(session)[State.CANCELLED] == 1
    assert subscribers.consent_of(session, ada.id)[-1][1:] == (
        ConsentEvent.SUPPRESSED,
        Channel.MAIL,
    )
    (kept,) = bounces.listed(session, delivery_id=delivery.id)
    assert (kept.email, kept.kind, kept.acted) == ("ada@example.com", EventKind.HARD, "suppressed")
    assert kept.detail == "no such user"


def test_the_subscriber_is_concerned_though_the_bounce_names_where_they_forward_to(
    session, ada, delivery
):
    other = join(session, "ada@forward.example")
    forwarded = failing(address="ada@forward.example")
    assert came_back(session, a_bounce(forwarded, **to(delivery))).email == "ada@example.com"
    assert status_of(session, ada) is Status.SUPPRESSED
    assert status_of(session, other) is Status.ACTIVE


def test_what_one_of_several_forwards_still_takes_suppresses_nobody(session, ada, delivery):
    hard, soft = failing(address="a@x.example"), failing(SOFT, "b@x.example", "4.2.2")
    done = came_back(session, a_bounce(hard, soft, **to(delivery)))
    assert (done.outcome, done.kind) == (Outcome.NOTED, EventKind.SOFT)
    both = a_bounce(hard, failing(address="Ada@Example.com"), key="k2", **to(delivery))
    assert came_back(session, both).outcome is Outcome.SUPPRESSED


@pytest.mark.parametrize(
    "forge",
    [
        lambda d: {},
        lambda d: {"addressed_to": ("bounces@papers.example", "bounces+b1-aaaaaaaaaaaaaaaa@x.y")},
        lambda d: {"addressed_to": (Verp("b@x.y", ["other" * 7]).sender(d.id),)},
        lambda d: {"message_ids": ("<digest.guess@papers.example>", "", "<>", "\0@x", "\udcff@x")},
        lambda d: {"addressed_to": (VERP.sender(d.id + 1000),)},
        lambda d: {"addressed_to": (VERP.sender(2**31 + 5), VERP.sender(9_999_999_999))},
    ],
    ids=["nothing", "bad token", "another's key", "guessed id", "no such delivery", "huge ids"],
)
@pytest.mark.parametrize("kind", [ReturnKind.BOUNCE, ReturnKind.COMPLAINT])
def test_a_forged_or_a_strangers_return_does_nothing(session, ada, delivery, forge, kind):
    done = came_back(session, a_bounce(failing(), **{"kind": kind} | forge(delivery)))
    assert (done.outcome, done.email) == (Outcome.NOT_OURS, "")
    assert status_of(session, ada) is Status.ACTIVE
    assert bounces.listed(session) == []


def test_a_token_with_any_byte_changed_does_nothing(session, ada, delivery):
    sender = VERP.sender(delivery.id)
    for place in range(sender.index("+"), sender.index("@")):
        other = "c" if sender[place] != "c" else "d"
        changed = sender[:place] + other + sender[place + 1 :]
        returned = a_bounce(failing(), addressed_to=(changed,))
        assert came_back(session, returned).outcome is Outcome.NOT_OURS
    assert status_of(session, ada) is Status.ACTIVE


def test_proofs_of_two_subscribers_in_one_mail_do_nothing(session, ada, delivery):
    mallory = mailed(session, join(session, "mallory@example.com"))
    for proofs in (
        to(mallory) | {"message_ids": (delivery.message_id,)},
        {"addressed_to": (VERP.sender(mallory.id), VERP.sender(delivery.id))},
    ):
        done = came_back(session, a_bounce(failing(), **proofs))
        assert done.outcome is Outcome.NOT_OURS
    assert status_of(session, ada) is Status.ACTIVE


def test_a_subscriber_can_suppress_nobody_but_themselves(session, ada, delivery):
    mallory = join(session, "mallory@example.com")
    done = came_back(session, a_bounce(failing(), **to(mailed(session, mallory))))
    assert done.email == "mallory@example.com"
    assert status_of(session, ada) is Status.ACTIVE


def test_after_a_rotation_of_keys_old_tokens_still_prove(session, ada, delivery):
    rotated = replace(MEANS, verp=Verp("new@papers.example", ["n" * 32, "k" * 32]))
    returned = a_bounce(failing(), **to(delivery))
    assert came_back(session, returned, means=rotated).outcome is Outcome.SUPPRESSED
    retired = replace(MEANS, verp=Verp("new@papers.example", ["n" * 32]))
    assert came_back(session, returned, means=retired).outcome is Outcome.NOT_OURS


def test_a_bounce_of_our_own_bounce_mailbox_does_nothing(session, ada, delivery):
    loop = failing(address=VERP.sender(delivery.id))
    done = came_back(session, a_bounce(loop, failing(address="bounces@papers.example")))
    assert done.outcome is Outcome.NOTHING
    done = came_back(session, a_bounce(loop, **to(delivery)))
    assert done.outcome is Outcome.NOTHING
    looped = a_bounce(failing(), sender=VERP.sender(delivery.id), **to(delivery))
    assert came_back(session, looped).outcome is Outcome.NOTHING
    assert status_of(session, ada) is Status.ACTIVE


def test_a_delivery_in_doubt_that_came_back_is_known_by_its_message_id(session, ada):
    row = mailed(session, ada, state=State.SENDING)
    for _ in range(2):
        ledger.record(session, row.id, "me", InDoubt(detail="lost"), NOON)
        ledger.claim(session, "me", NOON, timedelta(seconds=30), 1, only=[ada.id])
        begin(session, row.id, NOON)
    assert ledger_read.delivery(session, row.id).state is State.HELD
    returned = a_bounce(failing(), message_ids=(row.message_id,))
    assert came_back(session, returned).outcome is Outcome.SUPPRESSED


def test_what_an_erased_subscriber_had_come_back_names_nobody(session, ada, delivery):
    quoting = failing(SOFT, detail="<ada@example.com>: mailbox full")
    came_back(session, a_bounce(quoting, **to(delivery)))
    desk.erase(session, ada.id, now=LATER, keys=KEYS)
    (kept,) = bounces.listed(session)
    assert (kept.email, kept.detail, kept.kind) == ("", "", EventKind.SOFT)
    done = came_back(session, a_bounce(failing(), key="k2", **to(delivery)))
    assert (done.outcome, done.email) == (Outcome.NOTHING, "")
    assert len(bounces.listed(session)) == 1


# What follows


def test_the_same_mail_twice_counts_once(session, ada, delivery):
    soft = a_bounce(failing(SOFT), **to(delivery))
    assert came_back(session, soft).outcome is Outcome.NOTED
    for days in range(5):
        assert came_back(session, soft, now=LATER + days * DAY).outcome is Outcome.KNOWN
    assert len(bounces.listed(session)) == 1
    assert status_of(session, ada) is Status.ACTIVE


def test_soft_bounces_suppress_after_enough_days_and_not_sooner(session, ada, delivery):
    days = [0, 0, 0, 1, 1, 2]
    outcomes = [
        came_back(
            session, a_bounce(failing(SOFT), key=f"s{n}", **to(delivery)), now=LATER + day * DAY
        ).outcome
        for n, day in enumerate(days)
    ]
    assert outcomes == [Outcome.NOTED] * 5 + [Outcome.SUPPRESSED]
    assert reason_of(session) is SuppressionReason.BOUNCE


def test_soft_bounces_count_by_the_date_they_bear_in_whatever_order(session, ada, delivery):
    for n, day in enumerate((2, 0, 1)):
        soft = a_bounce(failing(SOFT), key=f"s{n}", **to(delivery))
        done = came_back(session, soft, now=LATER + 5 * DAY, written_at=LATER + day * DAY)
    assert done.outcome is Outcome.SUPPRESSED


def test_a_date_that_cannot_be_true_is_not_believed(session, ada, delivery):
    for n, at in enumerate((LATER + 900 * DAY, NOON - 900 * DAY)):
        soft = a_bounce(failing(SOFT), key=f"s{n}", **to(delivery))
        came_back(session, soft, now=LATER + DAY, written_at=at)
    told = [kept.happened_at for kept in bounces.listed(session)]
    assert told == [LATER + DAY, NOON]


def test_what_speaks_of_us_never_suppresses(session, ada, delivery):
    for n in range(20):
        blocked = a_bounce(failing(ABOUT_US, status="5.7.1"), key=f"p{n}", **to(delivery))
        assert came_back(session, blocked, now=LATER + n * DAY).outcome is Outcome.NOTED
    assert status_of(session, ada) is Status.ACTIVE


def test_a_bounce_that_says_nothing_counts_as_soft(session, ada, delivery):
    done = came_back(session, a_bounce(**to(delivery)))
    assert (done.kind, done.outcome) == (EventKind.SOFT, Outcome.NOTED)


@pytest.mark.parametrize("kind", [HARD, SOFT])
def test_what_was_mailed_before_they_signed_up_again_says_nothing(session, ada, delivery, kind):
    desk.unsubscribe(session, ada.id, channel=Channel.LINK, now=LATER)
    again = desk.subscribe(session, ada.email, channel=Channel.FORM, now=LATER, keys=KEYS)
    desk.confirm(session, again.id, channel=Channel.LINK, now=LATER, keys=KEYS)
    done = came_back(session, a_bounce(failing(kind), **to(delivery)), now=LATER + DAY)
    assert done.outcome is Outcome.STALE
    assert status_of(session, ada) is Status.ACTIVE
    fresh = mailed(session, ada, date(2026, 3, 14), LATER + DAY)
    done = came_back(session, a_bounce(failing(kind), **to(fresh)), now=LATER + DAY)
    assert done.outcome in (Outcome.SUPPRESSED, Outcome.NOTED)


def test_soft_bounces_from_before_a_new_sign_up_do_not_count(session, ada, delivery):
    for n in range(2):
        soft = a_bounce(failing(SOFT), key=f"s{n}", **to(delivery))
        came_back(session, soft, now=LATER + n * DAY)
    now = LATER + 2 * DAY
    desk.unsubscribe(session, ada.id, channel=Channel.LINK, now=now)
    desk.subscribe(session, ada.email, channel=Channel.FORM, now=now, keys=KEYS)
    desk.confirm(session, ada.id, channel=Channel.LINK, now=now, keys=KEYS)
    fresh = mailed(session, ada, date(2026, 3, 15), now + DAY)
    soft = a_bounce(failing(SOFT), key="s9", **to(fresh))
    assert came_back(session, soft, now=now + DAY).outcome is Outcome.NOTED


def test_a_complaint_suppresses_for_good_even_after_a_bounce(session, ada, delivery):
    came_back(session, a_bounce(failing(), **to(delivery)))
    spam = Returned(kind=ReturnKind.COMPLAINT, key="c", message_ids=(delivery.message_id,))
    assert came_back(session, spam).kind is EventKind.COMPLAINT
    assert reason_of(session) is SuppressionReason.COMPLAINT
    with pytest.raises(Refused):
        join(session)


def test_a_complaint_whose_addresses_are_blacked_out_is_known_by_its_opt_out_link(session, ada):
    token = TOKENS.sign(Purpose.UNSUBSCRIBE, str(ada.id), NOON)
    spam = Returned(kind=ReturnKind.COMPLAINT, key="c", unsubscribe_token=token)
    assert came_back(session, spam).outcome is Outcome.SUPPRESSED
    assert reason_of(session) is SuppressionReason.COMPLAINT


def test_who_asks_by_mail_with_their_token_is_unsubscribed(session, ada, delivery):
    desk.queue_mail(session, MailKind.WELCOME, ada.id, LATER, KEYS)
    token = TOKENS.sign(Purpose.UNSUBSCRIBE, str(ada.id), NOON)
    leave = Returned(kind=ReturnKind.UNSUBSCRIBE, key="u", unsubscribe_token=token)
    assert came_back(session, leave, now=LATER + 400 * DAY).outcome is Outcome.UNSUBSCRIBED
    assert status_of(session, ada) is Status.UNSUBSCRIBED
    assert ledger_read.counts(session)[State.CANCELLED] == 1
    assert subscribers.consent_of(session, ada.id)[-1][1:] == (
        ConsentEvent.UNSUBSCRIBED,
        Channel.MAIL,
    )
    again = replace(leave, key="u2")
    assert came_back(session, again).outcome is Outcome.NOTED


@pytest.mark.parametrize(
    "token", [None, "", "x", "\udcff", "MQ.x.y", "a" * 10_000, "of another purpose", "nobody"]
)
def test_an_opt_out_without_a_token_of_ours_does_nothing(session, ada, token):
    if token == "of another purpose":
        token = TOKENS.sign(Purpose.PREFERENCES, str(ada.id), NOON)
    expected = Outcome.NOT_OURS
    if token == "nobody":
        token, expected = TOKENS.sign(Purpose.UNSUBSCRIBE, "2000000000", NOON), Outcome.NOTHING
    leave = Returned(kind=ReturnKind.UNSUBSCRIBE, key="u", unsubscribe_token=token)
    assert came_back(session, leave).outcome is expected
    assert status_of(session, ada) is Status.ACTIVE


@pytest.mark.parametrize("kind", [ReturnKind.AUTO_REPLY, ReturnKind.OTHER])
def test_automatic_replies_and_other_mail_do_nothing(session, ada, delivery, kind):
    assert came_back(session, a_bounce(kind=kind, **to(delivery))).outcome is Outcome.NOTHING
    assert bounces.listed(session) == []


def test_of_two_readers_of_one_mail_at_once_one_counts_it(engine):
    with transaction(engine) as session:
        delivery = mailed(session, join(session))
    soft = a_bounce(failing(SOFT), **to(delivery))

    def read(_):
        with transaction(engine) as session:
            return came_back(session, soft).outcome

    with ThreadPoolExecutor(4) as readers:
        outcomes = sorted(readers.map(read, range(4)))
    assert outcomes == [Outcome.KNOWN] * 3 + [Outcome.NOTED]


# At send time


def refuse(session, delivery, code, reply, now=NOON, **changes):
    return bounce.refused(
        session, delivery.id, code, reply, keys=KEYS, policy=POLICY, now=now, **changes
    )


def test_a_relay_that_knows_no_such_user_suppresses_at_once(session, ada):
    delivery = mailed(session, ada, state=State.SENDING)
    done = refuse(session, delivery, 550, "5.1.1 <ada@example.com>: no such user", stage=Stage.RCPT)
    assert done and done.outcome is Outcome.SUPPRESSED
    assert reason_of(session) is SuppressionReason.BOUNCE
    assert ledger_read.delivery(session, delivery.id).state is State.SENDING
    (kept,) = bounces.listed(session, email="ADA@example.com")
    assert (kept.status, kept.detail[:9]) == ("5.1.1", "550 5.1.1")


def test_refusals_of_us_and_soft_ones_are_noted_and_no_relay_is_nothing(session, ada):
    delivery = mailed(session, ada, state=State.SENDING)
    done = refuse(session, delivery, 554, "5.7.1 blocked: poor reputation of your address")
    assert done and (done.outcome, done.kind) == (Outcome.NOTED, EventKind.POLICY)
    assert refuse(session, delivery, 0, "the mail cannot be made") is None
    assert status_of(session, ada) is Status.ACTIVE
    for days in range(1, 4):
        done = refuse(session, delivery, 452, "4.2.2 mailbox full", NOON + days * DAY)
    assert done and (done.outcome, done.kind) == (Outcome.SUPPRESSED, EventKind.SOFT)


# From webhooks, later


def test_an_event_is_known_by_delivery_message_id_or_address(session, ada, delivery):
    event = Event(kind=EventKind.SOFT, key="w1", happened_at=LATER)
    by_id = replace(event, delivery_id=delivery.id)
    by_name = replace(event, key="w2", message_id=delivery.message_id)
    by_address = replace(event, key="w3", address="ADA@example.com")
    for one in (by_id, by_name, by_address):
        done = bounce.act(session, one, keys=KEYS, policy=POLICY, now=LATER)
        assert (done.outcome, done.email) == (Outcome.NOTED, "ada@example.com")
    stale = replace(event, key="w4", address=ada.email, happened_at=NOON - 90 * DAY)
    done = bounce.act(session, stale, keys=KEYS, policy=POLICY, now=LATER)
    assert done.outcome is Outcome.STALE
    for stranger in (
        event,
        replace(event, address="eve@example.com"),
        replace(event, delivery_id=DeliveryId(2**40), address=ada.email),
    ):
        done = bounce.act(session, stranger, keys=KEYS, policy=POLICY, now=LATER)
        assert done.outcome is Outcome.NOT_OURS
