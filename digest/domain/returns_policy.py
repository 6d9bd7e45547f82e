"""What follows from a mail that came back: suppress, unsubscribe, note it, or nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from digest.domain.bounces import BounceKind
from digest.domain.deliveries import DeliveryId
from digest.domain.subscribers import SubscriberId, SuppressionReason


class EventKind(StrEnum):
    """What came back, by mail or by a relay's webhook, about one mail to one subscriber."""

    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that came back, from whom is proved: by a token, a Message-ID or a webhook's
    signature.

    Whose mail it was is told by the first of these that is given: `delivery_id`, `message_id` (in
    angle brackets), `subscriber_id`, `address`. `key` is the same whenever the same thing is told
    again.
    """

    kind: EventKind
    key: str
    happened_at: datetime
    delivery_id: DeliveryId | None = None
    message_id: str = ""
    subscriber_id: SubscriberId | None = None
    address: str = ""
    status: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How many days with soft bounces, within how many days, are as good as a hard one."""

    soft_limit: int = 5
    soft_days: int = 30


class Action(StrEnum):
    """What is to be done about an event."""

    SUPPRESS = "suppress"
    UNSUBSCRIBE = "unsubscribe"
    NOTE = "note"
    IGNORE = "ignore"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The action, why, and the reason of the suppression where it is one."""

    action: Action
    why: str
    reason: SuppressionReason | None = None


def decide(
    kind: EventKind,
    *,
    happened_at: datetime,
    mailed_at: datetime | None,
    fresh_since: datetime | None,
    soft_days: Collection[date],
    policy: Policy,
) -> Decision:
    """What follows from one event.

    `mailed_at` is when the mail that came back went out, None where only the address is known;
    `fresh_since` when the subscriber last signed up or confirmed: what was mailed before says
    nothing about the address any more. `soft_days` are the UTC days of earlier soft bounces since
    then.
    """
    match kind:
        case EventKind.COMPLAINT:
            return _suppress("a complaint", SuppressionReason.COMPLAINT)
        case EventKind.UNSUBSCRIBE:
            return Decision(action=Action.UNSUBSCRIBE, why="asked to")
        case EventKind.POLICY:
            return Decision(action=Action.NOTE, why="it speaks of us, not of the address")
    if fresh_since and (mailed_at or happened_at) < fresh_since:
        return Decision(action=Action.IGNORE, why="the address was confirmed after that mail")
    if kind is EventKind.HARD:
        return _suppress("the address does not exist", SuppressionReason.BOUNCE)
    return _after_soft(happened_at.astimezone(UTC).date(), soft_days, policy)


def together(kinds: Sequence[BounceKind]) -> EventKind:
    """What several failures of one mail say of its one subscriber, whose address forwards it.

    Hard only where all are: what one of them still takes arrives. SOFT where nothing is known.
    """
    if kinds and all(kind is BounceKind.HARD for kind in kinds):
        return EventKind.HARD
    if BounceKind.SOFT in kinds or not kinds:
        return EventKind.SOFT
    return EventKind.POLICY


def _suppress(why: str, reason: SuppressionReason) -> Decision:
    return Decision(action=Action.SUPPRESS, why=why, reason=reason)


def _after_soft(today: date, earlier: Collection[date], policy: Policy) -> Decision:
    """Suppress once enough days lie in one span that holds today, in whatever order they came."""
    reach = timedelta(days=policy.soft_days)
    days = sorted({day for day in earlier if abs(day - today) < reach} | {today})
    for first, last in zip(days, days[policy.soft_limit - 1 :], strict=False):
        if first <= today <= last and last - first < reach:
            why = f"soft bounces on {policy.soft_limit} days within {policy.soft_days}"
            return _suppress(why, SuppressionReason.BOUNCE)
    return Decision(action=Action.NOTE, why=f"day {len(days)} of {policy.soft_limit}")
