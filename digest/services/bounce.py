"""Bounces: what came back, by mail, by webhook or from the relay at once → what follows from it.

Nothing follows without proof that the mail was ours: a token that we signed, or a Message-ID of the
ledger, which nobody can guess. Then the delivery's subscriber is the one concerned, whatever
address is named: theirs may forward. Only what comes back from a new address that was to be
confirmed concerns that address, and never the one that the subscriber has.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from digest import observe
from digest.domain.bounces import Stage, classify, status_of
from digest.domain.deliveries import DeliveryId, address_mark
from digest.domain.returns_policy import (
    Action,
    Decision,
    Event,
    EventKind,
    Policy,
    decide,
    together,
)
from digest.domain.subscribers import (
    Channel,
    ConsentEvent,
    Status,
    Subscriber,
    SubscriberId,
    address_key,
)
from digest.errors import BadToken
from digest.mail.returns import Failure, Returned, ReturnKind
from digest.mail.tokens import Purpose, Tokens
from digest.mail.verp import Verp
from digest.services import subscribe as desk
from digest.services.subscribe import Keys
from digest.store import address_changes, bounces, subscribers
from digest.store.bounces import Mailed

# what says anew that mail arrives at the address
_SIGNED_UP = (ConsentEvent.SUBSCRIBED, ConsentEvent.CONFIRMED, ConsentEvent.ADDRESS_CHANGED)


class Outcome(StrEnum):
    """What was done about one thing that came back."""

    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    NOTED = "noted"
    KNOWN = "known already"
    STALE = "out of date"
    NOTHING = "nothing to do"
    NOT_OURS = "not ours"


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What was done, why, and about whom where that is known."""

    outcome: Outcome
    why: str
    kind: EventKind | None = None
    email: str = ""
    delivery_id: DeliveryId | None = None
    status: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Handled:
    """What a returned mail was, and what was done about it."""

    kind: ReturnKind
    done: Done


