"""Sign-ups by the web: taken in alike whoever asks, and acted upon later.

A form becomes one row, so that neither the answer nor its time tells who is known here. What
follows is decided by `take_in` with the table of `domain.joining`, and seen in the mailbox alone.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from traceback import extract_tb

import structlog
from sqlalchemy import Engine

from digest import observe
from digest.domain.interest_lists import parse_interests
from digest.domain.interests import Interest, distinct
from digest.domain.subscribers import Preferences, address
from digest.errors import StoreError
from digest.faultpoints import reach
from digest.services.intake import Taken, act
from digest.services.subscribe import Keys
from digest.store import asked_mails, signups, visits
from digest.store.database import reading, transaction
from digest.store.signups import Wishes
from digest.store.visits import VisitLimits

__all__ = [
    "SignUp",
    "Taken",
    "TakenIn",
    "VisitLimits",
    "ask_access",
    "parse_interests",
    "receive",
    "take_in",
]

# In one transaction: on SQLite nobody else writes meanwhile, and a form must not wait for long.
BATCH = 25

log = structlog.get_logger("digest.signup")


@dataclass(frozen=True, kw_only=True, slots=True)
class SignUp:
    """What a form asked for. `consent` is the text that was agreed to, `network` where that came
    from, coarsened.
    """

    email: str
    interests: tuple[Interest, ...] = ()
    preferences: Preferences
    consent: str
    network: str
    invitation_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenIn:
    """What became of the sign-ups that were taken in; `left` wait for the next time, because their
    subscriber was being changed.
    """

    counts: Mapping[Taken, int] = field(default_factory=dict)
    left: int = 0

    @property
    def taken(self) -> int:
        """How many there were."""
        return sum(self.counts.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    """One transaction's part: `last` is the last id that was looked at, `full` says that more may
    follow.
    """

    counts: Counter[Taken] = field(default_factory=Counter)
    left: int = 0
    last: int = 0
    full: bool = False


def receive(engine: Engine, sign_up: SignUp, *, limits: VisitLimits, now: datetime) -> None:
    """Keep a sign-up until it is taken in; who it is about is not looked at.

    Raises InvalidInput for what is no address or more than 50 interests, TooMany over the limits.
    """
    email = address(sign_up.email)
    wishes = Wishes(
        interests=distinct(sign_up.interests),
        preferences=sign_up.preferences,
        invited=sign_up.invitation_id is not None,
    )
    consent = {"text": sign_up.consent, "network": sign_up.network}
    with transaction(engine) as session:
        visits.visit(session, sign_up.network, limits, now)
        signups.add(
            session,
            email,
            wishes,
            consent=json.dumps(consent, ensure_ascii=False),
            invitation_id=sign_up.invitation_id,
            now=now,
        )


def ask_access(
    engine: Engine, email: str, *, network: str, limits: VisitLimits, now: datetime
) -> None:
    """Keep the wish for a mail with the link to that address's settings, in the same way.

    Raises InvalidInput for what is no address, TooMany over the limits.
    """
    email = address(email)
    with transaction(engine) as session:
        visits.visit(session, network, limits, now)
        signups.add(session, email, None, now=now)


def take_in(
    engine: Engine,
    keys: Keys,
    now: datetime,
    *,
    limit: int = 500,
    stop: Callable[[], bool] = lambda: False,
) -> TakenIn:
    """Act upon what waits, at most `limit` rows, first come first served.

    A row goes in the transaction that acts upon it, so that a crash repeats nothing and loses
    nothing, and any number of processes may do this at once. A row that cannot be used is dropped
    with a word in the log. Raises StoreError.
    """
    with reading(engine) as session:
        is_waiting = signups.any_waits(session)
    reach("services.signup.begun")
    if is_waiting:
        return _all(engine, keys, now, limit, stop)
    _prune(engine, now)
    return TakenIn()


def _prune(engine: Engine, now: datetime) -> None:
    """Forget counts and dates that hold nobody back any more, when there is nothing else to do."""
    with reading(engine) as session:
        is_stale = visits.has_stale(session, now) or asked_mails.has_stale(session, now)
    if is_stale:
        with transaction(engine) as session:
            visits.prune(session, now)
            asked_mails.prune(session, now)


def _all(
    engine: Engine, keys: Keys, now: datetime, limit: int, stop: Callable[[], bool]
) -> TakenIn:
    counts: Counter[Taken] = Counter()
    left, after, singly = 0, 0, 0
    while (room := limit - left - counts.total()) > 0 and not stop():
        most = 1 if singly else min(BATCH, room)
        try:
            batch = _take(engine, keys, now, after, most)
        except StoreError:
            raise
        except Exception as exc:  # one row that nobody foresaw must not stop those behind it
            if most > 1:
                singly = most
                continue
            batch = _drop(engine, after, exc)
        counts += batch.counts
        left, after, singly = left + batch.left, batch.last, max(0, singly - 1)
        if not batch.full:
            break
    for taken, count in counts.items():
        observe.SIGN_UPS.add(count, taken.value)
    reach("services.signup.done")
    return TakenIn(counts=dict(counts), left=left)


def _take(engine: Engine, keys: Keys, now: datetime, after: int, most: int) -> _Batch:
    with transaction(engine) as session:
        found = signups.claim(session, after, most)
        if found.last is None:
            return _Batch()
        acted = act(session, found.good, keys, now)
        signups.remove(session, [*acted.done, *found.bad])
    for number, why in found.bad.items():
        log.error("sign-up dropped", id=number, error=str(why))
    counts = acted.counts + Counter({Taken.DROPPED: len(found.bad)})
    seen = len(found.good) + len(found.bad)
    left = len(found.good) - len(acted.done)
    return _Batch(counts=counts, left=left, last=found.last, full=seen == most)


def _drop(engine: Engine, after: int, exc: Exception) -> _Batch:
    with transaction(engine) as session:
        found = signups.claim(session, after, 1)
        ids = [*found.bad, *(row.id for row in found.good)]
        signups.remove(session, ids)
    # no trace, no text: both may hold the address
    at = extract_tb(exc.__traceback__)[-1]
    log.error("sign-up dropped", ids=ids, error=type(exc).__name__, at=f"{at.name}:{at.lineno}")
    counts = Counter({Taken.DROPPED: len(ids)})
    return _Batch(counts=counts, last=found.last or after, full=bool(ids))
