"""What follows from sign-ups that waited, for many addresses in one transaction.

Two that do this at the same time never wait in a circle: whatever both need is taken in one order
here, sign-ups before subscribers before grants of mails, and subscribers who are held elsewhere are
left for the next time.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from digest.domain.deliveries import MailKind
from digest.domain.joining import Answer, Standing, answer, answer_to_access, standing
from digest.domain.subscribers import (
    Channel,
    ConsentEvent,
    Status,
    Subscriber,
    SubscriberId,
    address_key,
)
from digest.services import invite
from digest.services.subscribe import Keys, letter
from digest.store import asked_mails, evidence, outbox, signups, subscribers, suppressions
from digest.store.evidence import Evidence
from digest.store.signups import Waiting
from digest.store.subscribers import NewSubscriber
from digest.store.suppressions import Suppression


class Taken(StrEnum):
    """What followed from a sign-up: a mail that asks to confirm, a mail with the link to the
    settings, no mail; or it could not be read and was dropped.
    """

    CONFIRM = "confirm"
    REMIND = "remind"
    NOTHING = "nothing"
    DROPPED = "dropped"


_KINDS = {Answer.CONFIRM: MailKind.CONFIRM, Answer.REMIND: MailKind.ACCESS}
_TAKEN = {MailKind.CONFIRM: Taken.CONFIRM, MailKind.ACCESS: Taken.REMIND}


@dataclass(kw_only=True, slots=True)
class _Case:
    """One address: its newest sign-up, how it stands, whether a mail may go to it, and whether it
    was somebody new.
    """

    row: Waiting
    digest: str
    person: Subscriber | None
    held: Suppression | None
    standing: Standing
    mailed: bool = False
    joined: bool = False

    @property
    def answer(self) -> Answer:
        if self.row.wishes is None:
            return answer_to_access(self.standing)
        return answer(self.standing, Channel.FORM)

    @property
    def joins(self) -> bool:
        """Whether somebody new, or as good as new, comes in."""
        return self.person is None and self.answer is Answer.CONFIRM


@dataclass(frozen=True, kw_only=True, slots=True)
class Acted:
    """How many rows came to what; `done` are the ids acted upon, the others wait on."""

    counts: Counter[Taken] = field(default_factory=Counter)
    done: list[int] = field(default_factory=list)


def act(session: Session, rows: Sequence[Waiting], keys: Keys, now: datetime) -> Acted:
    """Do what follows from these sign-ups, of which the newest of an address counts.

    A link that was asked for and a sign-up by the same address are the sign-up.
    """
    newest = _newest(rows)
    held = signups.hold_subscribers(session, list(newest))
    people = subscribers.by_keys(session, newest)
    free = {key: row for key, row in newest.items() if key in held or key not in people}
    cases = _cases(session, free, people, keys, now)
    _grant(session, cases, now)
    _lift(session, cases)
    taken_in = _write(session, cases, now)
    counts = _mail(session, taken_in.values(), keys, now)
    done = [row.id for row in rows if address_key(row.email) in taken_in]
    counts[Taken.NOTHING] += len(done) - counts.total()
    return Acted(counts=counts, done=done)


def _newest(rows: Iterable[Waiting]) -> dict[str, Waiting]:
    found: dict[str, Waiting] = {}
    for row in rows:
        key = address_key(row.email)
        if row.wishes or key not in found:
            found[key] = row
    return found


def _cases(
    session: Session,
    rows: dict[str, Waiting],
    people: dict[str, Subscriber],
    keys: Keys,
    now: datetime,
) -> dict[str, _Case]:
    hashes = {key: keys.hash_of(row.email) for key, row in rows.items()}
    barred = suppressions.by_hashes(session, hashes.values())
    cases = {}
    for key, row in rows.items():
        person, held = people.get(key), barred.get(hashes[key])
        status, reason = person.status if person else None, held.reason if held else None
        cases[key] = _Case(
            row=row,
            digest=hashes[key],
            person=person,
            held=held,
            standing=standing(status, reason, held.created_at if held else None, now),
        )
    return cases


def _grant(session: Session, cases: dict[str, _Case], now: datetime) -> None:
    """Say to which addresses a mail may go: one a day, and somebody new by a good invitation."""
    asking = [
        case
        for case in cases.values()
        if case.answer is not Answer.NOTHING and (not case.joins or _may_come(session, case, now))
    ]
    granted = asked_mails.grant(session, [case.digest for case in asking], now)
    for case in sorted(asking, key=lambda case: case.row.invitation_id or 0):
        number = case.row.invitation_id
        case.mailed = case.digest in granted
        if case.mailed and case.joins and number is not None:
            case.mailed = invite.use(session, number, now)


def _may_come(session: Session, case: _Case, now: datetime) -> bool:
    row = case.row
    if row.invitation_id is not None:
        return invite.usable(session, row.invitation_id, now)
    # an invitation that is gone since lets nobody in
    return not (row.wishes and row.wishes.invited)


def _lift(session: Session, cases: dict[str, _Case]) -> None:
    """End the suppressions of those who are back by their own act, in one order everywhere."""
    back = [c.digest for c in cases.values() if c.held and c.mailed and c.answer is Answer.CONFIRM]
    for digest in sorted(back):
        suppressions.remove(session, digest)


def _write(session: Session, cases: dict[str, _Case], now: datetime) -> dict[str, _Case]:
    """Write who becomes pending, with their wishes and evidence; the cases that are done with.

    Not done with is who was added by somebody else at this very moment.
    """
    new = [_added(case.row) for case in cases.values() if case.joins and case.mailed]
    ids = subscribers.add_missing(session, new, now)
    missed = {address_key(one.email) for one in new} - ids.keys()
    saved, told = [], []
    for key, case in cases.items():
        before = case.person
        person = _joined(case.row, ids[key]) if key in ids else _again(case)
        if person is None:
            continue
        if person != before:
            saved.append(person)
        # not with every form that a stranger sends: what is told here dates bounces, too
        if case.mailed or before is None or before.status is not person.status:
            told.append(_evidence(case.row, person))
        case.person, case.joined = person, before is None
    subscribers.save_many(session, saved, now)
    evidence.record(session, told)
    return {key: case for key, case in cases.items() if key not in missed}


def _added(row: Waiting) -> NewSubscriber:
    return NewSubscriber(email=row.email, status=Status.PENDING)


def _joined(row: Waiting, number: SubscriberId) -> Subscriber:
    person = Subscriber(id=number, email=row.email, status=Status.PENDING)
    return _with_wishes(person, row)


def _again(case: _Case) -> Subscriber | None:
    """Somebody known as they become, None where nothing changes.

    Who unsubscribed and was mailed today becomes pending without another mail: the link of the
    first one is good again.
    """
    if case.person is None or case.row.wishes is None or case.answer is not Answer.CONFIRM:
        return None
    silently = case.standing in (Standing.PENDING, Standing.UNSUBSCRIBED)
    return _with_wishes(case.person, case.row) if case.mailed or silently else None


def _with_wishes(person: Subscriber, row: Waiting) -> Subscriber:
    wishes = row.wishes
    if wishes is None:
        return person
    return replace(
        person,
        status=Status.PENDING,
        interests=wishes.interests,
        preferences=wishes.preferences,
        next_digest_at=None,
        resume_at=None,
    )


def _evidence(row: Waiting, person: Subscriber) -> Evidence:
    return Evidence(
        subscriber_id=person.id,
        event=ConsentEvent.SUBSCRIBED,
        channel=Channel.FORM,
        happened_at=row.received_at,
        detail=row.consent,
    )


def _mail(session: Session, cases: Collection[_Case], keys: Keys, now: datetime) -> Counter[Taken]:
    """Queue the mails, but for who has the same one still before them; how many of which."""
    wanted = [
        (case.person.id, _KINDS[case.answer]) for case in cases if case.mailed and case.person
    ]
    known = [case.person.id for case in cases if case.mailed and case.person and not case.joined]
    there = outbox.waiting_for_mail(session, known, list(_TAKEN)) if known else set()
    fresh = [(number, kind) for number, kind in wanted if (number, kind) not in there]
    letters = [letter(kind, number, now, keys) for number, kind in fresh]
    outbox.enqueue_mails(session, letters, now)
    return Counter(_TAKEN[kind] for _, kind in fresh)