@dataclass(frozen=True, kw_only=True, slots=True)
class _Concerned:
    """A subscriber, held for a change, and the address that their mail went to, with its hash."""

    person: Subscriber
    email: str
    address_hash: str

    @property
    def is_own(self) -> bool:
        """Whether that is the address they have."""
        return address_key(self.email) == address_key(self.person.email)


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What returned mail is proved and judged by."""

    verp: Verp
    tokens: Tokens
    keys: Keys
    policy: Policy


def handle(
    session: Session,
    returned: Returned,
    *,
    means: Means,
    now: datetime,
    written_at: datetime | None = None,
) -> Handled:
    """Do what follows from a returned mail; the same mail again does nothing.

    `written_at` is the date that the mail bears, which is believed as far as it can be true.
    """
    event = _event(session, returned, means, now, min(written_at or now, now))
    if isinstance(event, Event):
        event = act(session, event, keys=means.keys, policy=means.policy, now=now)
    return Handled(kind=returned.kind, done=event)


def refused(
    session: Session,
    delivery_id: DeliveryId,
    code: int,
    reply: str,
    *,
    keys: Keys,
    policy: Policy,
    now: datetime,
    stage: Stage = Stage.UNKNOWN,
) -> Done | None:
    """Do what follows from a delivery that the relay refused for good, or too long, as it was sent.

    `stage` is the SMTP command that was refused. None where no relay spoke (`code` 0). It may
    change the subscriber: hold their row before the delivery's (`ledger.hold_subscriber`), in a
    transaction that records no other delivery.
    """
    if not code:
        return None
    event = Event(
        kind=EventKind(classify(code, reply, stage=stage).value),
        key=f"smtp:{delivery_id}:{now:%Y-%m-%d}",
        happened_at=now,
        delivery_id=delivery_id,
        status=".".join(map(str, status_of(reply) or ())),
        detail=f"{code} {reply}",
    )
    return act(session, event, keys=keys, policy=policy, now=now)


def act(session: Session, event: Event, *, keys: Keys, policy: Policy, now: datetime) -> Done:
    """Do what follows from an event whose origin is proved, once per key."""
    told = Done(
        outcome=Outcome.NOT_OURS,
        why="no mail of ours is meant",
        kind=event.kind,
        status=event.status,
        detail=event.detail,
    )
    mail = _mail_of(session, event)
    person = _person(session, event, mail)
    if person is None:
        erased = replace(told, outcome=Outcome.NOTHING, why="its subscriber was erased")
        return erased if mail or event.subscriber_id else told
    email = _went_to(session, person, mail, keys)
    whom = _Concerned(person=person, email=email, address_hash=keys.hash_of(email))
    told = replace(told, email=whom.email, delivery_id=mail.delivery_id if mail else None)
    if not whom.email:
        return replace(told, outcome=Outcome.NOTHING, why="that change of address is over")
    if mail and event.happened_at < mail.mailed_at <= now:  # a clock elsewhere is wrong
        event = replace(event, happened_at=mail.mailed_at)
    decision = _decided(session, event, whom, mail, policy)
    if decision.action is Action.IGNORE:
        return replace(told, outcome=Outcome.STALE, why=decision.why)
    outcome = _outcome(decision, whom)
    kept = bounces.add(
        session,
        event,
        subscriber_id=person.id,
        delivery_id=mail.delivery_id if mail else None,
        address_hash=whom.address_hash,
        acted=outcome.value,
    )
    if not kept:
        return replace(told, outcome=Outcome.KNOWN, why="it was handled before")
    _carry_out(session, decision, whom, now, keys)
    observe.RETURNS.add(1, event.kind.value, outcome.value)
    return replace(told, outcome=outcome, why=decision.why)


def _event(
    session: Session, returned: Returned, means: Means, now: datetime, at: datetime
) -> Event | Done:
    """The event that a returned mail proves, or why nothing follows from it."""
    match returned.kind:
        case ReturnKind.BOUNCE:
            return _bounce(session, returned, means, at)
        case ReturnKind.COMPLAINT:
            return _complaint(session, returned, means, now, at)
        case ReturnKind.UNSUBSCRIBE:
            kind = EventKind.UNSUBSCRIBE
            leaver = _signed_for(returned, means.tokens, now)
            if leaver is None:
                return _not_ours(kind, "its token is missing or not of our making")
            return Event(kind=kind, key=returned.key, happened_at=at, subscriber_id=leaver)
        case ReturnKind.AUTO_REPLY:
            return Done(outcome=Outcome.NOTHING, why="an automatic reply")
        case _:
            why = "neither a bounce nor a complaint nor an opt-out"
            return Done(outcome=Outcome.NOTHING, why=why)


def _bounce(session: Session, returned: Returned, means: Means, at: datetime) -> Event | Done:
    failures = returned.failures
    if means.verp.is_ours(returned.sender):
        return Done(outcome=Outcome.NOTHING, why="a loop: it says that it comes from our mailbox")
    if failures and all(means.verp.is_ours(failure.address) for failure in failures):
        # a bounce of a bounce: it is our own mailbox that could not be reached
        return Done(outcome=Outcome.NOTHING, why="our own mailbox for bounces could not be reached")
    mail = _proved(session, returned, means.verp)
    if mail is None:
        kind = together([failure.kind for failure in failures])
        return _not_ours(kind, "no token and no Message-ID of ours", failures)
    concerning = _concerning(session, mail, failures, means.keys)
    first = concerning[0] if concerning else None
    return Event(
        kind=together([failure.kind for failure in concerning]),
        key=returned.key,
        happened_at=at,
        delivery_id=mail.delivery_id,
        status=first.status if first else "",
        detail=first.detail if first else "",
    )


def _complaint(
    session: Session, returned: Returned, means: Means, now: datetime, at: datetime
) -> Event | Done:
    mail = _proved(session, returned, means.verp)
    # feedback loops black out addresses, but leave the opt-out link of the mail in its place
    person = None if mail else _signed_for(returned, means.tokens, now)
    if mail is None and person is None:
        return _not_ours(EventKind.COMPLAINT, "no token and no Message-ID of ours")
    return Event(
        kind=EventKind.COMPLAINT,
        key=returned.key,
        happened_at=at,
        delivery_id=mail.delivery_id if mail else None,
        subscriber_id=person,
    )


def _proved(session: Session, returned: Returned, verp: Verp) -> Mailed | None:
    """The delivery that tokens and Message-IDs prove; None where they prove none, or contradict
    one another, as in a mail that somebody put together.
    """
    named = {number for text in returned.addressed_to if (number := verp.read(text)) is not None}
    by_token = bounces.mailed(session, named)
    found = by_token + bounces.mailed_as(session, returned.message_ids)
    if not found or len(named) > len(by_token):
        return None
    return found[0] if len({mail.subscriber_id for mail in found}) == 1 else None


def _concerning(
    session: Session, mail: Mailed, failures: tuple[Failure, ...], keys: Keys
) -> tuple[Failure, ...]:
    """The failures of the address that the mail went to where it is named, else all."""
    if mail.subscriber_id is None or len(failures) < 2:
        return failures
    person = subscribers.by_ids(session, [mail.subscriber_id]).get(mail.subscriber_id)
    key = address_key(_went_to(session, person, mail, keys)) if person else ""
    return tuple(one for one in failures if address_key(one.address) == key) or failures


def _signed_for(returned: Returned, tokens: Tokens, now: datetime) -> SubscriberId | None:
    """Whom the mail's opt-out token was signed for; it never grows too old to be honoured."""
    try:
        payload = tokens.read(Purpose.UNSUBSCRIBE, returned.unsubscribe_token or "", now)
    except BadToken:
        return None
    number = int(payload) if payload.isascii() and payload.isdigit() else 0
    return SubscriberId(number) if 0 < number <= bounces.LARGEST_ID else None


