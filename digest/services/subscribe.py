"""Subscribe, confirm, pause, resume, edit, unsubscribe, erase, suppress: one transaction each.

Every step that consent hangs on is kept as evidence. What a step makes void in the ledger is
cancelled with it, and what it makes necessary is queued with it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from digest.domain.deliveries import Cancelled, MailKind, message_id
from digest.domain.interests import Interest, distinct
from digest.domain.joining import Answer, Standing, answer, standing
from digest.domain.schedule import Schedule, begin_of, local_date
from digest.domain.subscribers import (
    Channel,
    ConsentEvent,
    Preferences,
    Status,
    Subscriber,
    SubscriberId,
    SuppressionReason,
    address,
    address_hash,
    may_become,
)
from digest.errors import InvalidInput, Refused
from digest.services.pauses import end_of_pause
from digest.services.pauses import resume_due as resume_due  # noqa: PLC0414  # a step like these
from digest.services.plans import first_instants
from digest.store import (
    address_changes,
    asked_mails,
    bounces,
    evidence,
    outbox,
    signups,
    subscribers,
    suppressions,
)
from digest.store.database import leave_no_trace
from digest.store.outbox import Letter
from digest.store.subscribers import NewSubscriber

REASON_MOST = 200

_WHILE_PAUSED = (MailKind.ACCESS, MailKind.CHANGE_ADDRESS)
_DIGESTS = tuple(kind for kind in MailKind if kind not in _WHILE_PAUSED)
_WHY_NOT = {
    Status.PENDING: "is not confirmed yet",
    Status.ACTIVE: "is active already",
    Status.PAUSED: "is paused",
    Status.UNSUBSCRIBED: "has unsubscribed: only they themselves can sign up again",
    Status.SUPPRESSED: "is suppressed and must not be mailed again",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """What identifies: `pepper` keys the hashes of addresses, `secret` the Message-IDs, which end
    in `domain`.
    """

    pepper: str = field(repr=False)
    secret: str = field(repr=False)
    domain: str

    def hash_of(self, email: str) -> str:
        """The keyed hash of an address."""
        return address_hash(self.pepper, email)


def subscribe(
    session: Session,
    email: str,
    *,
    interests: Iterable[Interest] = (),
    preferences: Preferences | None = None,
    confirmed: bool = False,
    channel: Channel,
    now: datetime,
    keys: Keys,
) -> Subscriber:
    """Add a subscriber: pending with a confirmation queued, or `confirmed` and so active at once.

    The welcome is the answer to a confirmation, so who comes `confirmed` gets none, as with an
    import.

    Raises InvalidInput for a bad address or too many interests, Refused for an address that is
    known, suppressed or erased, by the table of `domain.joining`.
    """
    email = address(email)
    wanted = NewSubscriber(
        email=email,
        status=Status.PENDING,
        interests=distinct(tuple(interests)),
        preferences=preferences or Preferences(),
    )
    known = subscribers.find_by_email(session, email, lock=True)
    _let_in(session, email, known, channel=channel, now=now, keys=keys)
    person = _added_or_again(session, wanted, known, now)
    subscribers.record_consent(session, [person.id], ConsentEvent.SUBSCRIBED, channel, now=now)
    if confirmed:
        return _activated(session, person, ConsentEvent.CONFIRMED, channel, now)
    queue_mail(session, MailKind.CONFIRM, person.id, now, keys)
    return person


def confirm(
    session: Session, subscriber_id: SubscriberId, *, channel: Channel, now: datetime, keys: Keys
) -> Subscriber:
    """Make a pending subscriber active and queue the welcome; once active, nothing more happens.

    Raises NotFound, and Refused for one who is paused, unsubscribed or suppressed.
    """
    person = subscribers.by_id(session, subscriber_id, lock=True)
    if person.status is Status.ACTIVE:
        return person
    if person.status is not Status.PENDING:
        raise _refused(person)
    outbox.cancel_open(session, person.id, Cancelled.CONFIRMED, [MailKind.CONFIRM])
    active = _activated(session, person, ConsentEvent.CONFIRMED, channel, now)
    queue_mail(session, MailKind.WELCOME, person.id, now, keys)
    return active


def pause(
    session: Session,
    subscriber_id: SubscriberId,
    *,
    channel: Channel,
    now: datetime,
    until: date | None = None,
) -> Subscriber:
    """Stop an active subscriber's digests: `until` a local date, with which they go on, or until
    they are resumed. Who is paused already gets the new end, or none.

    Raises NotFound, Refused, and InvalidInput for a date that is not after today, or more than a
    year ahead.
    """
    person = subscribers.by_id(session, subscriber_id, lock=True)
    if person.status not in (Status.ACTIVE, Status.PAUSED):
        raise _refused(person)
    ends = end_of_pause(person, until, now) if until else None
    paused = _stopped(session, person, Status.PAUSED, channel, now)
    if paused.resume_at != ends:
        subscribers.set_status(
            session, person.id, Status.PAUSED, next_digest_at=None, resume_at=ends, now=now
        )
    return replace(paused, resume_at=ends)


def resume(
    session: Session, subscriber_id: SubscriberId, *, channel: Channel, now: datetime
) -> Subscriber:
    """Go on with a paused subscriber. Raises NotFound, Refused."""
    person = subscribers.by_id(session, subscriber_id, lock=True)
    if person.status is Status.ACTIVE:
        return person
    if person.status is not Status.PAUSED:
        raise _refused(person)
    return _activated(session, person, ConsentEvent.RESUMED, channel, now)


def unsubscribe(
    session: Session, subscriber_id: SubscriberId, *, channel: Channel, now: datetime
) -> Subscriber:
    """Opt out for good: no mail that has not begun goes out any more. Raises NotFound.

    A suppressed subscriber stays suppressed, which says more.
    """
    person = subscribers.by_id(session, subscriber_id, lock=True)
    if person.status is Status.SUPPRESSED:
        return person
    return _stopped(session, person, Status.UNSUBSCRIBED, channel, now)


def undo(
    session: Session,
    subscriber_id: SubscriberId,
    *,
    now: datetime,
    channel: Channel = Channel.LINK,
) -> Subscriber:
    """Take an opt-out back by the person's own act; who has not opted out stays as they are.

    Active again, due as after a pause; but who had never confirmed is pending as before. Raises
    NotFound, and Refused for one who is suppressed.
    """
    person = subscribers.by_id(session, subscriber_id, lock=True)
    if person.status is Status.SUPPRESSED:
        raise _refused(person)
    if person.status is not Status.UNSUBSCRIBED:
        return person
    if evidence.ever(session, person.id, [ConsentEvent.CONFIRMED]):
        return _activated(session, person, ConsentEvent.RESUBSCRIBED, channel, now)
    subscribers.set_status(session, person.id, Status.PENDING, next_digest_at=None, now=now)
    event = ConsentEvent.RESUBSCRIBED
    subscribers.record_consent(session, [person.id], event, channel, now=now)
    return replace(person, status=Status.PENDING)


def leave_reason(session: Session, subscriber_id: SubscriberId, reason: str, now: datetime) -> None:
    """Keep why somebody left with the evidence of their opt-out; the last word counts.

    Raises NotFound, InvalidInput for more than 200 characters, and Refused for one who has not
    opted out.
    """
    said = " ".join(reason.split())
    if len(said) > REASON_MOST:
        raise InvalidInput(f"the reason has {len(said)} characters: at most {REASON_MOST}")
    person = subscribers.by_id(session, subscriber_id, lock=True)
    if person.status is not Status.UNSUBSCRIBED:
        raise Refused(f"{person.email} has not unsubscribed")
    told = {"reason": said, "told_at": now.astimezone(UTC).isoformat(timespec="seconds")}
    detail = json.dumps(told, ensure_ascii=False) if said else ""
    evidence.detail_last(session, person.id, ConsentEvent.UNSUBSCRIBED, detail)


def edit(
    session: Session,
    subscriber_id: SubscriberId,
    *,
    interests: Iterable[Interest] | None = None,
    preferences: Preferences | None = None,
    now: datetime,
) -> Subscriber:
    """Change interests or preferences; a new schedule of an active subscriber dates the next
    digest anew. Raises NotFound, and InvalidInput for too many interests.
    """
    person = subscribers.by_id(session, subscriber_id, lock=True)
    changed = replace(
        person,
        interests=person.interests if interests is None else distinct(tuple(interests)),
        preferences=preferences or person.preferences,
    )
    schedule = changed.preferences.schedule
    if person.status is Status.ACTIVE and schedule != person.preferences.schedule:
        changed = replace(changed, next_digest_at=_first(session, person.id, schedule, now))
    if person.resume_at and schedule.timezone != person.preferences.schedule.timezone:
        back_on = local_date(person.preferences.schedule, person.resume_at)
        changed = replace(changed, resume_at=begin_of(schedule, back_on))
    if changed != person:
        subscribers.save(session, changed, now)
    return changed


def erase(session: Session, subscriber_id: SubscriberId, *, now: datetime, keys: Keys) -> None:
    """Forget a subscriber: row, interests, feedback, evidence and waiting sign-ups go, the ledger's
    rows lose their name, and a keyed hash stays so that no import brings the address back. Raises
    NotFound.
    """
    person = subscribers.by_id(session, subscriber_id, lock=True)
    digest = keys.hash_of(person.email)
    leave_no_trace(session)
    # first and in this order, as those do who take sign-ups in or ask for another address
    signups.forget(session, person.email)
    address_changes.forget_address(session, person.email)
    asked_mails.forget(session, digest)
    outbox.cancel_open(session, person.id, Cancelled.ERASED)
    outbox.unname(session, person.id)
    bounces.unname(session, person.id)
    subscribers.erase_row(session, person.id)
    if not suppressions.add(session, digest, SuppressionReason.ERASED, now, email=None):
        suppressions.forget_address(session, digest)


def suppress(
    session: Session,
    email: str,
    reason: SuppressionReason,
    *,
    channel: Channel,
    now: datetime,
    keys: Keys,
) -> bool:
    """Never mail the address again, subscriber or not; whether it was not suppressed yet.

    Raises InvalidInput for a bad address.
    """
    email = address(email)
    person = subscribers.find_by_email(session, email, lock=True)
    fresh = suppressions.add(session, keys.hash_of(email), reason, now, email=email)
    if person:
        stop_suppressed(session, person, channel=channel, now=now)
    return fresh


def stop_suppressed(
    session: Session, person: Subscriber, *, channel: Channel, now: datetime
) -> Subscriber:
    """Stop a subscriber, whose row is held, because the address is suppressed."""
    return _stopped(session, person, Status.SUPPRESSED, channel, now)


def queue_mail(
    session: Session, kind: MailKind, subscriber_id: SubscriberId, now: datetime, keys: Keys
) -> bool:
    """Queue a mail other than a digest, one for each instant that asks for it."""
    one = letter(kind, subscriber_id, now, keys)
    return outbox.enqueue_mail(
        session, kind, subscriber_id, one.token, message_id=one.message_id, now=now
    )


def letter(kind: MailKind, subscriber_id: SubscriberId, now: datetime, keys: Keys) -> Letter:
    """A mail other than a digest, named by the instant that asks for it."""
    token = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"
    name = message_id(kind, subscriber_id, token, secret=keys.secret, domain=keys.domain)
    return Letter(kind=kind, subscriber_id=subscriber_id, token=token, message_id=name)


def _let_in(
    session: Session,
    email: str,
    known: Subscriber | None,
    *,
    channel: Channel,
    now: datetime,
    keys: Keys,
) -> None:
    """Refuse an address that may not sign up this way; lift the suppression of one that may."""
    digest = keys.hash_of(email)
    held = suppressions.by_hashes(session, [digest]).get(digest)
    status, reason = known.status if known else None, held.reason if held else None
    stands = standing(status, reason, held.created_at if held else None, now)
    if answer(stands, channel) is Answer.CONFIRM:
        if held:
            suppressions.remove(session, digest)  # they are back by their own act
        return
    if stands is Standing.ERASED:
        raise Refused(
            f"{email} was erased at its owner's wish: only they themselves can sign up again"
        )
    if reason:
        raise Refused(
            f"{email} is suppressed ({reason}): 'digest suppressions remove' lifts it, if that is "
            "right"
        )
    if known and known.status in (Status.UNSUBSCRIBED, Status.SUPPRESSED):
        raise _refused(known)
    raise Refused(f"{email} is a subscriber already ({stands}): use 'digest subscribers edit'")


def _added_or_again(
    session: Session, wanted: NewSubscriber, known: Subscriber | None, now: datetime
) -> Subscriber:
    if known is None:
        try:
            return subscribers.add(session, wanted, now)
        except IntegrityError as exc:  # added at the same moment by somebody else
            raise Refused(f"{wanted.email} is a subscriber already") from exc
    again = replace(
        known,
        status=Status.PENDING,
        interests=wanted.interests,
        preferences=wanted.preferences,
    )
    subscribers.save(session, again, now)
    return again


def _refused(person: Subscriber) -> Refused:
    return Refused(f"{person.email} {_WHY_NOT[person.status]}")


def _first(
    session: Session, subscriber_id: SubscriberId, schedule: Schedule, now: datetime
) -> datetime:
    return first_instants(session, [(subscriber_id, schedule)], now)[subscriber_id]


def _activated(
    session: Session, person: Subscriber, event: ConsentEvent, channel: Channel, now: datetime
) -> Subscriber:
    instant = _first(session, person.id, person.preferences.schedule, now)
    subscribers.set_status(session, person.id, Status.ACTIVE, next_digest_at=instant, now=now)
    subscribers.record_consent(session, [person.id], event, channel, now=now)
    return replace(person, status=Status.ACTIVE, next_digest_at=instant, resume_at=None)


def _stopped(
    session: Session, person: Subscriber, status: Status, channel: Channel, now: datetime
) -> Subscriber:
    """The subscriber paused, unsubscribed or suppressed, and nothing open left."""
    if person.status is status:
        return person
    if not may_become(person.status, status):
        raise _refused(person)
    subscribers.set_status(session, person.id, status, next_digest_at=None, now=now)
    kinds = _DIGESTS if status is Status.PAUSED else tuple(MailKind)
    outbox.cancel_open(session, person.id, Cancelled(status.value), kinds)
    event = ConsentEvent(status.value)
    subscribers.record_consent(session, [person.id], event, channel, now=now)
    return replace(person, status=status, next_digest_at=None, resume_at=None)
