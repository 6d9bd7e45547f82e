"""Sign-ups that wait to be taken in: rows ↔ what was asked for."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, RowMapping, bindparam, delete, insert, select
from sqlmodel import Session

from digest.domain.interests import Interest, InterestKind
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import EmptyDay, Preferences, address_key
from digest.errors import InvalidInput
from digest.store.prepared import prepared
from digest.store.tables import SignUpRow, SubscriberRow, table

_sign_ups = table(SignUpRow)
_subscribers = table(SubscriberRow)

_NEXT = (
    select(_sign_ups)
    .where(_sign_ups.c.id > bindparam("after"))
    .order_by(_sign_ups.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_ANY = select(_sign_ups.c.id).limit(1)
_REMOVE = delete(_sign_ups).where(_sign_ups.c.id.in_(bindparam("ids", expanding=True)))
_HOLD = (
    select(_subscribers.c.email_key)
    .where(_subscribers.c.email_key.in_(bindparam("keys", expanding=True)))
    .with_for_update(key_share=True, skip_locked=True)
)


@prepared
def _added(_dialect: str) -> Executable:
    names = ("email", "choices", "consent", "invitation_id", "received_at")
    return insert(_sign_ups).values({name: bindparam(name) for name in names})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What a form asked for; `invited` says that it came by an invitation."""

    interests: tuple[Interest, ...] = ()
    preferences: Preferences
    invited: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """One sign-up; `wishes` None where only the link to the settings was asked for."""

    id: int
    email: str
    wishes: Wishes | None
    consent: str
    invitation_id: int | None
    received_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Sign-ups held by this transaction; those of `bad` cannot be read. `last` is the last id."""

    good: Sequence[Waiting]
    bad: Mapping[int, InvalidInput]
    last: int | None


def add(
    session: Session,
    email: str,
    wishes: Wishes | None,
    *,
    consent: str = "",
    invitation_id: int | None = None,
    now: datetime,
) -> None:
    """Put a sign-up into the row of those that wait."""
    row = {
        "email": email,
        "choices": wishes_to_json(wishes),
        "consent": consent,
        "invitation_id": invitation_id,
        "received_at": now,
    }
    _added(session).run(session, row)


def any_waits(session: Session) -> bool:
    """Whether any sign-up waits."""
    return session.execute(_ANY).first() is not None


def claim(session: Session, after_id: int, most: int) -> Claim:
    """The next sign-ups in their order that no other transaction holds, held until the commit."""
    rows = session.execute(_NEXT, {"after": after_id, "most": most}).mappings().all()
    good: list[Waiting] = []
    bad: dict[int, InvalidInput] = {}
    for row in rows:
        try:
            good.append(_waiting(row))
        except InvalidInput as exc:
            bad[row["id"]] = exc
    return Claim(good=good, bad=bad, last=rows[-1]["id"] if rows else None)


def remove(session: Session, ids: Iterable[int]) -> None:
    """Take sign-ups out, because they were acted upon in this transaction."""
    session.execute(_REMOVE, {"ids": list(ids)})


def hold_subscribers(session: Session, keys: Sequence[str]) -> set[str]:
    """Hold the subscribers of these address keys for a change, but for those whom another
    transaction holds; the keys of those held.
    """
    return set(session.scalars(_HOLD, {"keys": keys})) if keys else set()


def forget(session: Session, email: str) -> bool:
    """Take out what waits for that address, and say whether anything did; waits for whoever is
    taking it in.
    """
    # compared here: PostgreSQL's lower() knows no more than its locale
    key = address_key(email)
    rows = session.execute(select(_sign_ups.c.id, _sign_ups.c.email))
    if mine := [row.id for row in rows if address_key(row.email) == key]:
        remove(session, sorted(mine))
    return bool(mine)


def wishes_to_json(wishes: Wishes | None) -> str:
    """What is kept in `choices`; the same text for the same wishes."""
    if wishes is None:
        return "null"
    wanted = wishes.preferences
    schedule = wanted.schedule
    return json.dumps(
        {
            "interests": [[i.kind.value, i.text, i.weight, i.excluded] for i in wishes.interests],
            "schedule": [
                *(schedule.timezone, schedule.hour, schedule.frequency.value, schedule.weekday)
            ],
            "max_papers": wanted.max_papers,
            "threshold": wanted.threshold,
            "empty_day": wanted.empty_day.value,
            "min_matches": wanted.min_matches,
            "text_only": wanted.text_only,
            "invited": wishes.invited,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def wishes_from_json(text: str) -> Wishes | None:
    """The wishes that `wishes_to_json` wrote. Raises InvalidInput for any other text."""
    try:
        kept = json.loads(text)
        return None if kept is None else _wishes(kept)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as exc:
        raise InvalidInput(f"the choices cannot be read: {type(exc).__name__}") from exc


def _wishes(kept: Any) -> Wishes:
    timezone, hour, frequency, weekday = kept["schedule"]
    threshold = kept["threshold"]
    return Wishes(
        interests=tuple(
            Interest(
                kind=InterestKind(kind),
                text=str(words),
                weight=float(weight),
                excluded=bool(excluded),
            )
            for kind, words, weight, excluded in kept["interests"]
        ),
        preferences=Preferences(
            schedule=Schedule(
                timezone=timezone,
                hour=int(hour),
                frequency=Frequency(frequency),
                weekday=int(weekday),
            ),
            max_papers=int(kept["max_papers"]),
            threshold=None if threshold is None else float(threshold),
            empty_day=EmptyDay(kept["empty_day"]),
            min_matches=int(kept["min_matches"]),
            text_only=bool(kept["text_only"]),
        ),
        invited=bool(kept["invited"]),
    )


def _waiting(row: RowMapping) -> Waiting:
    if "@" not in row["email"]:
        raise InvalidInput("the address cannot be read")
    return Waiting(
        id=row["id"],
        email=row["email"],
        wishes=wishes_from_json(row["choices"]),
        consent=row["consent"],
        invitation_id=row["invitation_id"],
        received_at=row["received_at"],
    )
