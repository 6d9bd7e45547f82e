"""What subscribers see and take away of their own: settings, digests as mailed, all data held."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.deliveries import Delivery, MailKind, State
from digest.domain.papers import Paper, PaperId
from digest.domain.records import to_object
from digest.domain.subscribers import ConsentEvent, Subscriber, SubscriberId, SuppressionReason
from digest.errors import NotFound
from digest.mail.render import Rendered
from digest.services.mailroom import Mailroom, papers_of
from digest.services.preview import in_ledger
from digest.services.subscribe import Keys
from digest.store import address_changes, bounces, feedback, holdings, subscribers
from digest.store.contents import content_from_json, paper_ids
from digest.store.database import reading, transaction
from digest.store.ledger_read import Which, list_deliveries
from digest.store.papers import papers_by_id

_NEVER_MAILED = (State.SKIPPED, State.CANCELLED)


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnDigest:
    """One of one's own digests: its local date and its first titles, best first."""

    day: date
    titles: tuple[str, ...]
    papers: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A subscriber, with what the row of settings does not say: why mail to them was stopped
    (None where it was not), and to what address they want to move.
    """

    person: Subscriber
    stopped_by: SuppressionReason | None = None
    moving_to: str = ""


def one(engine: Engine, subscriber_id: SubscriberId) -> Subscriber:
    """The subscriber of that id. Raises NotFound."""
    with reading(engine) as session:
        return subscribers.by_id(session, subscriber_id)


def standing(engine: Engine, subscriber_id: SubscriberId, keys: Keys) -> Standing:
    """How a subscriber stands. Raises NotFound."""
    with reading(engine) as session:
        person = subscribers.by_id(session, subscriber_id)
        stopped = holdings.suppression_of(session, keys.hash_of(person.email))
        moving = address_changes.of(session, subscriber_id)
        return Standing(
            person=person,
            stopped_by=SuppressionReason(stopped[0]) if stopped else None,
            moving_to=moving.email if moving else "",
        )


def changed(engine: Engine, step: Callable[[Session], Subscriber]) -> Subscriber:
    """Run a step that changes a subscriber in one transaction. Raises what the step raises."""
    with transaction(engine) as session:
        return step(session)


def done(engine: Engine, step: Callable[[Session], None]) -> None:
    """Run a step that leaves nobody to speak of, such as erase, in one transaction."""
    with transaction(engine) as session:
        step(session)


def left_at(engine: Engine, subscriber_id: SubscriberId) -> datetime | None:
    """When somebody unsubscribed last, None for who never did."""
    return _last(engine, subscriber_id, ConsentEvent.UNSUBSCRIBED)


def moved_at(engine: Engine, subscriber_id: SubscriberId) -> datetime | None:
    """When somebody changed their address last, None for who never did."""
    return _last(engine, subscriber_id, ConsentEvent.ADDRESS_CHANGED)


def _last(engine: Engine, subscriber_id: SubscriberId, event: ConsentEvent) -> datetime | None:
    with reading(engine) as session:
        events = holdings.evidence_of(session, subscriber_id)
    found = [one.happened_at for one in events if one.event == event]
    return found[-1] if found else None


def own_digests(engine: Engine, person: Subscriber, limit: int = 100) -> list[OwnDigest]:
    """The digests that were mailed, or may have been, the latest first."""
    which = Which(email=person.email, kinds=[MailKind.DIGEST])
    with reading(engine) as session:
        rows = [row for row in list_deliveries(session, which, limit=limit) if _was_mailed(row)]
        papers = _papers(session, rows)
    made = ((row.digest_on, [papers[n] for n in paper_ids(row.picks) if n in papers])
            for row in rows)  # fmt: skip
    return [
        OwnDigest(day=day, titles=tuple(p.title for p in listed[:3]), papers=len(listed))
        for day, listed in made
        if day and listed
    ]


def as_mailed(engine: Engine, mailroom: Mailroom, person: Subscriber, day: date) -> Rendered:
    """The digest of that local date in the very words of the mail.

    Raises NotFound where none was mailed, or where its papers are gone.
    """
    with reading(engine) as session:
        which = Which(email=person.email, digest_on=day, kinds=[MailKind.DIGEST])
        found = list_deliveries(session, which, limit=1)
        order = in_ledger(session, person, day) if found and _was_mailed(found[0]) else None
        if order is None:
            raise NotFound(f"no digest of {day} was mailed")
        return mailroom.mail(order, papers_of(session, order)).rendered


def held_data(engine: Engine, subscriber_id: SubscriberId, keys: Keys, now: datetime) -> str:
    """All that is held about a subscriber, as indented JSON; no keys, tokens or hashes.

    Raises NotFound.
    """
    with reading(engine) as session:
        person = subscribers.by_id(session, subscriber_id)
        moving = address_changes.of(session, subscriber_id)
        stopped = holdings.suppression_of(session, keys.hash_of(person.email))
        data: dict[str, Any] = {
            "exported_at": now,
            "subscriber": {
                "id": person.id,
                **to_object(person),
                "next_digest_at": person.next_digest_at,
                **asdict(holdings.dates_of(session, subscriber_id)),
            },
            "new_address": {"email": moving.email, "asked_at": moving.asked_at} if moving else None,
            "suppression": {"reason": stopped[0], "since": stopped[1]} if stopped else None,
            "consent": [asdict(one) for one in holdings.evidence_of(session, subscriber_id)],
            "feedback": _votes(session, subscriber_id),
            "deliveries": _deliveries(session, person),
            "bounces": _bounces(session, person),
        }
    return json.dumps(data, ensure_ascii=False, indent=2, default=_written)


def _was_mailed(row: Delivery) -> bool:
    """Whether the digest may have reached somebody: a click can come before our own commit."""
    tried = row.begun_at is not None or row.state is State.SENT
    return tried and row.state not in _NEVER_MAILED and row.digest_on is not None


def _papers(session: Session, rows: Iterable[Delivery]) -> Mapping[PaperId, Paper]:
    return papers_by_id(session, {n for row in rows for n in paper_ids(row.picks)})


def _votes(session: Session, subscriber_id: SubscriberId) -> list[dict[str, object]]:
    return [
        {
            "paper": given.vote.title,
            "opinion": given.vote.opinion.value,
            "given_at": given.vote.given_at,
            "channel": given.channel.value,
        }
        for given in feedback.listed(session, subscriber_id, limit=0)
    ]


def _deliveries(session: Session, person: Subscriber) -> list[dict[str, object]]:
    rows = list_deliveries(session, Which(email=person.email), limit=0)
    papers = _papers(session, rows)
    return [
        {
            "kind": row.kind.value,
            "digest_on": row.digest_on,
            "state": row.state.value,
            "reason": row.reason,
            "queued_at": row.queued_at,
            "sent_at": row.sent_at,
            "message_id": row.message_id,
            "papers": _sent(row, papers),
        }
        for row in rows
    ]


def _sent(row: Delivery, papers: Mapping[PaperId, Paper]) -> list[dict[str, object]]:
    """The papers of a delivery with the interest that each was chosen for; pruned ones by number
    alone.
    """
    digest = content_from_json(row.picks, row.digest_on or row.queued_at.date())
    return [
        {
            "id": pick.paper_id,
            "title": papers[pick.paper_id].title if pick.paper_id in papers else None,
            "url": papers[pick.paper_id].url if pick.paper_id in papers else None,
            "interest": pick.reason.interest,
        }
        for pick in digest.picks
    ]


def _bounces(session: Session, person: Subscriber) -> list[dict[str, object]]:
    return [
        {
            "happened_at": item.happened_at,
            "kind": item.kind.value,
            "status": item.status,
            "detail": item.detail,
            "followed_by": item.acted,
        }
        for item in bounces.listed(session, email=person.email, limit=0)
    ]


def _written(value: object) -> str:
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an export")
