"""Subscribe, confirm, pause, resume, edit, unsubscribe, erase, suppress: one transaction each.

Every step that consent hangs on is kept as evidence. What a step makes void in the ledger is
cancelled with it, and what it makes necessary is queued with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from digest.domain.deliveries import Cancelled, MailKind, message_id
from digest.domain.interests import Interest, distinct
from digest.domain.schedule import Schedule, first_due, local_date
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
    may_sign_up_again,
)
from digest.errors import Refused
from digest.store import bounces, outbox, subscribers, suppressions
from digest.store.ledger_read import has_row
from digest.store.subscribers import NewSubscriber

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

    pepper: str
    secret: str
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
    known, suppressed or erased. Who unsubscribed or was erased may start anew by FORM alone.
    """
    email = address(email)
    wanted = NewSubscriber(
        email=email,
        status=Status.PENDING,
        interests=distinct(tuple(interests)),
        preferences=preferences or Preferences(),
    )
    _refuse_suppressed(session, email, channel, keys)
    person = _added_or_again(session, wanted, channel, now)
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
    session: Session, subscriber_id: SubscriberId, *, channel: Channel, now: datetime
) -> Subscriber:
    """Stop an active subscriber's digests for a while. Raises NotFound, Refused."""
    person = subscribers.by_id(session, subscriber_id, lock=True)
    if person.status not in (Status.ACTIVE, Status.PAUSED):
        raise _refused(person)
    return _stopped(session, person, Status.PAUSED, channel, now)


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
    if changed != person:
        subscribers.save(session, changed, now)
    return changed


def erase(session: Session, subscriber_id: SubscriberId, *, now: datetime, keys: Keys) -> None:
    """Forget a subscriber: row, interests, feedback and evidence go, the ledger's rows lose their
    name, and a keyed hash stays so that no import brings the address back. Raises NotFound.
    """
    person = subscribers.by_id(session, subscriber_id, lock=True)
    digest = keys.hash_of(person.email)
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
    """Queue a confirmation or welcome, one for each instant that asks for it."""
    token = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"
    name = message_id(kind, subscriber_id, token, secret=keys.secret, domain=keys.domain)
    return outbox.enqueue_mail(session, kind, subscriber_id, token, message_id=name, now=now)


def _refuse_suppressed(session: Session, email: str, channel: Channel, keys: Keys) -> None:
    digest = keys.hash_of(email)
    match suppressions.reason_for(session, digest):
        case None:
            return
        case SuppressionReason.ERASED if channel is Channel.FORM:
            suppressions.remove(session, digest)  # they are back by their own act
        case SuppressionReason.ERASED:
            raise Refused(
                f"{email} was erased at its owner's wish: only they themselves can sign up again"
            )
        case reason:
            raise Refused(
                f"{email} is suppressed ({reason}): 'digest suppressions remove' lifts it, if that "
                "is right"
            )


def _added_or_again(
    session: Session, wanted: NewSubscriber, channel: Channel, now: datetime
) -> Subscriber:
    known = subscribers.find_by_email(session, wanted.email, lock=True)
    if known is None:
        try:
            return subscribers.add(session, wanted, now)
        except IntegrityError as exc:  # added at the same moment by somebody else
            raise Refused(f"{wanted.email} is a subscriber already") from exc
    if may_sign_up_again(known.status, channel):
        again = replace(
            known,
            status=Status.PENDING,
            interests=wanted.interests,
            preferences=wanted.preferences,
        )
        subscribers.save(session, again, now)
        return again
    if known.status in (Status.UNSUBSCRIBED, Status.SUPPRESSED):
        raise _refused(known)
    raise Refused(
        f"{known.email} is a subscriber already ({known.status}): use 'digest subscribers edit'"
    )


def _refused(person: Subscriber) -> Refused:
    return Refused(f"{person.email} {_WHY_NOT[person.status]}")


def _first(
    session: Session, subscriber_id: SubscriberId, schedule: Schedule, now: datetime
) -> datetime:
    today = has_row(session, subscriber_id, local_date(schedule, now))
    return first_due(schedule, now, has_row_today=today)


def _activated(
    session: Session, person: Subscriber, event: ConsentEvent, channel: Channel, now: datetime
) -> Subscriber:
    instant = _first(session, person.id, person.preferences.schedule, now)
    subscribers.set_status(session, person.id, Status.ACTIVE, next_digest_at=instant, now=now)
    subscribers.record_consent(session, [person.id], event, channel, now=now)
    return replace(person, status=Status.ACTIVE, next_digest_at=instant)


def _stopped(
    session: Session, person: Subscriber, status: Status, channel: Channel, now: datetime
) -> Subscriber:
    """The subscriber paused, unsubscribed or suppressed, and nothing open left."""
    if person.status is status:
        return person
    if not may_become(person.status, status):
        raise _refused(person)
    subscribers.set_status(session, person.id, status, next_digest_at=None, now=now)
    outbox.cancel_open(session, person.id, Cancelled(status.value))
    event = ConsentEvent(status.value)
    subscribers.record_consent(session, [person.id], event, channel, now=now)
    return replace(person, status=status, next_digest_at=None)
