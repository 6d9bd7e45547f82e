"""A change of address: asked for by a link of the old one, confirmed by a mail to the new one.

Until then nothing changes. Whoever owns the new address gets at most one such mail a day, and it
tells nothing of who asked.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from digest.domain.deliveries import MailKind, address_mark, message_id
from digest.domain.subscribers import (
    Channel,
    ConsentEvent,
    Status,
    Subscriber,
    SubscriberId,
    address,
)
from digest.errors import Refused
from digest.services.mailroom import CHANGE_DAYS
from digest.services.subscribe import Keys
from digest.store import address_changes, asked_mails, outbox, subscribers, suppressions
from digest.store.address_changes import AddressChange

_READERS = (Status.ACTIVE, Status.PAUSED)


def ask(
    session: Session, subscriber_id: SubscriberId, email: str, *, now: datetime, keys: Keys
) -> None:
    """Ask for another address, in place of what was asked for before.

    Its owner is written to unless it is somebody's already, suppressed, or was written to within a
    day; which of these it is nobody is told. Raises InvalidInput for what is no address, NotFound.
    """
    email = address(email)
    person = subscribers.by_id(session, subscriber_id, lock=True)
    address_changes.forget_before(session, now - timedelta(days=CHANGE_DAYS))
    if person.status not in _READERS or email == person.email:
        return
    digest = keys.hash_of(email)
    mark = address_mark(digest)
    change = AddressChange(subscriber_id=person.id, email=email, token=mark, asked_at=now)
    address_changes.put(session, change)
    free = _is_free(session, person, email, digest)
    if free and asked_mails.may_ask(session, digest, now):
        token = f"{mark}.{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"
        kind = MailKind.CHANGE_ADDRESS
        name = message_id(kind, person.id, token, secret=keys.secret, domain=keys.domain)
        outbox.enqueue_mail(session, kind, person.id, token, message_id=name, now=now)


def confirm(
    session: Session, subscriber_id: SubscriberId, token: str, *, now: datetime, keys: Keys
) -> Subscriber:
    """Put the new address in place of the old one; done already, nothing more happens.

    `token` is what the mail's link names beside the subscriber. Raises NotFound, and Refused for a
    change that was replaced or taken back, or for an address that cannot be had any more.
    """
    person = subscribers.by_id(session, subscriber_id, lock=True)
    change = waiting_for(session, person.id, now)
    if change is None and token == address_mark(keys.hash_of(person.email)):
        return person
    if change is None or change.token != token or person.status not in _READERS:
        raise Refused("this change of address is over: ask for it anew on your settings page")
    if not _is_free(session, person, change.email, keys.hash_of(change.email)):
        raise Refused(
            f"{change.email} cannot take the place of your address: it is a subscriber's already, "
            "or must not be mailed"
        )
    try:
        with session.begin_nested():
            subscribers.set_email(session, person.id, change.email, now)
    except IntegrityError as exc:  # taken at the same moment by somebody else
        raise Refused(f"{change.email} is a subscriber's already") from exc
    address_changes.withdraw(session, person.id)
    event, channel = ConsentEvent.ADDRESS_CHANGED, Channel.LINK
    subscribers.record_consent(session, [person.id], event, channel, now=now)
    return replace(person, email=change.email)


def withdraw(session: Session, subscriber_id: SubscriberId) -> bool:
    """Take a change back; whether there was one. A mail that waits for it is not sent any more."""
    return address_changes.withdraw(session, subscriber_id)


def waiting_for(
    session: Session, subscriber_id: SubscriberId, now: datetime
) -> AddressChange | None:
    """The change that waits to be confirmed, whether or not anybody was written to."""
    change = address_changes.of(session, subscriber_id)
    fresh = change is not None and now - change.asked_at <= timedelta(days=CHANGE_DAYS)
    return change if fresh else None


def _is_free(session: Session, person: Subscriber, email: str, digest: str) -> bool:
    """Whether the person may have the address; their own in another spelling is free."""
    holder = subscribers.find_by_email(session, email)
    suppressed = suppressions.reason_for(session, digest)
    return suppressed is None and (holder is None or holder.id == person.id)
