"""The ways into and out of a subscription, with their evidence and their mark on the ledger."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from digest.domain.deliveries import MailKind, State
from digest.domain.digests import Digest, Pick, Reason, Skip, SkipReason, Where
from digest.domain.papers import PaperId
from digest.domain.schedule import Schedule
from digest.domain.subscribers import (
    Channel,
    ConsentEvent,
    Preferences,
    Status,
    SuppressionReason,
)
from digest.errors import InvalidInput, NotFound, Refused
from digest.services import subscribe as desk
from digest.services.subscribe import Keys
from digest.store import (
    address_changes,
    ledger,
    ledger_read,
    outbox,
    subscribers,
    suppressions,
    turns,
)
from digest.store.address_changes import AddressChange
from digest.store.database import transaction
from digest.store.tables import ConsentEventRow, metadata, table
from digest.store.turns import Sender, Start
from tests.builders import NOON, some_interests

KEYS = Keys(pepper="pepper", secret="secret", domain="digest.example")
LATER = NOON + timedelta(hours=1)
TOMORROW_AT_8 = NOON + timedelta(hours=20)
CLI, FORM, LINK = Channel.CLI, Channel.FORM, Channel.LINK


def join(session, email="ada@example.com", **changes):
    values = {"interests": some_interests("graphs"), "channel": CLI, "now": NOON, "keys": KEYS}
    return desk.subscribe(session, email, **values | changes)


def join_and_confirm(session):
    """Ada as she comes by the form: a confirmation that is done with, and a queued welcome."""
    ada = join(session)
    return desk.confirm(session, ada.id, channel=LINK, now=NOON, keys=KEYS)


def mails(session):
    found = ledger_read.list_deliveries(session)
    return [(one.kind, one.state, one.reason) for one in reversed(found)]


def events(session, person):
    return [what for _, what, _ in subscribers.consent_of(session, person.id)]


def queue_digest(session, person):
    reason = Reason(where=Where.TITLE, interest="graphs", words=("graphs",))
    pick = Pick(paper_id=PaperId(1), score=1, relevance=1, trend=1, reason=reason)
    outbox.enqueue_digest(
        session,
        person.id,
        Digest(digest_on=date(2026, 3, 12), picks=(pick,)),
        edition_id=None,
        message_id="<d@x>",
        now=NOON,
    )


def begin(session, claimed, now=NOON):
    sender = Sender(owner="a", pepper="pepper", now=now, wall=now)
    return turns.advance(session, sender, [], [claimed.id]).starts[claimed.id]


def test_who_subscribes_is_pending_until_confirmed_and_then_welcome(session):
    ada = join(session, "Ada@EXAMPLE.com", channel=FORM)
    assert (ada.email, ada.status, ada.next_digest_at) == (
        "Ada@example.com",
        Status.PENDING,
        None,
    )
    assert mails(session) == [(MailKind.CONFIRM, State.QUEUED, "")]
    sure = desk.confirm(session, ada.id, channel=LINK, now=LATER, keys=KEYS)
    assert (sure.status, sure.next_digest_at) == (Status.ACTIVE, LATER)  # today's 8:00 has passed
    assert mails(session) == [
        (MailKind.CONFIRM, State.CANCELLED, "confirmed already"),
        (MailKind.WELCOME, State.QUEUED, ""),
    ]
    assert subscribers.by_id(session, ada.id) == sure
    assert subscribers.consent_of(session, ada.id) == [
        (NOON, ConsentEvent.SUBSCRIBED, FORM),
        (LATER, ConsentEvent.CONFIRMED, LINK),
    ]


def test_who_comes_confirmed_is_active_without_a_mail(session):
    ada = join(session, confirmed=True)
    assert ada.status is Status.ACTIVE
    assert mails(session) == []


def test_confirming_twice_does_nothing_more(session):
    ada = join_and_confirm(session)
    assert desk.confirm(session, ada.id, channel=LINK, now=LATER, keys=KEYS) == ada
    assert mails(session)[1:] == [(MailKind.WELCOME, State.QUEUED, "")]
    assert events(session, ada) == [ConsentEvent.SUBSCRIBED, ConsentEvent.CONFIRMED]


def test_every_mail_has_a_message_id_of_its_own(session):
    for name in ("ada", "bob"):
        join(session, f"{name}@example.com")
    names = {one.message_id for one in ledger_read.list_deliveries(session)}
    assert len(names) == 2
    assert all(name.startswith("<confirm.") and "@digest.example>" in name for name in names)


def test_a_known_address_is_refused_and_left_as_it_is(session):
    ada = join(session)
    with pytest.raises(Refused, match="is a subscriber already"):
        join(session, "ADA@example.com", confirmed=True)
    assert subscribers.by_id(session, ada.id).status is Status.PENDING


def test_bad_addresses_and_too_many_interests_are_refused(session):
    with pytest.raises(InvalidInput, match="not one mail address"):
        join(session, "a@b.example, c@d.example")
    with pytest.raises(InvalidInput, match="at most 50"):
        join(session, interests=some_interests(*(f"topic {n}" for n in range(51))))
    assert list(subscribers.everyone(session)) == []


def test_pause_stops_what_is_queued_and_resume_goes_on(session):
    ada = join(session, confirmed=True)
    queue_digest(session, ada)
    still = desk.pause(session, ada.id, channel=CLI, now=NOON)
    assert (still.status, still.next_digest_at) == (Status.PAUSED, None)
    assert {reason for _, _, reason in mails(session)} == {"paused"}
    assert desk.pause(session, ada.id, channel=CLI, now=NOON) == still
    again = desk.resume(session, ada.id, channel=CLI, now=NOON)
    assert again.next_digest_at == TOMORROW_AT_8  # today has its row
    assert desk.resume(session, ada.id, channel=CLI, now=LATER) == again
    assert events(session, ada)[2:] == [ConsentEvent.PAUSED, ConsentEvent.RESUMED]


def test_the_unconfirmed_can_be_neither_paused_nor_resumed(session):
    ada = join(session)
    for step in (desk.pause, desk.resume):
        with pytest.raises(Refused, match="is not confirmed yet"):
            step(session, ada.id, channel=CLI, now=NOON)


def test_unsubscribing_cancels_everything_not_begun_and_is_final(session):
    ada = join_and_confirm(session)
    queue_digest(session, ada)
    (first, second) = ledger.claim(session, "a", NOON, timedelta(seconds=30), 10)
    begin(session, first)
    gone = desk.unsubscribe(session, ada.id, channel=LINK, now=NOON)
    assert (gone.status, gone.next_digest_at) == (Status.UNSUBSCRIBED, None)
    assert begin(session, second) is Start.LOST
    assert [state for _, state, _ in mails(session)[1:]] == [State.SENDING, State.CANCELLED]
    assert desk.unsubscribe(session, ada.id, channel=LINK, now=LATER) == gone
    assert events(session, ada)[2:] == [ConsentEvent.UNSUBSCRIBED]
    for step in (desk.pause, desk.resume):
        with pytest.raises(Refused, match="has unsubscribed"):
            step(session, ada.id, channel=CLI, now=LATER)
    with pytest.raises(Refused, match="has unsubscribed"):
        desk.confirm(session, ada.id, channel=LINK, now=LATER, keys=KEYS)


def test_only_the_person_can_come_back_after_opting_out(session):
    ada = join(session, confirmed=True)
    desk.unsubscribe(session, ada.id, channel=LINK, now=NOON)
    with pytest.raises(Refused, match="only they themselves"):
        join(session)
    again = join(session, interests=some_interests("rl"), channel=FORM, now=LATER)
    assert (again.id, again.status) == (ada.id, Status.PENDING)
    assert subscribers.by_id(session, ada.id).interests == some_interests("rl")


def test_a_new_schedule_dates_the_next_digest_anew(session):
    ada = join(session, confirmed=True)
    queue_digest(session, ada)
    evening = Preferences(schedule=Schedule(hour=20))
    changed = desk.edit(session, ada.id, preferences=evening, now=NOON)
    assert changed.next_digest_at == NOON + timedelta(hours=32)  # today has its row
    more = desk.edit(session, ada.id, interests=some_interests("rl"), now=LATER)
    assert (more.next_digest_at, more.preferences) == (changed.next_digest_at, evening)
    assert subscribers.by_id(session, ada.id) == more


def test_a_new_schedule_whose_hour_has_passed_is_due_now_if_today_has_no_row(session):
    ada = join(session, confirmed=True)
    skip = Skip(digest_on=date(2026, 3, 11), reason=SkipReason.LATE)
    outbox.write_skip(session, ada.id, skip, edition_id=None, now=NOON)
    tokyo = Preferences(schedule=Schedule(timezone="Asia/Tokyo", hour=20))
    changed = desk.edit(session, ada.id, preferences=tokyo, now=NOON)
    assert changed.next_digest_at == NOON  # it is 21:00 there


def test_editing_the_paused_sets_no_date(session):
    ada = join(session, confirmed=True)
    desk.pause(session, ada.id, channel=CLI, now=NOON)
    evening = Preferences(schedule=Schedule(hour=20))
    assert desk.edit(session, ada.id, preferences=evening, now=NOON).next_digest_at is None


def test_an_erased_subscriber_leaves_a_hash_and_nothing_else(session):
    ada = join(session, interests=some_interests("quantum gardening"), confirmed=True)
    queue_digest(session, ada)
    desk.erase(session, ada.id, now=LATER, keys=KEYS)
    kept = {name: str(session.execute(select(one)).all()) for name, one in metadata.tables.items()}
    for rows in kept.values():
        assert "ada@" not in rows and "quantum gardening" not in rows
    assert "'graphs'" not in kept["deliveries"] and '"graphs"' not in kept["deliveries"]
    assert {(state, reason) for _, state, reason in mails(session)} == {(State.CANCELLED, "erased")}
    (left,) = suppressions.listed(session)
    assert (left.reason, left.email) == (SuppressionReason.ERASED, None)
    assert left.address_hash == KEYS.hash_of("ADA@example.com")
    with pytest.raises(NotFound):
        desk.erase(session, ada.id, now=LATER, keys=KEYS)


def test_the_erased_come_back_by_their_own_act_alone_and_can_be_mailed(session):
    ada = join(session)
    desk.erase(session, ada.id, now=NOON, keys=KEYS)
    for confirmed in (True, False):
        with pytest.raises(Refused, match="was erased"):
            join(session, confirmed=confirmed)
    again = join(session, channel=FORM, now=LATER)
    assert again.id != ada.id
    (mail,) = ledger.claim(session, "a", LATER, timedelta(seconds=30), 10)
    assert begin(session, mail, LATER) is Start.BEGUN


def test_a_suppressed_address_is_stopped_and_never_taken_again(session):
    ada = join_and_confirm(session)
    values = {"channel": Channel.MAIL, "now": LATER, "keys": KEYS}
    assert desk.suppress(session, "ADA@example.com", SuppressionReason.COMPLAINT, **values)
    assert not desk.suppress(session, "ada@example.com", SuppressionReason.BOUNCE, **values)
    assert subscribers.by_id(session, ada.id).status is Status.SUPPRESSED
    assert mails(session)[1:] == [(MailKind.WELCOME, State.CANCELLED, "suppressed")]
    assert desk.unsubscribe(session, ada.id, channel=LINK, now=LATER).status is Status.SUPPRESSED
    desk.erase(session, ada.id, now=LATER, keys=KEYS)
    (left,) = suppressions.listed(session)
    assert (left.reason, left.email) == (SuppressionReason.COMPLAINT, None)
    with pytest.raises(Refused, match=r"suppressed \(complaint\)"):
        join(session, channel=FORM)


TOKYO = Preferences(schedule=Schedule(timezone="Asia/Tokyo", hour=7))
BACK_ON = date(2026, 3, 20)
TOKYO_MIDNIGHT = datetime(2026, 3, 19, 15, tzinfo=UTC)  # where the 20th begins in Tokyo


def pause(session, person, until=None, now=NOON):
    return desk.pause(session, person.id, channel=LINK, now=now, until=until)


def detail(session, person):
    rows = table(ConsentEventRow)
    query = select(rows.c.detail).where(rows.c.subscriber_id == person.id).order_by(rows.c.id)
    return session.scalars(query).all()[-1]


def test_a_pause_until_a_date_ends_with_that_date_where_they_live(engine):
    with transaction(engine) as session:
        ada = join(session, confirmed=True, preferences=TOKYO)
        still = pause(session, ada, BACK_ON)
        assert (still.status, still.resume_at) == (Status.PAUSED, TOKYO_MIDNIGHT)
        assert subscribers.by_id(session, ada.id) == still
        bob = pause(session, join(session, "bob@example.com", confirmed=True))
    assert desk.resume_due(engine, TOKYO_MIDNIGHT - timedelta(seconds=1)) == 0
    assert desk.resume_due(engine, TOKYO_MIDNIGHT) == 1
    assert desk.resume_due(engine, TOKYO_MIDNIGHT) == 0
    with transaction(engine) as session:
        back = subscribers.by_id(session, ada.id)
        assert (back.status, back.resume_at) == (Status.ACTIVE, None)
        assert back.next_digest_at == TOKYO_MIDNIGHT + timedelta(hours=7)
        assert events(session, ada)[-1] is ConsentEvent.RESUMED
        assert "until" in detail(session, ada)
        assert subscribers.by_id(session, bob.id).status is Status.PAUSED


def test_another_date_or_none_replaces_the_end_of_a_pause(session):
    ada = join(session, confirmed=True, preferences=TOKYO)
    pause(session, ada, BACK_ON)
    later = pause(session, ada, BACK_ON + timedelta(days=1))
    assert later.resume_at == TOKYO_MIDNIGHT + timedelta(days=1)
    assert pause(session, ada).resume_at is None
    assert subscribers.by_id(session, ada.id).resume_at is None
    assert events(session, ada).count(ConsentEvent.PAUSED) == 1


@pytest.mark.parametrize(
    "until", [date(2026, 3, 11), date(2026, 3, 12), date(2027, 3, 14), date.max]
)
def test_a_pause_ends_on_a_day_to_come_and_within_a_year(session, until):
    ada = join(session, confirmed=True)
    with pytest.raises(InvalidInput, match="from tomorrow to a year"):
        pause(session, ada, until)
    assert subscribers.by_id(session, ada.id).status is Status.ACTIVE


@pytest.mark.parametrize("leave", [desk.resume, desk.unsubscribe])
def test_whatever_else_ends_a_pause_takes_its_date_along(session, leave):
    ada = join(session, confirmed=True)
    pause(session, ada, BACK_ON)
    assert leave(session, ada.id, channel=LINK, now=LATER).resume_at is None
    assert subscribers.by_id(session, ada.id).resume_at is None


def test_who_moves_while_pausing_is_back_on_the_same_date_there(session):
    ada = join(session, confirmed=True, preferences=TOKYO)
    pause(session, ada, BACK_ON)
    moved = desk.edit(session, ada.id, preferences=Preferences(), now=LATER)
    assert moved.resume_at == datetime(2026, 3, 20, tzinfo=UTC)
    assert subscribers.by_id(session, ada.id) == moved


def test_a_pause_does_not_stop_the_link_that_was_asked_for(session):
    ada = join(session, confirmed=True)
    desk.queue_mail(session, MailKind.ACCESS, ada.id, NOON, KEYS)
    queue_digest(session, ada)
    pause(session, ada)
    assert sorted((kind.value, state.value) for kind, state, _ in mails(session)) == [
        ("access", "queued"),
        ("digest", "cancelled"),
    ]
    (mail,) = ledger.claim(session, "a", NOON, timedelta(seconds=30), 10)
    assert begin(session, mail) is Start.BEGUN


def test_an_opt_out_is_undone_by_the_persons_own_act(session):
    ada = join_and_confirm(session)
    desk.unsubscribe(session, ada.id, channel=LINK, now=NOON)
    back = desk.undo(session, ada.id, now=LATER)
    assert (back.status, back.next_digest_at) == (Status.ACTIVE, LATER)
    assert subscribers.by_id(session, ada.id) == back
    assert desk.undo(session, ada.id, now=LATER) == back
    assert subscribers.consent_of(session, ada.id)[-1] == (
        LATER,
        ConsentEvent.RESUBSCRIBED,
        LINK,
    )


def test_undoing_does_not_confirm_who_never_did(session):
    ada = join(session, channel=FORM)
    desk.unsubscribe(session, ada.id, channel=LINK, now=NOON)
    assert desk.undo(session, ada.id, now=LATER).status is Status.PENDING
    assert subscribers.by_id(session, ada.id).status is Status.PENDING


def test_a_suppression_cannot_be_undone(session):
    ada = join(session, confirmed=True)
    desk.unsubscribe(session, ada.id, channel=LINK, now=NOON)
    complaint = SuppressionReason.COMPLAINT
    desk.suppress(session, ada.email, complaint, channel=Channel.MAIL, now=NOON, keys=KEYS)
    with pytest.raises(Refused, match="is suppressed"):
        desk.undo(session, ada.id, now=LATER)


def test_why_somebody_left_stands_in_the_evidence_of_it(session):
    ada = join(session, confirmed=True)
    with pytest.raises(Refused, match="has not unsubscribed"):
        desk.leave_reason(session, ada.id, "too many", NOON)
    desk.unsubscribe(session, ada.id, channel=LINK, now=NOON)
    desk.leave_reason(session, ada.id, " too\nmany <mails> ", LATER)
    assert json.loads(detail(session, ada)) == {
        "reason": "too many <mails>",
        "told_at": "2026-03-12T13:00:00+00:00",
    }
    assert events(session, ada)[2:] == [ConsentEvent.UNSUBSCRIBED]
    with pytest.raises(InvalidInput, match="at most 200"):
        desk.leave_reason(session, ada.id, "x" * 201, LATER)
    desk.leave_reason(session, ada.id, "", LATER)
    assert not detail(session, ada)


def test_an_erased_address_is_not_kept_as_somebody_elses_new_one(session):
    ada, bob = join(session, confirmed=True), join(session, "bob@example.com", confirmed=True)
    for person, email in ((bob, "ADA@example.com"), (ada, "new@example.com")):
        change = AddressChange(subscriber_id=person.id, email=email, token="t", asked_at=NOON)
        address_changes.put(session, change)
    desk.erase(session, ada.id, now=NOON, keys=KEYS)
    assert address_changes.of_many(session, [ada.id, bob.id]) == {}
