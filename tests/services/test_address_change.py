"""A change of address: asked for silently, mailed to the new one, carried out once confirmed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from digest.domain.deliveries import DeliveryId, MailKind, Sent, State
from digest.domain.subscribers import Channel, ConsentEvent, Status, SuppressionReason
from digest.errors import InvalidInput, NotFound, Refused
from digest.services import address_change
from digest.services import subscribe as desk
from digest.services.subscribe import Keys
from digest.store import address_changes, asked_mails, ledger, ledger_read, subscribers
from digest.store.database import transaction
from digest.store.ledger_read import Which
from digest.store.turns import Sender, Start, advance
from tests.builders import NOON, some_interests

KEYS = Keys(pepper="p" * 32, secret="s" * 32, domain="papers.example")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NEW = "ada@new.example"


def join(session, email="ada@example.com"):
    return desk.subscribe(
        session,
        email,
        interests=some_interests("graphs"),
        confirmed=True,
        channel=Channel.CLI,
        now=NOON - 5 * DAY,
        keys=KEYS,
    )


def ask(session, person, email=NEW, now=NOON):
    address_change.ask(session, person.id, email, now=now, keys=KEYS)


def confirm(session, person, token, now=NOON + HOUR):
    return address_change.confirm(session, person.id, token, now=now, keys=KEYS)


def wanted(session, person):
    change = address_changes.of(session, person.id)
    return change.email if change else None


def token_of(session, person):
    return address_changes.of(session, person.id).token


def mails(session):
    kind = [MailKind.CHANGE_ADDRESS]
    return ledger_read.list_deliveries(session, Which(kinds=kind))[::-1]


def claim(session, now=NOON):
    return ledger.claim(session, "me", now, timedelta(seconds=30), 10)


def begin(session, it, now=NOON):
    sender = Sender(owner="me", pepper=KEYS.pepper, now=now, wall=now)
    return advance(session, sender, [], [it.id]).starts[it.id]


def said(session, delivery_id: DeliveryId):
    found = ledger_read.delivery(session, delivery_id)
    return found.state, found.reason


@pytest.fixture
def ada(session):
    return join(session)


def test_the_new_address_is_written_to_and_nothing_changes_yet(session, ada):
    ask(session, ada)
    (it,) = claim(session)
    assert (it.kind, it.recipient) == (MailKind.CHANGE_ADDRESS, NEW)
    assert it.subscriber.email == "ada@example.com"
    assert begin(session, it) is Start.BEGUN
    assert subscribers.by_id(session, ada.id) == ada


def test_confirmed_the_new_address_takes_the_place_of_the_old_one(session, ada):
    ask(session, ada)
    token = token_of(session, ada)
    assert confirm(session, ada, token) == replace(ada, email=NEW)
    assert subscribers.find_by_email(session, "ada@example.com") is None
    assert subscribers.by_email(session, NEW.upper()).id == ada.id
    assert address_changes.of(session, ada.id) is None
    assert subscribers.consent_of(session, ada.id)[-1] == (
        NOON + HOUR,
        ConsentEvent.ADDRESS_CHANGED,
        Channel.LINK,
    )
    assert [mail.kind for mail in ledger_read.list_deliveries(session)] == [MailKind.CHANGE_ADDRESS]


def test_the_ledger_names_the_new_address_as_long_as_it_is_wanted(session, ada):
    desk.queue_mail(session, MailKind.ACCESS, ada.id, NOON, KEYS)
    ask(session, ada)
    ask(session, ada, "ada@third.example", NOON + HOUR)
    listed = ledger_read.list_deliveries(session, Which(email="ada@example.com"))
    assert [one.email for one in listed] == ["ada@third.example", "", "ada@example.com"]
    address_change.withdraw(session, ada.id)
    assert [one.email for one in mails(session)] == ["", ""]


def test_a_button_pressed_twice_does_no_more(session, ada):
    ask(session, ada)
    token = token_of(session, ada)
    confirm(session, ada, token)
    events = subscribers.consent_of(session, ada.id)
    assert confirm(session, ada, token, NOON + 2 * HOUR).email == NEW
    assert subscribers.consent_of(session, ada.id) == events


def test_the_paused_may_change_their_address_too(session, ada):
    desk.pause(session, ada.id, channel=Channel.LINK, now=NOON)
    ask(session, ada)
    (it,) = claim(session)
    assert begin(session, it) is Start.BEGUN
    done = confirm(session, ada, token_of(session, ada))
    assert (done.email, done.status) == (NEW, Status.PAUSED)


@pytest.mark.parametrize("why", ["taken", "suppressed", "erased", "asked today"])
def test_what_may_not_be_mailed_is_not_and_looks_the_same(session, ada, why):
    if why == "taken":
        join(session, NEW.replace("ada", "ADA"))
    elif why == "suppressed":
        reason, channel = SuppressionReason.BOUNCE, Channel.MAIL
        desk.suppress(session, NEW, reason, channel=channel, now=NOON, keys=KEYS)
    elif why == "erased":
        desk.erase(session, join(session, NEW).id, now=NOON, keys=KEYS)
    else:
        assert asked_mails.may_ask(session, KEYS.hash_of(NEW), NOON - HOUR)
    ask(session, ada)
    assert mails(session) == []
    assert wanted(session, ada) == NEW


@pytest.mark.parametrize("why", ["taken", "suppressed"])
def test_a_mail_not_sent_uses_up_nobodys_mail_of_the_day(session, ada, why):
    if why == "taken":
        join(session, NEW)
    else:
        reason, channel = SuppressionReason.BOUNCE, Channel.MAIL
        desk.suppress(session, NEW, reason, channel=channel, now=NOON, keys=KEYS)
    ask(session, ada)
    assert asked_mails.may_ask(session, KEYS.hash_of(NEW), NOON)


def test_however_often_it_is_asked_one_mail_a_day_goes_out(session, ada):
    bob = join(session, "bob@example.com")
    for hour in range(0, 24, 3):
        ask(session, ada, now=NOON + hour * HOUR)
        ask(session, bob, now=NOON + hour * HOUR)
    assert len(mails(session)) == 1
    ask(session, ada, now=NOON + DAY)
    assert len(mails(session)) == 2


def test_the_link_of_a_mail_holds_as_long_as_its_address_is_wanted(session, ada):
    ask(session, ada)
    first = token_of(session, ada)
    ask(session, ada, "ada@third.example", NOON + HOUR)
    with pytest.raises(Refused, match="over"):
        confirm(session, ada, first)
    ask(session, ada, now=NOON + 2 * HOUR)  # no second mail today: the first one's link is good
    assert len(mails(session)) == 2
    assert confirm(session, ada, first, NOON + 3 * HOUR).email == NEW


@pytest.mark.parametrize("when", ["before the claim", "after the claim"])
@pytest.mark.parametrize("what", ["replaced", "withdrawn", "confirmed"])
def test_a_mail_whose_change_is_over_is_cancelled(session, ada, when, what):
    def end():
        if what == "replaced":
            ask(session, ada, "ada@third.example")
            ledger.claim(session, "other", NOON, DAY, 10)
        elif what == "withdrawn":
            assert address_change.withdraw(session, ada.id)
        else:
            confirm(session, ada, token_of(session, ada))

    ask(session, ada)
    (mail,) = mails(session)
    if when == "before the claim":
        end()
        assert claim(session) == []
    else:
        (it,) = claim(session)
        end()
        assert begin(session, it) is Start.CANCELLED
    assert said(session, mail.id) == (State.CANCELLED, "withdrawn")


def test_a_new_address_that_is_suppressed_meanwhile_is_not_mailed(session, ada):
    ask(session, ada)
    (it,) = claim(session)
    reason, channel = SuppressionReason.REQUEST, Channel.CLI
    desk.suppress(session, NEW, reason, channel=channel, now=NOON, keys=KEYS)
    assert begin(session, it) is Start.CANCELLED
    assert said(session, it.id) == (State.CANCELLED, "suppressed")


def test_an_opt_out_meanwhile_lets_no_mail_out(session, ada):
    ask(session, ada)
    (it,) = claim(session)
    desk.unsubscribe(session, ada.id, channel=Channel.LINK, now=NOON)
    assert begin(session, it) is not Start.BEGUN
    with pytest.raises(Refused):
        confirm(session, ada, token_of(session, ada))


@pytest.mark.parametrize("why", ["taken", "suppressed"])
def test_an_address_that_is_gone_by_then_is_refused(session, ada, why):
    ask(session, ada)
    if why == "taken":
        join(session, NEW)
    else:
        reason, channel = SuppressionReason.COMPLAINT, Channel.MAIL
        desk.suppress(session, NEW, reason, channel=channel, now=NOON, keys=KEYS)
    with pytest.raises(Refused, match="cannot take the place"):
        confirm(session, ada, token_of(session, ada))
    assert subscribers.by_id(session, ada.id).email == "ada@example.com"


def test_a_change_ends_after_two_days_and_is_forgotten(session, ada):
    ask(session, ada)
    token = token_of(session, ada)
    assert address_change.waiting_for(session, ada.id, NOON + 2 * DAY)
    late = NOON + 2 * DAY + HOUR
    assert address_change.waiting_for(session, ada.id, late) is None
    with pytest.raises(Refused, match="over"):
        confirm(session, ada, token, late)
    ask(session, join(session, "bob@example.com"), "bob@new.example", late)
    assert address_changes.of(session, ada.id) is None


def test_ones_own_address_in_another_spelling_is_free(session, ada):
    ask(session, ada, "Ada@example.com")
    assert len(mails(session)) == 1
    token = token_of(session, ada)
    (it,) = claim(session)
    assert it.recipient == "Ada@example.com"
    assert confirm(session, ada, token).email == "Ada@example.com"


def test_ones_own_address_needs_no_mail(session, ada):
    ask(session, ada, "ada@EXAMPLE.com")
    assert mails(session) == []
    assert wanted(session, ada) is None


@pytest.mark.parametrize("text", ["", "nobody", "a@b@c.example", "a@x.example\r\nBcc: b@y.example"])
def test_what_is_no_address_is_told(session, ada, text):
    with pytest.raises(InvalidInput):
        ask(session, ada, text)
    assert wanted(session, ada) is None


@pytest.mark.parametrize("token", ["", "0" * 16, "é"])
def test_a_token_that_names_another_address_changes_nothing(session, ada, token):
    ask(session, ada)
    with pytest.raises(Refused):
        confirm(session, ada, token)
    assert subscribers.by_id(session, ada.id) == ada


def test_who_is_not_confirmed_or_has_left_gets_no_mail_elsewhere(session):
    pending = desk.subscribe(session, "eve@example.com", channel=Channel.FORM, now=NOON, keys=KEYS)
    gone = join(session, "bob@example.com")
    desk.unsubscribe(session, gone.id, channel=Channel.LINK, now=NOON)
    for person in (pending, gone):
        ask(session, person)
    assert mails(session) == []


def test_an_erase_takes_the_new_address_along(session, ada):
    ask(session, ada)
    desk.erase(session, ada.id, now=NOON, keys=KEYS)
    assert address_changes.of_many(session, [ada.id]) == {}
    with pytest.raises(NotFound):
        confirm(session, ada, "x")


def test_of_two_who_confirm_the_same_address_one_gets_it(engine):
    with transaction(engine) as session:
        ada, bob = join(session), join(session, "bob@example.com")
        ask(session, ada)
        ask(session, bob)
        token = token_of(session, ada)
        assert token == token_of(session, bob)
    with transaction(engine) as session:
        assert confirm(session, ada, token).email == NEW
    with pytest.raises(Refused), transaction(engine) as session:
        confirm(session, bob, token)
    with transaction(engine) as session:
        assert subscribers.by_id(session, bob.id).email == "bob@example.com"


def test_a_sent_mail_is_recorded_as_any_other(session, ada):
    ask(session, ada)
    (it,) = claim(session)
    begin(session, it)
    ledger.record(session, it.id, "me", Sent(code=250, reply="OK"), NOON)
    assert said(session, it.id) == (State.SENT, "")
