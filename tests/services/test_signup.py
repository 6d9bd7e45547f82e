"""Sign-ups by the web: who comes, who comes back, and what they are mailed."""

import json

import pytest

from digest.domain.deliveries import Cancelled, MailKind, State
from digest.domain.subscribers import Channel, Status, SuppressionReason
from digest.services import subscribe as desk
from digest.services.signup import Taken
from digest.store import outbox, suppressions
from digest.store.database import reading
from digest.store.tables import AskedMailRow, SignUpRow
from tests.builders import NOON, some_interests
from tests.services.comers import (
    ADA,
    DAY,
    EVENING,
    HOUR,
    KEYS,
    NETWORK,
    ask,
    asked,
    come,
    confirm,
    count,
    evidence,
    leave,
    mails,
    person,
    post,
    step,
    suppress,
    take_in,
)


def test_somebody_new_is_pending_with_their_wishes_and_asked_to_confirm(engine):
    assert come(engine, "Ada@EXAMPLE.com", "graphs", "rl") == {Taken.CONFIRM: 1}
    ada = person(engine)
    assert (ada.email, ada.status, ada.next_digest_at) == (
        "Ada@example.com",
        Status.PENDING,
        None,
    )
    assert (ada.interests, ada.preferences) == (some_interests("graphs", "rl"), EVENING)
    assert mails(engine) == [(MailKind.CONFIRM, State.QUEUED)]
    assert count(engine, SignUpRow) == 0
    assert take_in(engine) == {}


def test_the_consent_is_kept_with_its_time_its_text_and_where_it_came_from(engine):
    post(engine, consent="Send me “it”.", now=NOON)
    take_in(engine, NOON + HOUR)
    (kept,) = evidence(engine)
    assert (kept.event, kept.channel, kept.happened_at) == ("subscribed", "form", NOON)
    assert json.loads(kept.detail) == {"text": "Send me “it”.", "network": NETWORK}


def test_the_newest_wishes_of_the_unconfirmed_count(engine):
    come(engine, ADA, "graphs")
    assert come(engine, ADA, "rl", now=NOON + HOUR) == {Taken.NOTHING: 1}
    assert person(engine).interests == some_interests("rl")
    assert come(engine, ADA, "vision", now=NOON + DAY) == {Taken.NOTHING: 1}  # the first one waits
    step(engine, outbox.cancel_open, person(engine).id, Cancelled.UNCONFIRMED)
    assert come(engine, ADA, "audio", now=NOON + 2 * DAY) == {Taken.CONFIRM: 1}
    assert person(engine).interests == some_interests("audio")
    assert asked(engine) == [MailKind.CONFIRM] * 2


@pytest.mark.parametrize("paused", [False, True])
def test_who_reads_already_gets_a_link_to_their_settings_and_keeps_them(quick, paused):
    come(quick)
    confirm(quick)
    if paused:
        step(quick, desk.pause, person(quick).id, channel=Channel.LINK, now=NOON)
    before = person(quick)
    assert come(quick, ADA, "rl", now=NOON + DAY) == {Taken.REMIND: 1}
    assert person(quick) == before
    assert mails(quick)[-1] == (MailKind.ACCESS, State.QUEUED)


def test_who_unsubscribed_comes_back_by_confirming_anew(quick):
    come(quick)
    confirm(quick)
    leave(quick)
    assert come(quick, ADA, "rl", now=NOON + DAY) == {Taken.CONFIRM: 1}
    assert person(quick).status is Status.PENDING
    assert confirm(quick, NOON + DAY).interests == some_interests("rl")


@pytest.mark.parametrize(
    ("reason", "after", "expected"),
    [
        (SuppressionReason.BOUNCE, 29 * DAY, Taken.NOTHING),
        (SuppressionReason.BOUNCE, 30 * DAY, Taken.CONFIRM),
        (SuppressionReason.COMPLAINT, 999 * DAY, Taken.NOTHING),
        (SuppressionReason.REQUEST, 999 * DAY, Taken.NOTHING),
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_suppressed_addresses_stay_so_but_for_old_bounces(quick, reason, after, expected, known):
    if known:
        come(quick)
        confirm(quick)
    suppress(quick, reason)
    before = len(asked(quick))
    assert come(quick, ADA, "rl", now=NOON + after) == {expected: 1}
    if expected is Taken.NOTHING:
        assert (person(quick) is None) is not known
        assert not known or person(quick).status is Status.SUPPRESSED
        assert len(asked(quick)) == before
    else:
        assert person(quick).status is Status.PENDING
        with reading(quick) as session:
            assert suppressions.listed(session) == []


def test_who_was_erased_comes_back_as_somebody_new(quick):
    come(quick)
    old = confirm(quick)
    step(quick, desk.erase, old.id, now=NOON, keys=KEYS)
    assert come(quick) == {Taken.CONFIRM: 1}
    assert person(quick).id != old.id


def test_an_erased_address_is_left_nowhere(engine):
    come(engine)
    post(engine, "ADA@example.com")
    ask(engine)
    post(engine, "bob@example.com")
    step(engine, desk.erase, person(engine).id, now=NOON, keys=KEYS)
    assert count(engine, AskedMailRow) == 0
    assert evidence(engine) == []
    assert take_in(engine) == {Taken.CONFIRM: 1}
    assert person(engine) is None


def test_the_link_to_the_settings_is_mailed_to_readers_alone(engine):
    ask(engine, "nobody@example.com")
    assert take_in(engine) == {Taken.NOTHING: 1}
    assert (count(engine, AskedMailRow), person(engine, "nobody@example.com")) == (0, None)
    come(engine)
    confirm(engine)
    ask(engine, now=NOON + DAY)
    assert take_in(engine, NOON + DAY) == {Taken.REMIND: 1}
    assert asked(engine)[1:] == [MailKind.ACCESS]
    leave(engine)
    ask(engine, now=NOON + 3 * DAY)
    assert take_in(engine, NOON + 3 * DAY) == {Taken.NOTHING: 1}


def test_the_unconfirmed_who_ask_for_their_link_are_asked_to_confirm_as_they_are(quick):
    come(quick)
    step(quick, outbox.cancel_open, person(quick).id, Cancelled.UNCONFIRMED)
    before = person(quick)
    ask(quick, now=NOON + DAY)
    assert take_in(quick, NOON + DAY) == {Taken.CONFIRM: 1}
    assert person(quick) == before
    assert len(evidence(quick)) == 1
