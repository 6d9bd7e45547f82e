"""The story of one mail: what happened to it, in order, and what happens next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.domain.deliveries import GIVE_UP_AFTER, Delivery, MailKind, State, TryOutcome
from digest.domain.editions import Edition
from digest.domain.feedback import Opinion
from digest.domain.returns_policy import EventKind
from digest.domain.subscribers import Channel, ConsentEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened; `what` is one of few words, `text` says more."""

    at: datetime
    what: str
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """A try that the relay did not take."""

    at: datetime
    outcome: TryOutcome
    code: int | None
    reply: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Returned:
    """Something that came back later, and what was done about it."""

    at: datetime
    kind: EventKind
    acted: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Voted:
    """The reader's word on a paper of it; `paper` is its title."""

    at: datetime
    opinion: Opinion
    channel: Channel
    paper: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Wished:
    """What the reader did about their subscription while this was the last mail they had."""

    at: datetime
    event: ConsentEvent
    channel: Channel


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """All that the store knows of one mail.

    `owner` and `lease_until` are the sender's who holds it now; `reply` is the relay's last one.
    """

    delivery: Delivery
    papers: int = 0
    edition: Edition | None = None
    owner: str | None = None
    lease_until: datetime | None = None
    reply: str = ""
    tries: Sequence[Tried] = ()
    returned: Sequence[Returned] = ()
    votes: Sequence[Voted] = ()
    wishes: Sequence[Wished] = ()
    next_digest_at: datetime | None = None
    relay_rests_until: datetime | None = None


def story(known: Known) -> list[Event]:
    """What happened, the first thing first; what happened at one instant stays in its usual order.

    The ledger keeps no more of earlier claims than their tries, and of a delivery that was queued
    again only the latest time.
    """
    return sorted(_events(known), key=lambda event: event.at)


def what_next(
    known: Known, now: datetime, give_up_after: timedelta = GIVE_UP_AFTER
) -> tuple[str, datetime | None]:
    """What happens next, in words, and when, where that is known."""
    one, retry = known.delivery, f"'digest deliveries retry {known.delivery.id}' sends it again"
    match one.state:
        case State.QUEUED | State.DEFERRED:
            return _waiting(known, now, give_up_after)
        case State.SENDING:
            free = "then it counts as in doubt" if one.begun_at else "then another one takes it"
            return f"its sender has it; {free}", known.lease_until
        case State.SENT if known.next_digest_at and one.kind is MailKind.DIGEST:
            return "it is done; the reader's next digest", known.next_digest_at
        case State.SENT:
            return "nothing: it is done", None
        case State.FAILED:
            return f"nothing; {retry}", None
        case State.HELD:
            return f"nothing by itself, for it may have arrived twice; {retry}", None
        case State.SKIPPED if known.next_digest_at:
            return "there is no mail for that date; the reader's next digest", known.next_digest_at
        case _:
            return "nothing", None


def _waiting(known: Known, now: datetime, give_up_after: timedelta) -> tuple[str, datetime | None]:
    one, rests = known.delivery, known.relay_rests_until
    if rests and rests > max(now, one.due_at):
        return "the relay rests; next try", rests
    if one.due_at <= now:
        return "due: the next sender takes it; waiting since", one.due_at
    if one.state is State.DEFERRED and one.due_at - one.queued_at >= give_up_after:
        return "the last try, for its time is over by then", one.due_at
    return "next try", one.due_at


def _events(known: Known) -> Iterator[Event]:
    yield from _made(known)
    yield from (_try(one) for one in known.tries)
    yield from _sending(known)
    yield from (_returned(one) for one in known.returned)
    yield from (_vote(one) for one in known.votes)
    yield from (_wish(one) for one in known.wishes)


def _made(known: Known) -> Iterator[Event]:
    one, edition = known.delivery, known.edition
    number = f"edition {one.edition_id}" if one.edition_id else "an edition that is gone"
    if edition:
        days = edition.lookback_days
        text = f"{number} is cut off: papers first seen in the {days} days before"
        yield Event(at=edition.cutoff_at, what="edition", text=text)
    if one.state is State.SKIPPED:
        yield Event(at=one.queued_at, what="skipped", text=one.reason)
    elif one.kind is MailKind.DIGEST:
        papers = f"{known.papers} paper{'s' if known.papers != 1 else ''} from {number}"
        yield Event(at=one.queued_at, what="composed", text=f"{papers}, for {one.digest_on}")
    else:
        yield Event(at=one.queued_at, what="queued", text=f"a mail of kind {one.kind.value}")


def _sending(known: Known) -> Iterator[Event]:
    one = known.delivery
    if one.state is State.SENDING and known.owner:
        at = one.begun_at or one.due_at
        yield Event(at=at, what="begun" if one.begun_at else "claimed", text=f"by {known.owner}")
    if one.sent_at:
        tries = f", at try {one.attempts}" if one.attempts > 1 else ""
        said = _said(one.smtp_code, known.reply)
        yield Event(at=one.sent_at, what="sent", text=f"the relay took it{tries}: {said}")


def _try(one: Tried) -> Event:
    return Event(at=one.at, what=one.outcome.value, text=_said(one.code, one.reply))


def _returned(one: Returned) -> Event:
    said = f" ({one.detail})" if one.detail else ""
    return Event(at=one.at, what="came back", text=f"{one.kind.value}: {one.acted}{said}")


def _vote(one: Voted) -> Event:
    word = "opened" if one.opinion is Opinion.CLICK else f"wants {one.opinion.value} like"
    return Event(at=one.at, what="vote", text=f"{word} {one.paper} (by {one.channel.value})")


def _wish(one: Wished) -> Event:
    text = f"by {one.channel.value}; this was the last mail sent before"
    return Event(at=one.at, what=one.event.value, text=text)


def _said(code: int | None, reply: str) -> str:
    return " ".join(filter(None, (str(code) if code else "", reply))) or "no reply is known"