def _mail_of(session: Session, event: Event) -> Mailed | None:
    found: list[Mailed] = []
    if event.delivery_id is not None:
        found = bounces.mailed(session, [event.delivery_id])
    elif event.message_id:
        found = bounces.mailed_as(session, [event.message_id])
    return found[0] if found else None


def _person(session: Session, event: Event, mail: Mailed | None) -> Subscriber | None:
    """Whose mail it was, held for a change."""
    number = mail.subscriber_id if mail else event.subscriber_id
    if number is not None:
        return subscribers.by_ids(session, [number], lock=True).get(number)
    if mail or event.delivery_id is not None or event.message_id or not event.address:
        return None
    return subscribers.find_by_email(session, event.address, lock=True)


def _went_to(session: Session, person: Subscriber, mail: Mailed | None, keys: Keys) -> str:
    """The address that a subscriber's mail went to; empty for a new one that they want no more."""
    if mail is None or not mail.mark or mail.mark == address_mark(keys.hash_of(person.email)):
        return person.email
    change = address_changes.of(session, person.id)
    return change.email if change and change.token == mail.mark else ""


def _decided(
    session: Session, event: Event, whom: _Concerned, mail: Mailed | None, policy: Policy
) -> Decision:
    person = whom.person.id
    fresh_since = max(_sign_ups(session, person), default=None)
    soft = event.kind is EventKind.SOFT
    came = (person, whom.address_hash, event.kind, fresh_since)
    days = bounces.days_of(session, *came) if soft else ()
    return decide(
        event.kind,
        happened_at=event.happened_at,
        mailed_at=mail.mailed_at if mail else None,
        fresh_since=fresh_since,
        soft_days=days,
        policy=policy,
    )


def _sign_ups(session: Session, person: SubscriberId) -> Iterator[datetime]:
    events = subscribers.consent_of(session, person)
    return (at for at, what, _ in events if what in _SIGNED_UP)


def _outcome(decision: Decision, whom: _Concerned) -> Outcome:
    gone = (Status.SUPPRESSED, Status.UNSUBSCRIBED)
    match decision.action:
        case Action.SUPPRESS if not whom.is_own or whom.person.status is not Status.SUPPRESSED:
            return Outcome.SUPPRESSED
        case Action.UNSUBSCRIBE if whom.is_own and whom.person.status not in gone:
            return Outcome.UNSUBSCRIBED
        case _:
            return Outcome.NOTED


def _carry_out(
    session: Session, decision: Decision, whom: _Concerned, now: datetime, keys: Keys
) -> None:
    channel = Channel.MAIL
    if not whom.is_own and decision.action in (Action.SUPPRESS, Action.UNSUBSCRIBE):
        address_changes.withdraw(session, whom.person.id)
    if decision.reason:
        desk.suppress(session, whom.email, decision.reason, channel=channel, now=now, keys=keys)
    elif decision.action is Action.UNSUBSCRIBE and whom.is_own:
        desk.unsubscribe(session, whom.person.id, channel=channel, now=now)


def _not_ours(kind: EventKind, why: str, failures: tuple[Failure, ...] = ()) -> Done:
    first = failures[0] if failures else None
    return Done(
        outcome=Outcome.NOT_OURS,
        why=why,
        kind=kind,
        status=first.status if first else "",
        detail=first.detail if first else "",
    )
