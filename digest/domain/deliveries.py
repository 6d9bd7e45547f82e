"""The ledger's words: what a delivery is, its states, and how a failed try is dated again."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NewType

from digest.domain.bounces import Stage
from digest.domain.limits import asked_delay

DeliveryId = NewType("DeliveryId", int)

RETRY_FIRST = timedelta(minutes=1)
RETRY_MOST = timedelta(hours=4)
GIVE_UP_AFTER = timedelta(hours=48)
DOUBTFUL_MOST = 2


class MailKind(StrEnum):
    """Kinds of mail; all of them go through the ledger."""

    DIGEST = "digest"
    CONFIRM = "confirm"
    WELCOME = "welcome"
    ACCESS = "access"  # the link to one's own settings, for who asked for it
    CHANGE_ADDRESS = "change_address"  # to the new address: is it yours?
    ALERT = "alert"  # to the operator


class State(StrEnum):
    """States of a delivery.

    queued → sending → sent · deferred → queued · failed; in doubt → queued, at last held;
    opt-out before the message was begun → cancelled; nothing to send → skipped.
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    HELD = "held"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class TryOutcome(StrEnum):
    """How a try ended that the relay did not take for certain."""

    DEFERRED = "deferred"
    FAILED = "failed"
    IN_DOUBT = "in doubt"


class Cancelled(StrEnum):
    """Why a delivery that was not begun yet never will be."""

    UNSUBSCRIBED = "unsubscribed"
    PAUSED = "paused"
    SUPPRESSED = "suppressed"
    ERASED = "erased"
    UNCONFIRMED = "not confirmed"  # a digest or welcome for somebody who is still pending
    CONFIRMED = "confirmed already"  # a confirmation that is no longer needed
    WITHDRAWN = "withdrawn"  # a change of address that was replaced, taken back or carried out


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """The relay took the message: its final reply."""

    code: int
    reply: str
    status: str = ""  # the enhanced code such as 2.0.0 (RFC 3463), where there is one


@dataclass(frozen=True, kw_only=True, slots=True)
class Deferred:
    """4xx: try again later."""

    code: int
    reply: str
    stage: Stage = Stage.UNKNOWN


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """5xx, or a message that can never be sent; `code` 0 where no relay spoke."""

    code: int
    reply: str
    stage: Stage = Stage.UNKNOWN


@dataclass(frozen=True, kw_only=True, slots=True)
class InDoubt:
    """The connection was lost after the final dot."""

    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NotTried:
    """The relay could not be used before this message's turn: back to the queue, no try counted."""

    detail: str


Result = Sent | Deferred | Failed | InDoubt | NotTried


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the ledger writes for a result: the new state, when to try again, and why.

    `due_at` None leaves the time at which the row was due, so that it may be claimed at once.
    """

    state: State
    reason: str = ""
    due_at: datetime | None = None
    doubtful: int = 0


def retry_delay(attempts: int, jitter: float, asked: timedelta | None = None) -> timedelta:
    """The wait before the next try: 1 min × 2ⁿ for the n-th failed try from 0, at most 4 h, and not
    less than what the receiver `asked` for.

    `jitter` in 0 to 1 shortens the wait by up to a quarter, so that a crowd does not return at
    once; a wait that was asked for it makes longer instead.
    """
    doubled = RETRY_FIRST * int(2 ** min(max(attempts - 1, 0), 16))
    own = min(doubled, RETRY_MOST) * (1 - 0.25 * jitter)
    return max(own, min(asked * (1 + 0.25 * jitter), RETRY_MOST)) if asked else own


def gives_up(queued_at: datetime, now: datetime, give_up_after: timedelta) -> bool:
    """Whether a delivery that is refused for now is refused for good: all patience is over."""
    return now - queued_at >= give_up_after


def verdict(
    result: Result,
    *,
    attempts: int,
    doubtful: int,
    queued_at: datetime,
    now: datetime,
    jitter: float,
    give_up_after: timedelta = GIVE_UP_AFTER,
) -> Verdict:
    """Decide a delivery's next state from one try's result.

    `attempts` counts this try too. A deferred delivery that was queued `give_up_after` ago has
    failed; one that ended in doubt twice is held for the operator, because a relay that always
    drops after accepting would otherwise get it for ever. One in doubt for the first time, and one
    that was not tried, need not wait: CONTRACT §1 dates only deferred ones again.
    """
    match result:
        case Sent():
            return Verdict(state=State.SENT, doubtful=doubtful)
        case Failed():
            return Verdict(state=State.FAILED, reason=result.reply, doubtful=doubtful)
        case Deferred():
            if gives_up(queued_at, now, give_up_after):
                hours = give_up_after / timedelta(hours=1)
                reason = f"gave up after {hours:g} h: {result.reply}"
                return Verdict(state=State.FAILED, reason=reason, doubtful=doubtful)
            due_at = now + retry_delay(attempts, jitter, asked_delay(result.reply))
            return Verdict(
                state=State.DEFERRED, reason=result.reply, due_at=due_at, doubtful=doubtful
            )
        case InDoubt():
            if doubtful + 1 >= DOUBTFUL_MOST:
                return Verdict(state=State.HELD, reason=result.detail, doubtful=doubtful + 1)
            return Verdict(state=State.QUEUED, reason=result.detail, doubtful=doubtful + 1)
        case NotTried():
            return Verdict(state=State.QUEUED, reason=result.detail, doubtful=doubtful)


def message_id(kind: MailKind, subscriber_id: int, mark: str, *, secret: str, domain: str) -> str:
    """The Message-ID of one delivery, in angle brackets (RFC 5322 §3.6.4).

    `mark` is what makes the delivery unique beside kind and subscriber: the ISO date of a digest,
    the token of another mail. Made before the row has an id and stored with it, so every try bears
    the same one; keyed with `secret`, so nobody outside can foretell another subscriber's.
    """
    name = f"message-id|{kind}|{subscriber_id}|{mark}"
    digest = hmac.new(secret.encode(), name.encode(), hashlib.sha256).hexdigest()
    return f"<{kind}.{digest[:40]}@{domain}>"


def address_mark(address_hash: str) -> str:
    """What names a new address in links and in the tokens of deliveries, without telling it."""
    return address_hash[:16]


def marked_address(token: str) -> str:
    """The mark in the token of a CHANGE_ADDRESS delivery, `MARK.INSTANT`."""
    return token.partition(".")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One row of the ledger, as listings show it; `picks` is the digest as stored JSON.

    `email` is where it goes: the subscriber's address, empty once erased, or the new one that is to
    be confirmed, empty once that change is over.
    """

    id: DeliveryId
    kind: MailKind
    subscriber_id: int | None
    email: str
    digest_on: date | None
    edition_id: int | None
    state: State
    reason: str
    attempts: int
    doubtful: int
    message_id: str
    token: str
    picks: str
    queued_at: datetime
    due_at: datetime
    begun_at: datetime | None
    sent_at: datetime | None
    smtp_code: int | None
